// SPDX-License-Identifier: GPL-2.0-only

//! The timing wheel, turned by a simulated clock that is wider than the kernel's.

use proptest::prelude::*;
use rvs_host_tests::conn::wheel::{Place, Wheel, SLOTS, SLOT_TICKS};

/// Ticks beyond which an entry is put ahead only so far.
const HORIZON: u64 = (SLOTS as u64 - 2) * SLOT_TICKS as u64;
const WRAP: u64 = 1 << 32;

/// A clock and entries that wait, each in one slot; the wheel sees the clock's low 32 bits.
struct Clockwork {
    now: u64,
    wheel: Wheel,
    /// Deadline, and when it was put where.
    waiting: Vec<Waiting>,
}

struct Waiting {
    deadline: u64,
    place: Place,
    placed: u64,
}

impl Waiting {
    fn new(now: u64, deadline: u64) -> Self {
        let left = deadline.saturating_sub(now).min(u64::from(u32::MAX)) as u32;
        Self {
            deadline,
            place: Wheel::place(now as u32, left),
            placed: now,
        }
    }

    fn is_beyond_horizon(&self) -> bool {
        self.deadline > self.placed + HORIZON - u64::from(SLOT_TICKS)
    }
}

impl Clockwork {
    fn new(now: u64) -> Self {
        Self {
            now,
            wheel: Wheel::new(now as u32),
            waiting: Vec::new(),
        }
    }

    fn add(&mut self, left: u64) {
        self.waiting.push(Waiting::new(self.now, self.now + left));
    }

    /// Turns the wheel to another moment, and looks at what waits in the slots that are due.
    fn turn(&mut self, now: u64) {
        let passed = now / u64::from(SLOT_TICKS) - self.now / u64::from(SLOT_TICKS);
        self.now = now;
        let slots: Vec<usize> = self.wheel.advance(now as u32).collect();

        let mut visits = [0; SLOTS];
        slots.iter().for_each(|&slot| visits[slot] += 1);
        assert!(visits.iter().all(|&count| count <= 1), "a slot twice");
        assert_eq!(slots.len() as u64, passed.min(SLOTS as u64));

        for entry in std::mem::take(&mut self.waiting) {
            if visits[entry.place.slot] == 0 {
                assert!(
                    now < entry.deadline + u64::from(SLOT_TICKS),
                    "{} ticks late, and not looked at yet",
                    now - entry.deadline
                );
                self.waiting.push(entry);
            } else if now < entry.deadline {
                assert!(entry.is_beyond_horizon(), "{} early", entry.deadline - now);
                self.waiting.push(Waiting::new(now, entry.deadline));
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Add(u64),
    Turn(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let slot = u64::from(SLOT_TICKS);
    prop_oneof![
        prop_oneof![0..3 * slot, 0..HORIZON + 2 * slot, 0..4 * HORIZON].prop_map(Step::Add),
        prop_oneof![
            6 => 0..3 * slot,
            3 => 0..30 * slot,
            // The keeper was held up for longer than a round.
            1 => 0..3 * HORIZON,
        ]
        .prop_map(Step::Turn),
    ]
}

proptest! {
    #[test]
    fn an_entry_is_looked_at_within_a_slot_of_its_deadline(
        before_wrap in 0u64..2 * HORIZON,
        steps in proptest::collection::vec(step(), 1..200),
    ) {
        let mut clockwork = Clockwork::new(3 * WRAP - before_wrap);
        for step in steps {
            match step {
                Step::Add(left) => clockwork.add(left),
                Step::Turn(ticks) => clockwork.turn(clockwork.now + ticks),
            }
        }
        // In the end all of them go.
        while !clockwork.waiting.is_empty() {
            clockwork.turn(clockwork.now + u64::from(SLOT_TICKS) - 1);
        }
    }

    #[test]
    fn a_slot_is_due_at_the_deadline_or_less_than_a_slot_later(
        now: u32, left in 0..HORIZON as u32 - SLOT_TICKS,
    ) {
        let place = Wheel::place(now, left);
        let after_deadline = place.due.wrapping_sub(now.wrapping_add(left));
        // What is due now waits for the next slot.
        prop_assert!(after_deadline < SLOT_TICKS || (left == 0 && after_deadline == SLOT_TICKS));
        prop_assert_eq!(place.slot, (place.due / SLOT_TICKS) as usize % SLOTS);
        prop_assert_eq!(place.due % SLOT_TICKS, 0);
    }

    #[test]
    fn a_slot_is_never_due_now_nor_beyond_the_horizon(now: u32, left: u32) {
        let ahead = Wheel::place(now, left).due.wrapping_sub(now);
        prop_assert!((1..=HORIZON as u32).contains(&ahead));
    }

    #[test]
    fn a_long_pause_visits_every_slot_once_and_the_next_tick_none(
        start: u32, pause in HORIZON as u32 + 2 * SLOT_TICKS..u32::MAX - SLOT_TICKS,
    ) {
        let mut wheel = Wheel::new(start);
        let end = start.wrapping_add(pause);
        let mut slots: Vec<usize> = wheel.advance(end).collect();
        slots.sort_unstable();
        prop_assert_eq!(slots, (0..SLOTS).collect::<Vec<_>>());
        prop_assert_eq!(wheel.advance(end).count(), 0);
    }
}

#[test]
fn the_slots_of_a_pause_come_in_the_order_in_which_they_were_due() {
    let mut wheel = Wheel::new(250 * SLOT_TICKS + 5);
    let slots: Vec<usize> = wheel.advance(259 * SLOT_TICKS).collect();
    assert_eq!(slots, [251, 252, 253, 254, 255, 0, 1, 2, 3]);
}
