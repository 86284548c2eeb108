// SPDX-License-Identifier: GPL-2.0-only
//! Figures for people: shortened to what fits a column.

/// Decimal prefixes from 10^3 on.
const PREFIXES: [&str; 6] = ["K", "M", "G", "T", "P", "E"];

/// Figures up to this many digits are shown as they are.
const WHOLE_DIGITS: u64 = 100_000;

/// At most five digits, or three significant ones and a decimal prefix: `99999`, `100K`, `1.23M`.
/// Digits that do not fit are cut off, so that a figure is never shown larger than it is.
pub fn short(number: u64) -> String {
    if number < WHOLE_DIGITS {
        return number.to_string();
    }
    let mut unit = 1;
    let mut prefix = "";
    for next in PREFIXES {
        if number / unit < 1000 {
            break;
        }
        unit *= 1000;
        prefix = next;
    }
    let whole = number / unit;
    let thousandths = number % unit / (unit / 1000);
    match whole {
        0..=9 => format!("{whole}.{:02}{prefix}", thousandths / 10),
        10..=99 => format!("{whole}.{}{prefix}", thousandths / 100),
        _ => format!("{whole}{prefix}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_shortened_to_three_significant_digits_once_they_have_six() {
        for (number, expected) in [
            (0, "0"),
            (99_999, "99999"),
            (100_000, "100K"),
            (999_999, "999K"),
            (1_000_000, "1.00M"),
            (1_239_999, "1.23M"),
            (12_345_678, "12.3M"),
            (1 << 40, "1.09T"),
            (u64::MAX, "18.4E"),
        ] {
            assert_eq!(short(number), expected);
        }
    }
}
