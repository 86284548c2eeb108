// SPDX-License-Identifier: GPL-2.0-only

//! A job that runs in process context some time after it was asked for, never
//! twice at once, and surely not any more when its owner is dropped.
//!
//! C header: `include/linux/workqueue.h`

use super::bindings;
use core::pin::Pin;
use kernel::{prelude::*, sync::LockClassKey, types::Opaque};

/// By what the lock checker knows a kind of job: some take locks under which others are waited for.
pub struct JobClass {
    name: &'static CStr,
    key: Pin<&'static LockClassKey>,
}

impl JobClass {
    /// A class of this name.
    pub const fn new(name: &'static CStr, key: Pin<&'static LockClassKey>) -> Self {
        Self { name, key }
    }
}

/// The class of jobs with this name, one for each place at which it stands.
macro_rules! job_class {
    ($name:literal) => {
        $crate::sys::worker::JobClass::new(
            ::kernel::c_str!($name),
            ::kernel::sync::static_lock_class!(),
        )
    };
}
pub(crate) use job_class;

/// What a [`Worker`] does.
pub trait Job: Send + Sync + 'static {
    /// The class of all jobs of this kind.
    fn class() -> JobClass;

    /// Runs once; gives the ticks after which it wants to run again, `None` to wait until it is
    /// asked.
    fn run(&self) -> Option<u32>;
}

#[repr(C)]
struct Inner<J> {
    work: Opaque<bindings::delayed_work>,
    job: J,
}

/// A job and its delayed work item.
///
/// # Invariants
///
/// `inner` is pinned and its work item is initialised with `run::<J>`.
pub struct Worker<J: Job> {
    inner: Pin<KBox<Inner<J>>>,
}

// SAFETY: the work item is used through the kernel's thread-safe functions, the job is `Sync`.
unsafe impl<J: Job> Sync for Worker<J> {}
// SAFETY: as above.
unsafe impl<J: Job> Send for Worker<J> {}

impl<J: Job> Worker<J> {
    /// A worker that has not been asked for anything yet. Sleeps.
    pub fn new(job: J) -> Result<Self> {
        let inner = KBox::pin(
            Inner {
                work: Opaque::zeroed(),
                job,
            },
            GFP_KERNEL_ACCOUNT,
        )?;
        let JobClass { name, key } = J::class();
        // SAFETY: the item does not move from here on (it is pinned) and is not in use yet; name and key are static.
        unsafe {
            bindings::rvs_init_delayed_work(
                inner.work.get(),
                Some(run::<J>),
                name.as_char_ptr(),
                key.as_ptr().cast(),
            );
        }
        Ok(Self { inner })
    }

    /// The job, for those who give it something to do.
    #[inline]
    pub fn job(&self) -> &J {
        &self.inner.job
    }

    /// Asks for a run in `ticks`, unless one is due already. From any context.
    pub fn ask(&self, ticks: u32) {
        // SAFETY: an initialised work item by the type invariants; the queue is the kernel's own.
        unsafe {
            bindings::queue_delayed_work_on(
                bindings::RVS_ANY_CPU,
                bindings::system_dfl_wq,
                self.inner.work.get(),
                ticks as usize,
            );
        }
    }

    /// Asks for a run now, even if one is due later. From any context.
    pub fn hurry(&self) {
        // SAFETY: as in `ask`.
        unsafe {
            bindings::mod_delayed_work_on(
                bindings::RVS_ANY_CPU,
                bindings::system_dfl_wq,
                self.inner.work.get(),
                0,
            );
        }
    }

    /// Waits for a run to end and refuses further ones. Sleeps.
    pub fn stop(&self) {
        // SAFETY: as in `ask`.
        unsafe { bindings::disable_delayed_work_sync(self.inner.work.get()) };
    }
}

impl<J: Job> Drop for Worker<J> {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Runs the job of a work item.
///
/// # Safety
///
/// The workqueue calls it with the work item of a [`Worker`] for `J`.
unsafe extern "C" fn run<J: Job>(work: *mut bindings::work_struct) {
    // SAFETY: the kernel calls this with the `work` field of the `delayed_work` that
    // `Worker::new` initialised; it is the first field of both, and `Worker::drop` waits for us
    // before the memory goes.
    let inner = unsafe { &*work.cast::<Inner<J>>() };
    if let Some(ticks) = inner.job.run() {
        // SAFETY: as in `Worker::ask`.
        unsafe {
            bindings::queue_delayed_work_on(
                bindings::RVS_ANY_CPU,
                bindings::system_dfl_wq,
                inner.work.get(),
                ticks as usize,
            );
        }
    }
}
