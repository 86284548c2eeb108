// SPDX-License-Identifier: GPL-2.0-only

//! What only few connections have, so that the others need not pay for it.

use crate::{app::ftp::Passive, service::FtpPort};
use core::sync::atomic::{AtomicU8, Ordering};
use kernel::prelude::*;

/// What a connection has besides what all have.
pub enum Extension {
    /// A control connection of FTP, whose words announce data connections.
    Ftp(FtpControl),
    /// A template of the flows of one call of SIP.
    Call(Call),
}

/// The Call-ID of a call.
pub struct Call(KVec<u8>);

impl Call {
    /// A copy of a Call-ID. Never sleeps; fails when memory is out.
    pub fn new(call_id: &[u8]) -> Result<Self> {
        let mut copy = KVec::new();
        copy.extend_from_slice(call_id, GFP_ATOMIC | __GFP_NOWARN)?;
        Ok(Self(copy))
    }

    /// The Call-ID.
    pub fn id(&self) -> &[u8] {
        &self.0
    }
}

/// A control connection of FTP, and what was said last on it about the data connection to come.
pub struct FtpControl {
    /// The port that it came to.
    pub port: FtpPort,
    asked: AtomicU8,
}

const PLAIN: u8 = 1;
const EXTENDED: u8 = 2;

impl FtpControl {
    /// One on which nothing was said yet.
    pub const fn new(port: FtpPort) -> Self {
        Self {
            port,
            asked: AtomicU8::new(0),
        }
    }

    /// How the server was asked to listen, if it was; its reply may come more than once.
    pub fn asked(&self) -> Option<Passive> {
        match self.asked.load(Ordering::Relaxed) {
            PLAIN => Some(Passive::Plain),
            EXTENDED => Some(Passive::Extended),
            _ => None,
        }
    }

    /// Notes how the server is asked to listen; `None` if the client listens.
    pub fn ask(&self, passive: Option<Passive>) {
        let number = match passive {
            Some(Passive::Plain) => PLAIN,
            Some(Passive::Extended) => EXTENDED,
            None => 0,
        };
        self.asked.store(number, Ordering::Relaxed);
    }
}
