// SPDX-License-Identifier: GPL-2.0-only

//! What clients and real servers say to each other, where forwarding depends on it: the FTP commands and
//! replies that announce a data connection, the identifier by which a SIP call stays with its real
//! server.
//!
//! Here text is read and written, nothing more; which connections the words lead to, and how a
//! changed packet gets its lengths and checksums right, is not known here.

#![forbid(unsafe_code)]

pub mod ftp;
pub mod sip;
