// SPDX-License-Identifier: GPL-2.0-only

//! Files below `/proc/sys/net`, a set for each network namespace: numbers and
//! texts that an owner gives and takes. Numbers are parsed and printed by the
//! kernel itself, so that they look and fail as everywhere else there.
//!
//! C header: `include/linux/sysctl.h`

use super::{bindings, net::Net, Arc};
use core::{ffi::c_void, fmt, mem, ptr::NonNull, slice};
use kernel::{
    error::{from_result, to_result},
    prelude::*,
};

/// What a file reads and writes of its owner. A writer may refuse a value; both may sleep, and run
/// at the same time as themselves and each other.
pub enum Access<T> {
    /// A number.
    Int {
        /// Gives the number.
        read: fn(&T) -> i32,
        /// Takes it.
        write: fn(&T, i32) -> Result,
    },
    /// Two numbers, of which the first alone can be written too.
    Pair {
        /// Gives the numbers.
        read: fn(&T) -> [i32; 2],
        /// Takes them.
        write: fn(&T, [i32; 2]) -> Result,
    },
    /// A number of the width of a word, not negative.
    Word {
        /// Gives the number.
        read: fn(&T) -> usize,
        /// Takes it.
        write: fn(&T, usize) -> Result,
    },
    /// A text, as long as one `read` or `write` transfers.
    Text {
        /// Gives the text.
        read: fn(&T, &mut Text<'_>) -> fmt::Result,
        /// Takes it, without its end.
        write: fn(&T, &[u8]) -> Result,
    },
}

/// What the file is in namespaces that belong to other users than the initial ones.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum ForOtherUsers {
    /// Readable by everybody, writable by the administrator of the namespace: as for the initial users.
    Same,
    /// Only readable.
    ReadOnly,
    /// Not there.
    Absent,
}

/// A file: a static of whoever registers it.
pub struct File<T> {
    /// Its name.
    pub name: &'static CStr,
    /// What it reads and writes.
    pub access: Access<T>,
    /// What it is for other users.
    pub for_other_users: ForOtherUsers,
}

impl<T> File<T> {
    fn entry(&'static self, owner: &Arc<T>, is_read_only: bool) -> bindings::ctl_table {
        bindings::ctl_table {
            procname: self.name.as_char_ptr().cast(),
            data: Arc::as_ptr(owner).cast_mut().cast(),
            // A file of length 0 would read as empty; the true length is up to the access.
            maxlen: size_of::<c_int>() as c_int,
            mode: if is_read_only { 0o444 } else { 0o644 },
            proc_handler: Some(handle::<T>),
            extra1: core::ptr::from_ref(self).cast_mut().cast(),
            ..Default::default()
        }
    }
}

/// Files that exist while this does.
///
/// # Invariants
///
/// `header` is that of the registered `_entries`, whose `data` points to `_owner` and whose `extra1`
/// to a `File<T>`.
pub struct Files<T: 'static> {
    header: NonNull<bindings::ctl_table_header>,
    // Dropped after the files are gone.
    _entries: KVec<bindings::ctl_table>,
    _owner: Arc<T>,
}

// SAFETY: the entries are only read, by anybody; the owner is shared by all who use a file.
unsafe impl<T: Send + Sync> Send for Files<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Files<T> {}

impl<T: Send + Sync> Files<T> {
    /// Makes files in the folder `path` below `/proc/sys` as `net` sees it. `ENOMEM` too if a name is
    /// taken. Sleeps.
    pub fn register(
        net: Net<'static>,
        path: &'static CStr,
        files: &'static [File<T>],
        owner: Arc<T>,
    ) -> Result<Self> {
        let is_for_others = !net.is_of_initial_users();
        let mut entries = KVec::with_capacity(files.len(), GFP_KERNEL_ACCOUNT)?;
        for file in files {
            let for_other_users = file.for_other_users;
            if is_for_others && for_other_users == ForOtherUsers::Absent {
                continue;
            }
            let is_read_only = is_for_others && for_other_users == ForOtherUsers::ReadOnly;
            entries
                .push_within_capacity(file.entry(&owner, is_read_only))
                .map_err(|_| ENOMEM)?;
        }
        // SAFETY: the namespace lives longer than the files by `Net<'static>`; the entries do not
        // move, and neither they nor what they point to goes before `drop` has unregistered them.
        let header = unsafe {
            bindings::register_net_sysctl_sz(
                net.as_ptr(),
                path.as_char_ptr().cast(),
                entries.as_ptr(),
                entries.len(),
            )
        };
        // INVARIANT: registered just now, with entries by `File::entry`.
        Ok(Self {
            header: NonNull::new(header).ok_or(ENOMEM)?,
            _entries: entries,
            _owner: owner,
        })
    }
}

impl<T> Drop for Files<T> {
    fn drop(&mut self) {
        // SAFETY: registered by the type invariants; it waits for the handlers that run, and none
        // starts afterwards, even of files that are still open.
        unsafe { bindings::unregister_net_sysctl_table(self.header.as_ptr()) };
    }
}

/// A text that is read, cut where its reader's buffer ends.
pub struct Text<'a> {
    buffer: &'a mut [mem::MaybeUninit<u8>],
    len: usize,
}

impl fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.buffer.get_mut(self.len..).unwrap_or_default();
        for (to, from) in room.iter_mut().zip(text.bytes()) {
            to.write(from);
            self.len = self.len.saturating_add(1);
        }
        Ok(())
    }
}

/// A use of a file, as the kernel hands it on.
struct Use<'a> {
    entry: &'a bindings::ctl_table,
    is_write: bool,
    buffer: *mut c_void,
    len: &'a mut usize,
    position: &'a mut i64,
}

type Handler = unsafe extern "C" fn(
    *const bindings::ctl_table,
    c_int,
    *mut c_void,
    *mut usize,
    *mut i64,
) -> c_int;

impl Use<'_> {
    /// Has the kernel print `values`, or parse into them. Whether something was parsed.
    ///
    /// # Safety
    ///
    /// `handler` is a function of the kernel that reads and writes vectors of `V`.
    unsafe fn numbers<V: Copy + PartialEq, const N: usize>(
        &mut self,
        handler: Handler,
        values: &mut [V; N],
    ) -> Result<bool> {
        let before = *values;
        let is_start = *self.position == 0 && *self.len != 0;
        let entry = bindings::ctl_table {
            procname: self.entry.procname,
            data: values.as_mut_ptr().cast(),
            maxlen: size_of::<[V; N]>() as c_int,
            mode: self.entry.mode,
            ..Default::default()
        };
        // SAFETY: the entry describes `values`; the buffer is the one that the kernel passed with
        // this length and position.
        let result = unsafe {
            handler(
                &entry,
                c_int::from(self.is_write),
                self.buffer,
                self.len,
                self.position,
            )
        };
        to_result(result)?;
        // Success at the start means that there was a number. What is written behind it is ignored,
        // or as `sysctl_writes_strict` has it, taken for the next.
        Ok(self.is_write && (is_start || *values != before))
    }

    fn text<T>(
        &mut self,
        owner: &T,
        read: fn(&T, &mut Text<'_>) -> fmt::Result,
        write: fn(&T, &[u8]) -> Result,
    ) -> Result {
        if *self.position != 0 || *self.len == 0 {
            *self.len = 0;
            return Ok(());
        }
        if self.is_write {
            // SAFETY: the kernel passes a buffer with this many bytes that were written.
            let text = unsafe { slice::from_raw_parts(self.buffer.cast::<u8>(), *self.len) };
            write(owner, text)?;
        } else {
            // SAFETY: the kernel passes a buffer with room for this many bytes, for us alone.
            let buffer = unsafe { slice::from_raw_parts_mut(self.buffer.cast(), *self.len) };
            let mut text = Text { buffer, len: 0 };
            read(owner, &mut text).map_err(|fmt::Error| EIO)?;
            *self.len = text.len;
        }
        *self.position = self.position.saturating_add(*self.len as i64);
        Ok(())
    }

    fn serve<T>(&mut self, owner: &T, access: &Access<T>) -> Result {
        match *access {
            Access::Int { read, write } => {
                let mut value = [read(owner)];
                // SAFETY: it is for vectors of `int`.
                if unsafe { self.numbers(bindings::proc_dointvec, &mut value) }? {
                    let [value] = value;
                    write(owner, value)?;
                }
            }
            Access::Pair { read, write } => {
                let mut values = read(owner);
                // SAFETY: as above.
                if unsafe { self.numbers(bindings::proc_dointvec, &mut values) }? {
                    write(owner, values)?;
                }
            }
            Access::Word { read, write } => {
                let mut value = [read(owner)];
                // SAFETY: it is for vectors of `unsigned long`, which is as wide as `usize`.
                if unsafe { self.numbers(bindings::proc_doulongvec_minmax, &mut value) }? {
                    let [value] = value;
                    write(owner, value)?;
                }
            }
            Access::Text { read, write } => self.text(owner, read, write)?,
        }
        Ok(())
    }
}

/// Serves a read or a write.
///
/// # Safety
///
/// The kernel calls it for an entry of [`Files`] of `T`.
unsafe extern "C" fn handle<T>(
    table: *const bindings::ctl_table,
    is_write: c_int,
    buffer: *mut c_void,
    len: *mut usize,
    position: *mut i64,
) -> c_int {
    from_result(|| {
        // SAFETY: the kernel keeps the entry registered while this runs, and passes a length and a
        // position of its own.
        let (entry, len, position) = unsafe { (&*table, &mut *len, &mut *position) };
        // SAFETY: by the invariants of `Files`, which keeps both until the entry is unregistered.
        let (owner, file) = unsafe { (&*entry.data.cast::<T>(), &*entry.extra1.cast::<File<T>>()) };
        let mut call = Use {
            entry,
            is_write: is_write != 0,
            buffer,
            len,
            position,
        };
        call.serve(owner, &file.access)?;
        Ok(0)
    })
}
