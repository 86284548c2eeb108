// SPDX-License-Identifier: GPL-2.0-only

//! Text files below `/proc/net`, one for each network namespace.
//!
//! C headers: `include/linux/proc_fs.h`, `include/linux/seq_file.h`

use super::{bindings, net::Net};
use core::{ffi::c_void, fmt, marker::PhantomData, mem::MaybeUninit, ptr};
use kernel::prelude::*;

/// The contents of a file, in steps that are found one from the other.
pub trait Contents: 'static {
    /// Its name.
    const NAME: &'static CStr;

    /// Who may read it.
    const MODE: u16 = 0o444;

    /// Where a step stands: what tells it from the others as long as the file is open.
    type Place: Copy + Send + 'static;

    /// The place of the first step. Sleeps.
    fn first(net: Net<'_>) -> Option<Self::Place>;

    /// The place of the step behind another, which may be gone meanwhile. Sleeps.
    fn after(net: Net<'_>, place: Self::Place) -> Option<Self::Place>;

    /// Writes the text of a step, nothing if it is gone. It may be asked for the same step again.
    /// Sleeps.
    fn show(net: Net<'_>, place: Self::Place, text: &mut Text<'_>) -> fmt::Result;
}

/// The text of a step.
pub struct Text<'a> {
    seq: *mut bindings::seq_file,
    _seq: PhantomData<&'a mut bindings::seq_file>,
}

impl Text<'_> {
    /// Writes text that need not be UTF-8.
    pub fn write_bytes(&mut self, text: &[u8]) {
        // SAFETY: the file is being shown; text beyond its buffer is noticed by `seq_file`, which
        // then asks again with a larger one.
        unsafe { bindings::seq_write(self.seq, text.as_ptr().cast(), text.len()) };
    }
}

impl fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.write_bytes(text.as_bytes());
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

    /// Creates the file. Sleeps.
    pub fn create(net: Net<'static>) -> Result<Self> {
        // SAFETY: the namespace lives longer than the file by `Net<'static>`; the name and the
        // operations are static.
        let entry = unsafe {
            bindings::proc_create_net_data(
                C::NAME.as_char_ptr().cast(),
                C::MODE,
                bindings::rvs_net_proc(net.as_ptr()),
                ptr::from_ref(const { &Self::OPS }),
                size_of::<Reader<C::Place>>() as u32,
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

/// What the kernel keeps for each open file: zeroed at first, freed without a drop, and lent to one
/// call at a time.
///
/// # Invariants
///
/// If `is_known`, `place` is that of the step with the number `position`, `None` behind the last.
#[repr(C)]
struct Reader<P: Copy> {
    net: bindings::seq_net_private,
    position: i64,
    is_known: bool,
    place: MaybeUninit<Option<P>>,
}

impl<P: Copy> Reader<P> {
    /// # Safety
    ///
    /// `seq_file` lends us a file that was opened with room for a `Reader<P>`.
    unsafe fn of<'a>(seq: *mut bindings::seq_file) -> &'a mut Self {
        // SAFETY: by the safety requirement, and because zeroes are a valid value.
        unsafe { &mut *(*seq).private.cast::<Self>() }
    }

    /// The step with this number, if it is the one that was met last.
    fn place(&self, position: i64) -> Option<Option<P>> {
        // SAFETY: by the type invariants.
        (self.is_known && self.position == position).then(|| unsafe { self.place.assume_init() })
    }

    /// Notes a step. Gives the token that `seq_file` passes around, null behind the last one.
    fn meet(&mut self, position: i64, place: Option<P>) -> *mut c_void {
        // INVARIANT: by the caller's arguments.
        self.position = position;
        self.place.write(place);
        self.is_known = true;
        match place {
            Some(_) => ptr::from_mut(self).cast(),
            None => ptr::null_mut(),
        }
    }
}

/// The place of a step, counted from the first.
fn find<C: Contents>(net: Net<'_>, position: i64) -> Option<C::Place> {
    let mut place = C::first(net)?;
    for _ in 0..position {
        place = C::after(net, place)?;
    }
    Some(place)
}

/// The step at a position: the one where the last read ended, unless the reader jumps.
///
/// # Safety
///
/// `seq_file` calls it for a file of `C`.
unsafe extern "C" fn start<C: Contents>(
    seq: *mut bindings::seq_file,
    position: *mut i64,
) -> *mut c_void {
    // SAFETY: `seq_file` passes a valid position, and a file of a namespace, which it keeps alive.
    let (reader, net, position) = unsafe {
        let net = Net::from_ptr(bindings::rvs_seq_file_net(seq));
        (Reader::<C::Place>::of(seq), net, *position)
    };
    let place = match reader.place(position) {
        Some(place) if position != 0 => place,
        _ => find::<C>(net, position),
    };
    reader.meet(position, place)
}

/// The step behind this one.
///
/// # Safety
///
/// As for [`start`].
unsafe extern "C" fn next<C: Contents>(
    seq: *mut bindings::seq_file,
    _token: *mut c_void,
    position: *mut i64,
) -> *mut c_void {
    // SAFETY: as in `start`.
    let (reader, net) = unsafe {
        let net = Net::from_ptr(bindings::rvs_seq_file_net(seq));
        (Reader::<C::Place>::of(seq), net)
    };
    // SAFETY: `seq_file` passes a valid position.
    let (before, position) = unsafe {
        let before = *position;
        *position = before.wrapping_add(1);
        (before, *position)
    };
    let place = match reader.place(before) {
        Some(Some(place)) => C::after(net, place),
        _ => None,
    };
    reader.meet(position, place)
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
/// As for [`start`], right after it or [`next`].
unsafe extern "C" fn show<C: Contents>(
    seq: *mut bindings::seq_file,
    _token: *mut c_void,
) -> kernel::ffi::c_int {
    // SAFETY: as in `start`.
    let (reader, net) = unsafe {
        let net = Net::from_ptr(bindings::rvs_seq_file_net(seq));
        (Reader::<C::Place>::of(seq), net)
    };
    let Some(Some(place)) = reader.place(reader.position) else {
        return 0;
    };
    let mut text = Text {
        seq,
        _seq: PhantomData,
    };
    match C::show(net, place, &mut text) {
        Ok(()) => 0,
        Err(fmt::Error) => EIO.to_errno(),
    }
}
