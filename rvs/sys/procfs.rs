// SPDX-License-Identifier: GPL-2.0-only

//! Text files below `/proc/net`, one for each network namespace.
//!
//! C headers: `include/linux/proc_fs.h`, `include/linux/seq_file.h`

use super::{bindings, net::Net};
use core::{ffi::c_void, fmt, marker::PhantomData, ptr};
use kernel::prelude::*;

/// The contents of a file, in steps.
pub trait Contents: 'static {
    /// Its name.
    const NAME: &'static CStr;

    /// How many steps there are now.
    fn steps(net: Net<'_>) -> u64;

    /// Writes the text of a step. It may be asked for the same step again. Sleeps.
    fn show(net: Net<'_>, step: u64, text: &mut Text<'_>) -> fmt::Result;
}

/// The text of a step.
pub struct Text<'a> {
    seq: *mut bindings::seq_file,
    _seq: PhantomData<&'a mut bindings::seq_file>,
}

impl fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // SAFETY: the file is being shown; text beyond its buffer is noticed by `seq_file`, which
        // then asks again with a larger one.
        unsafe { bindings::seq_write(self.seq, text.as_ptr().cast(), text.len()) };
        Ok(())
    }
}

/// A file that exists while this does.
///
/// # Invariants
///
/// The file exists in `net`.
pub struct File<C: Contents> {
    net: Net<'static>,
    _contents: PhantomData<C>,
}

impl<C: Contents> File<C> {
    const OPS: bindings::seq_operations = bindings::seq_operations {
        start: Some(start::<C>),
        stop: Some(stop),
        next: Some(next::<C>),
        show: Some(show::<C>),
    };

    /// Creates the file, readable by everybody. Sleeps.
    pub fn create(net: Net<'static>) -> Result<Self> {
        // SAFETY: the namespace lives longer than the file by `Net<'static>`; the name and the
        // operations are static.
        let entry = unsafe {
            bindings::proc_create_net_data(
                C::NAME.as_char_ptr().cast(),
                0o444,
                bindings::rvs_net_proc(net.as_ptr()),
                ptr::from_ref(const { &Self::OPS }),
                size_of::<bindings::seq_net_private>() as u32,
                ptr::null_mut(),
            )
        };
        if entry.is_null() {
            return Err(ENOMEM);
        }
        // INVARIANT: created just now.
        Ok(Self {
            net,
            _contents: PhantomData,
        })
    }
}

impl<C: Contents> Drop for File<C> {
    fn drop(&mut self) {
        // SAFETY: the file exists by the type invariants; its readers are waited for.
        unsafe {
            bindings::remove_proc_entry(
                C::NAME.as_char_ptr().cast(),
                bindings::rvs_net_proc(self.net.as_ptr()),
            );
        }
    }
}

/// A step as the token that `seq_file` passes around: one more than its number, so never null.
fn token<C: Contents>(seq: *mut bindings::seq_file, step: i64) -> *mut c_void {
    // SAFETY: `seq_file` calls us with a file of a namespace, which it keeps alive.
    let net = unsafe { Net::from_ptr(bindings::rvs_seq_file_net(seq)) };
    match u64::try_from(step) {
        Ok(step) if step < C::steps(net) => ptr::without_provenance_mut(step as usize + 1),
        _ => ptr::null_mut(),
    }
}

/// The step at a position.
///
/// # Safety
///
/// `seq_file` calls it for a file of `C`.
unsafe extern "C" fn start<C: Contents>(
    seq: *mut bindings::seq_file,
    position: *mut i64,
) -> *mut c_void {
    // SAFETY: `seq_file` passes a valid position.
    token::<C>(seq, unsafe { *position })
}

/// The step after this one.
///
/// # Safety
///
/// As for [`start`].
unsafe extern "C" fn next<C: Contents>(
    seq: *mut bindings::seq_file,
    _token: *mut c_void,
    position: *mut i64,
) -> *mut c_void {
    // SAFETY: `seq_file` passes a valid position.
    let step = unsafe {
        *position = (*position).wrapping_add(1);
        *position
    };
    token::<C>(seq, step)
}

/// Nothing is held between steps.
///
/// # Safety
///
/// As for [`start`].
unsafe extern "C" fn stop(_seq: *mut bindings::seq_file, _token: *mut c_void) {}

/// Writes the text of a step.
///
/// # Safety
///
/// As for [`start`], with a token that it or [`next`] gave.
unsafe extern "C" fn show<C: Contents>(
    seq: *mut bindings::seq_file,
    token: *mut c_void,
) -> kernel::ffi::c_int {
    // SAFETY: as in `token`.
    let net = unsafe { Net::from_ptr(bindings::rvs_seq_file_net(seq)) };
    let mut text = Text {
        seq,
        _seq: PhantomData,
    };
    let step = (token.addr() as u64).wrapping_sub(1);
    match C::show(net, step, &mut text) {
        Ok(()) => 0,
        Err(fmt::Error) => EIO.to_errno(),
    }
}
