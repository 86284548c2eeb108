// SPDX-License-Identifier: GPL-2.0-only

//! Memory that is counted, poisoned when freed, and refused on demand.

use super::std::{
    alloc,
    cell::{Cell, RefCell},
    collections::VecDeque,
    sync::{
        atomic::{AtomicU32, AtomicUsize, Ordering},
        Arc, Mutex, PoisonError,
    },
    thread_local,
};
use core::{alloc::Layout, ptr::NonNull, slice};

/// What has been allocated, and not freed yet, for one purpose.
#[derive(Default, Debug)]
pub struct Ledger {
    objects: AtomicUsize,
    bytes: AtomicUsize,
}

impl Ledger {
    /// An empty ledger.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Objects that are not freed.
    pub fn objects(&self) -> usize {
        self.objects.load(Ordering::Relaxed)
    }

    /// Their bytes.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Counts in this ledger what the thread allocates without naming one.
    pub fn make_current(self: &Arc<Self>) {
        CURRENT.set(self.clone());
    }

    pub(super) fn current() -> Arc<Self> {
        CURRENT.with_borrow(Arc::clone)
    }
}

/// Allocations that a thread gets or not.
#[derive(Clone, Copy)]
enum Supply {
    Ample,
    /// The one after so many fails.
    FailsAfter(u64),
    /// That one has failed, and the rest succeeds.
    HasFailed,
    /// One in so many fails, by a linear congruential generator.
    Scarce {
        one_in: u64,
        state: u64,
    },
}

thread_local! {
    static CURRENT: RefCell<Arc<Ledger>> = RefCell::default();
    static SUPPLY: Cell<Supply> = const { Cell::new(Supply::Ample) };
}

/// Restores ample memory when it is dropped.
#[must_use]
pub struct Shortage(());

impl Shortage {
    /// The next allocation of this thread after `granted` others fails.
    pub fn after(granted: u64) -> Self {
        SUPPLY.set(Supply::FailsAfter(granted));
        Self(())
    }

    /// One in `one_in` allocations of this thread fails, by chance.
    pub fn one_in(one_in: u64, seed: u64) -> Self {
        SUPPLY.set(Supply::Scarce {
            one_in,
            state: seed,
        });
        Self(())
    }

    /// Whether [`Shortage::after`] made an allocation fail.
    pub fn has_struck(&self) -> bool {
        matches!(SUPPLY.get(), Supply::HasFailed)
    }
}

impl Drop for Shortage {
    fn drop(&mut self) {
        SUPPLY.set(Supply::Ample);
    }
}

/// Whether this thread's next allocation succeeds.
pub(super) fn is_granted() -> bool {
    match SUPPLY.get() {
        Supply::Ample | Supply::HasFailed => true,
        Supply::FailsAfter(0) => {
            SUPPLY.set(Supply::HasFailed);
            false
        }
        Supply::FailsAfter(granted) => {
            SUPPLY.set(Supply::FailsAfter(granted - 1));
            true
        }
        Supply::Scarce { one_in, state } => {
            // Knuth's MMIX constants.
            let state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            SUPPLY.set(Supply::Scarce { one_in, state });
            (state >> 33) % one_in != 0
        }
    }
}

const LIVE: u32 = 0x4c49_5645;
const FREED: u32 = 0x4445_4144;
/// Fills freed memory. As an address it is not canonical, as a tagged pointer it has both tags.
const POISON: u8 = 0x6b;
const POISONED: [u8; 4096] = [POISON; 4096];
/// Bytes of freed objects that are kept back, so that who still uses them sees the poison.
const QUARANTINE: usize = 1 << 20;

/// Stands right before each object.
struct Header {
    state: AtomicU32,
    ledger: Arc<Ledger>,
    size: usize,
    whole: Layout,
    /// From the start of the allocation to the object.
    offset: usize,
}

/// A freed object, poisoned.
struct Corpse(NonNull<u8>);

// SAFETY: a freed object belongs to the quarantine alone.
unsafe impl Send for Corpse {}

/// The quarantine, oldest first.
struct Graveyard {
    corpses: VecDeque<Corpse>,
    bytes: usize,
}

static GRAVEYARD: Mutex<Graveyard> = Mutex::new(Graveyard {
    corpses: VecDeque::new(),
    bytes: 0,
});

fn header(object: NonNull<u8>) -> NonNull<Header> {
    // SAFETY: every object stands behind its header.
    unsafe { object.cast::<Header>().sub(1) }
}

/// Memory of this layout, not initialised; `None` if it is refused.
pub(super) fn alloc(layout: Layout, ledger: &Arc<Ledger>) -> Option<NonNull<u8>> {
    if !is_granted() {
        return None;
    }
    let align = layout.align().max(align_of::<Header>());
    let offset = size_of::<Header>().next_multiple_of(align);
    let whole = Layout::from_size_align(offset + layout.size(), align).ok()?;
    // SAFETY: the layout's size is not 0, and the header fits before the object.
    unsafe {
        let object = NonNull::new(alloc::alloc(whole))?.add(offset);
        header(object).write(Header {
            state: AtomicU32::new(LIVE),
            ledger: ledger.clone(),
            size: layout.size(),
            whole,
            offset,
        });
        ledger.objects.fetch_add(1, Ordering::Relaxed);
        ledger.bytes.fetch_add(layout.size(), Ordering::Relaxed);
        Some(object)
    }
}

/// The size of an object.
///
/// # Safety
///
/// It came from [`alloc`].
pub(super) unsafe fn object_size(object: NonNull<u8>) -> usize {
    // SAFETY: by the safety requirement.
    unsafe { header(object).as_ref() }.size
}

/// Frees an object, whose memory is not used again for some time. Panics if it was freed before.
///
/// # Safety
///
/// It came from [`alloc`].
pub(super) unsafe fn free(object: NonNull<u8>) {
    // SAFETY: by the safety requirement; a corpse's header is whole until it leaves the quarantine.
    let header = unsafe { header(object).as_ref() };
    assert_eq!(
        header.state.swap(FREED, Ordering::Relaxed),
        LIVE,
        "freed twice, or never allocated"
    );
    header.ledger.objects.fetch_sub(1, Ordering::Relaxed);
    header
        .ledger
        .bytes
        .fetch_sub(header.size, Ordering::Relaxed);
    // SAFETY: the object has this size.
    unsafe { object.write_bytes(POISON, header.size) };
    let mut graveyard = GRAVEYARD.lock().unwrap_or_else(PoisonError::into_inner);
    graveyard.bytes += header.size;
    graveyard.corpses.push_back(Corpse(object));
    while graveyard.bytes > QUARANTINE {
        let Some(Corpse(oldest)) = graveyard.corpses.pop_front() else {
            break;
        };
        // SAFETY: it just left the quarantine, so it is ours alone.
        graveyard.bytes -= unsafe { release(oldest) };
    }
}

/// Gives an object's memory back. The size that the object had.
///
/// # Safety
///
/// It was freed, and nobody else refers to it.
unsafe fn release(object: NonNull<u8>) -> usize {
    // SAFETY: by the safety requirement.
    unsafe {
        check_poison(object);
        let Header {
            whole,
            offset,
            size,
            ..
        } = header(object).read();
        alloc::dealloc(object.as_ptr().sub(offset), whole);
        size
    }
}

/// # Safety
///
/// The object is in the quarantine or just left it.
unsafe fn check_poison(object: NonNull<u8>) {
    // SAFETY: by the safety requirement.
    let bytes = unsafe { slice::from_raw_parts(object.as_ptr(), header(object).as_ref().size) };
    assert!(
        bytes
            .chunks(POISONED.len())
            .all(|part| part == &POISONED[..part.len()]),
        "written to after it was freed"
    );
}

/// Panics if someone wrote to one of the objects that were freed last.
pub fn check_freed_memory() {
    let graveyard = GRAVEYARD.lock().unwrap_or_else(PoisonError::into_inner);
    for Corpse(object) in &graveyard.corpses {
        // SAFETY: it is in the quarantine, which is locked.
        unsafe { check_poison(*object) };
    }
}
