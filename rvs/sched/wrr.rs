// SPDX-License-Identifier: GPL-2.0-only

//! Weighted round-robin (`wrr`), the interleaved form of IPVS: laps over the list with a falling threshold,
//! each lap giving a turn to every server whose weight reaches it.
//!
//! With `d` the greatest common divisor of the weights and `M` = greatest weight − (`d` − 1), the
//! thresholds are `M`, `M − d`, … , 1, then `M` again. A server of weight `w` thus gets exactly `w / d` turns in
//! such a cycle, spread over it rather than in a burst: A = 4, B = 2 gives A A B.
//!
//! IPVS walks lap by lap even where nobody reaches the threshold, which takes long when the heavy servers
//! are overloaded. Here such laps are skipped: the next turn that anybody gets is that of the first among
//! the heaviest servers available, in the lap with the highest threshold that its weight reaches.

use super::{extreme, greatest_common_divisor, Candidate, Cursor, Pick, Prepared};

pub(super) fn prepare<C: Candidate>(servers: &[C]) -> Prepared {
    let step = greatest_common_divisor(servers.iter().map(C::weight));
    let greatest = servers.iter().map(C::weight).max().unwrap_or(0);
    Prepared {
        step,
        top: threshold_of(greatest, step),
        ..Prepared::default()
    }
}

/// The highest threshold that a server of this weight reaches.
#[inline]
fn threshold_of(weight: u32, step: u32) -> u32 {
    weight.saturating_sub(step.saturating_sub(1))
}

/// The head of the list, in the first lap by the weights at this moment: servers that come before the first turn
/// find the threshold where it is.
pub(super) fn start(prepared: Prepared) -> Cursor {
    Cursor {
        passed: 0,
        threshold: prepared.top,
    }
}

/// The threshold of the lap that the cursor is in.
#[inline]
fn current_threshold(cursor: Cursor, top: u32) -> u32 {
    match cursor.threshold {
        0 => top,
        threshold => threshold.min(top),
    }
}

#[inline]
pub(super) fn pick<C: Candidate>(
    servers: &[C],
    prepared: Prepared,
    cursor: Cursor,
) -> Option<Pick> {
    let Prepared { step, top, .. } = prepared;
    let picked = |index, threshold| Pick {
        index,
        cursor: Cursor::picked(index, threshold),
    };
    let first = |from: usize, threshold| {
        let rest = servers.get(from..)?;
        let offset = rest
            .iter()
            .position(|server| server.weight() >= threshold && !server.is_overloaded())?;
        Some(picked(from.wrapping_add(offset), threshold))
    };
    let current = current_threshold(cursor, top);
    if current == 0 {
        return None;
    }
    let next = match current.saturating_sub(step) {
        0 => top,
        threshold => threshold,
    };
    first(cursor.passed as usize, current)
        .or_else(|| first(0, next))
        .or_else(|| {
            let (index, weight) = extreme::heaviest(servers, |_| true)?;
            Some(picked(index, threshold_of(weight, step).max(1)))
        })
}

/// Where IPVS stands when it has looked at everybody in vain: begun in the midst of the last lap, it ends there one
/// round later; else it ends behind that lap, where the next cycle begins.
#[cold]
pub(super) fn after_nobody(prepared: Prepared, cursor: Cursor) -> Cursor {
    let Prepared { step, top, .. } = prepared;
    let is_in_last_lap = cursor.passed > 0 && current_threshold(cursor, top) <= step;
    match is_in_last_lap {
        true => cursor,
        false => start(prepared),
    }
}

/// Any change goes back to the head of the list; the threshold stays where it was if it still is one.
pub(super) fn after_change(cursor: Cursor, prepared: Prepared) -> Cursor {
    let Prepared { step, top, .. } = prepared;
    let threshold = match cursor.threshold {
        0 => top,
        threshold if threshold > top => top,
        threshold if step > 1 => {
            // Thresholds are multiples of the step plus 1.
            let laps = threshold.checked_div(step).unwrap_or(0);
            laps.wrapping_mul(step).saturating_add(1)
        }
        threshold => threshold,
    };
    Cursor {
        passed: 0,
        threshold,
    }
}
