// SPDX-License-Identifier: GPL-2.0-only

//! RCU by epochs: a reader writes down the epoch in which it began, and a grace period is over when
//! every reader has begun in a later one.

use super::{
    cpu,
    std::{
        cell::Cell,
        sync::{
            atomic::{fence, AtomicU64, Ordering},
            Arc, Mutex, PoisonError,
        },
        thread, thread_local,
        vec::Vec,
    },
};
use core::marker::PhantomData;

/// The present epoch; 0 means "not reading".
static EPOCH: AtomicU64 = AtomicU64::new(1);
static READERS: Mutex<Vec<Arc<AtomicU64>>> = Mutex::new(Vec::new());

/// A thread's place among the readers.
struct Reader {
    since: Arc<AtomicU64>,
    nesting: Cell<u32>,
}

impl Reader {
    fn enrol() -> Self {
        let since = Arc::new(AtomicU64::new(0));
        let mut readers = READERS.lock().unwrap_or_else(PoisonError::into_inner);
        readers.retain(|reader| Arc::strong_count(reader) > 1);
        readers.push(since.clone());
        Self {
            since,
            nesting: Cell::new(0),
        }
    }
}

thread_local! {
    static READER: Reader = Reader::enrol();
    static WAITS: Cell<u32> = const { Cell::new(0) };
}

/// How often this thread has waited for the end of a grace period.
pub fn waits() -> u32 {
    WAITS.get()
}

/// Proof that the RCU read side is held for `'a`.
#[derive(Clone, Copy)]
pub struct Held<'a>(PhantomData<(&'a (), *mut ())>);

impl<'a> Held<'a> {
    /// Borrows the proof from a guard.
    pub fn from(_guard: &'a Guard) -> Self {
        Self(PhantomData)
    }
}

/// Holds the read side.
pub struct Guard(PhantomData<*mut ()>);

/// Takes the read side; nests.
pub fn read_lock() -> Guard {
    READER.with(|reader| {
        if reader.nesting.get() == 0 {
            let epoch = EPOCH.load(Ordering::Acquire);
            reader.since.store(epoch, Ordering::Relaxed);
            // Either who waits for a grace period sees the store above, or we see what it unlinked.
            fence(Ordering::SeqCst);
        }
        reader.nesting.set(reader.nesting.get() + 1);
    });
    Guard(PhantomData)
}

impl Drop for Guard {
    fn drop(&mut self) {
        READER.with(|reader| {
            reader.nesting.set(reader.nesting.get() - 1);
            if reader.nesting.get() == 0 {
                reader.since.store(0, Ordering::Release);
            }
        });
    }
}

/// Whether this thread holds the read side.
pub(super) fn is_reading() -> bool {
    READER.with(|reader| reader.nesting.get() > 0)
}

/// A moment after which everything unlinked before it can be freed.
#[derive(Clone, Copy)]
pub struct GracePeriod(u64);

impl GracePeriod {
    /// Starts a grace period.
    pub fn start() -> Self {
        Self(EPOCH.fetch_add(1, Ordering::AcqRel) + 1)
    }

    /// Whether all readers from before [`GracePeriod::start`] have finished.
    pub fn is_over(self) -> bool {
        fence(Ordering::SeqCst);
        let readers = READERS.lock().unwrap_or_else(PoisonError::into_inner);
        readers.iter().all(|reader| {
            let since = reader.load(Ordering::Acquire);
            since == 0 || since >= self.0
        })
    }

    /// Waits until they have. Sleeps.
    pub fn wait(self) {
        cpu::might_sleep();
        WAITS.set(WAITS.get() + 1);
        while !self.is_over() {
            thread::yield_now();
        }
    }
}
