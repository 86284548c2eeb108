// SPDX-License-Identifier: GPL-2.0-only

//! Round-robin (`rr`): the next available server in list order after the one picked last, at most one
//! full lap. As in IPVS, a new server comes in at the head of the list and is reached in the next lap, and
//! removing the server picked last steps back to the one before it, so that its successor is not skipped.

use super::{Candidate, Change, Cursor, Pick};

#[inline]
pub(super) fn pick<C: Candidate>(servers: &[C], cursor: Cursor) -> Option<Pick> {
    let passed = cursor.passed as usize;
    let first = |from: usize| {
        let rest = servers.get(from..)?;
        let offset = rest.iter().position(C::takes_flows)?;
        Some(from.wrapping_add(offset))
    };
    let index = first(passed).or_else(|| first(0))?;
    Some(Pick {
        index,
        cursor: Cursor::picked(index, 0),
    })
}

pub(super) fn after_change(cursor: Cursor, change: Change) -> Cursor {
    let passed = match change {
        Change::Added if cursor.passed > 0 => cursor.passed.saturating_add(1),
        Change::Removed { index } if index < cursor.passed as usize => {
            cursor.passed.saturating_sub(1)
        }
        _ => cursor.passed,
    };
    Cursor { passed, ..cursor }
}
