// SPDX-License-Identifier: GPL-2.0-only

//! The C interfaces of the kernel as bindgen sees them, limited to those in
//! `bindings.list`. Only the other files of this folder use them.

#![allow(
    clippy::all,
    clippy::pedantic,
    clippy::undocumented_unsafe_blocks,
    clippy::missing_safety_doc,
    clippy::as_underscore,
    clippy::as_ptr_cast_mut,
    clippy::cast_lossless,
    clippy::ptr_as_ptr,
    clippy::ptr_cast_constness,
    clippy::ref_as_ptr,
    dead_code,
    improper_ctypes,
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unsafe_op_in_unsafe_fn,
    unreachable_pub,
    unused_imports
)]

include!("bindings_generated.rs");
