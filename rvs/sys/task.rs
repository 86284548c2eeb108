// SPDX-License-Identifier: GPL-2.0-only

//! The process on whose behalf the kernel runs now.
//!
//! C header: `include/linux/sched.h`

use super::bindings;

/// Bytes of a program's name, with the zeros that fill it up.
const NAME_LEN: usize = bindings::TASK_COMM_LEN as usize;

/// A process: what it is called, and its number.
#[derive(Clone, Copy, Debug)]
pub struct Process {
    /// Its number, as it knows it itself.
    pub id: u32,
    name: [u8; NAME_LEN],
}

impl Process {
    /// The one that made the present system call. Means nothing in an interrupt.
    pub fn current() -> Self {
        let mut name = [0; NAME_LEN];
        // SAFETY: `name` has the length that the function fills.
        unsafe { bindings::rvs_current_program(name.as_mut_ptr().cast()) };
        Self {
            // SAFETY: an FFI call without preconditions.
            id: unsafe { bindings::rvs_current_process() },
            name,
        }
    }

    /// The name of its program, which need not be UTF-8, up to and with the zero that ends it.
    pub fn program(&self) -> &[u8] {
        let end = self.name.iter().position(|byte| *byte == 0);
        let len = end.map_or(NAME_LEN, |end| end.wrapping_add(1));
        self.name.get(..len).unwrap_or(&self.name)
    }
}
