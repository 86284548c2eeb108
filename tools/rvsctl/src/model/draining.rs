// SPDX-License-Identifier: GPL-2.0-only
//! Real servers that get no new connections while those they have come to an end.

use std::fmt;

use bitcode::{Decode, Encode};
use serde::{Serialize, Serializer};

/// What becomes of connections that are left at the deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
pub enum Leftovers {
    /// Those of TCP are reset at both ends.
    #[default]
    Reset,
    /// They end without a word.
    Drop,
}

impl Leftovers {
    pub fn from_number(number: u32) -> Self {
        match number {
            1 => Self::Drop,
            _ => Self::Reset,
        }
    }

    pub fn number(self) -> u32 {
        match self {
            Self::Reset => 0,
            Self::Drop => 1,
        }
    }
}

impl fmt::Display for Leftovers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Reset => "reset",
            Self::Drop => "drop",
        })
    }
}

impl Serialize for Leftovers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// How a server is drained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DrainPlan {
    /// Milliseconds until the deadline, if there is one.
    pub timeout: Option<u64>,
    pub leftovers: Leftovers,
    /// Whether the server is removed when nothing is left.
    pub remove: bool,
}

/// How far a server is drained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct Draining {
    /// Those that were not over a moment ago.
    #[serde(rename = "connections_left")]
    pub left: u32,
    /// Milliseconds until the deadline, if there is one.
    pub deadline_milliseconds: Option<u64>,
    /// What becomes of connections then.
    pub leftovers: Leftovers,
    /// Whether the server is removed when nothing is left.
    pub remove: bool,
    pub done: bool,
}

impl Draining {
    /// Seconds until the deadline, rounded up.
    pub fn seconds(&self) -> Option<u64> {
        let milliseconds = self.deadline_milliseconds?;
        Some(milliseconds.div_ceil(1000))
    }
}

/// `draining: 12 connections left, 25 s until they are reset`.
impl fmt::Display for Draining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.done {
            return f.write_str("drained");
        }
        let (plural, verb) = match self.left {
            1 => ("", "it is"),
            _ => ("s", "they are"),
        };
        write!(f, "draining: {} connection{plural} left", self.left)?;
        if let Some(seconds) = self.seconds() {
            let end = match self.leftovers {
                Leftovers::Reset => "reset",
                Leftovers::Drop => "dropped",
            };
            write!(f, ", {seconds} s until {verb} {end}")?;
        }
        if self.remove {
            f.write_str(", then removed")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_a_server_is_drained_is_said_in_a_few_words() {
        let draining = Draining {
            left: 12,
            deadline_milliseconds: Some(24_100),
            leftovers: Leftovers::Reset,
            remove: true,
            done: false,
        };
        for (draining, expected) in [
            (
                draining,
                "draining: 12 connections left, 25 s until they are reset, then removed",
            ),
            (
                Draining {
                    left: 1,
                    leftovers: Leftovers::Drop,
                    remove: false,
                    ..draining
                },
                "draining: 1 connection left, 25 s until it is dropped",
            ),
            (
                Draining {
                    deadline_milliseconds: None,
                    remove: false,
                    ..draining
                },
                "draining: 12 connections left",
            ),
            (
                Draining {
                    done: true,
                    ..draining
                },
                "drained",
            ),
        ] {
            assert_eq!(draining.to_string(), expected);
        }
    }
}
