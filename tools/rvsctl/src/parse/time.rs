// SPDX-License-Identifier: GPL-2.0-only
//! Spans of time.

use std::time::Duration;

/// Longest persistence timeout in seconds, 31 days as with `ipvsadm`.
pub const MAX_PERSISTENCE: u32 = 31 * 24 * 3600;

/// A span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Milliseconds(pub u64);

/// Reads `90s`, `15m`, `2h`, `1d`, `250ms`; a bare number is of seconds.
pub fn duration(text: &str) -> Result<Milliseconds, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = match unit {
        "ms" => 1,
        "" | "s" => 1000,
        "m" | "min" => 60 * 1000,
        "h" => 3600 * 1000,
        "d" => 24 * 3600 * 1000,
        _ => 0,
    };
    match number
        .parse::<u64>()
        .ok()
        .and_then(|it| it.checked_mul(unit))
    {
        Some(milliseconds) if unit != 0 => Ok(Milliseconds(milliseconds)),
        _ => Err("a duration is a number with a unit: 90s, 15m, 2h, 1d".to_string()),
    }
}

/// Longest time that is waited, seconds.
const LONGEST_WAIT: u64 = 366 * 24 * 3600;

/// Reads how long to wait, at least a second: `10s`, `5m`, `1h`.
pub fn waiting_time(text: &str) -> Result<Duration, String> {
    let Milliseconds(milliseconds) = duration(text)?;
    match Duration::from_millis(milliseconds) {
        time if time < Duration::from_secs(1) => Err("a time is at least a second".to_string()),
        time if time.as_secs() > LONGEST_WAIT => Err("a time is at most 366d".to_string()),
        time => Ok(time),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_their_units() {
        for (text, milliseconds) in [
            ("90", 90_000),
            ("90s", 90_000),
            ("250ms", 250),
            ("15m", 900_000),
            ("2h", 7_200_000),
            ("1d", 86_400_000),
            ("0", 0),
        ] {
            assert_eq!(duration(text), Ok(Milliseconds(milliseconds)), "{text}");
        }
        for text in [
            "",
            "s",
            "-1s",
            "1.5h",
            "1w",
            "99999999999999999999",
            "9999999999999999d",
        ] {
            assert!(duration(text).unwrap_err().contains("90s"), "{text}");
        }
    }
}
