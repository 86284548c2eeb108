// SPDX-License-Identifier: GPL-2.0-only
//! Reading what people type, with errors that say what would be right: `address`, `naming` and `time`,
//! and here the words of the kernel.

mod address;
mod naming;
mod time;

pub use self::address::{
    address_and_port, address_with_port, client, endpoint, endpoint_or_port, listening_address,
    mask, AddressWithPort, Client, Mask,
};
pub use self::naming::{is_name, label, label_count, label_key, name, name_or_none};
pub use self::time::{duration, waiting_time, Milliseconds, MAX_PERSISTENCE};

/// Longest scheduler name the kernel takes, in bytes.
const SCHEDULER_NAME: usize = 15;

/// Reads the name of a state of connections in the form in which it is listed. Which states there are
/// is the kernel's to say.
pub fn state(text: &str) -> Result<String, String> {
    let name = text.to_ascii_uppercase().replace('-', "_");
    let letters = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if letters && !name.is_empty() {
        Ok(name)
    } else {
        Err("a state is named as in listings, such as ESTABLISHED".to_string())
    }
}

/// Reads a firewall mark, decimal or with `0x` hexadecimal. 0 means "no mark" and names nothing.
pub fn fwmark(text: &str) -> Result<u32, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => text.parse(),
    };
    match parsed {
        Ok(mark) if mark != 0 => Ok(mark),
        _ => Err("a firewall mark is a number from 1 to 4294967295".to_string()),
    }
}

/// Checks the form of a scheduler's name. Which names exist is the kernel's to say.
pub fn scheduler(text: &str) -> Result<String, String> {
    let well_formed = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if well_formed && (1..=SCHEDULER_NAME).contains(&text.len()) {
        Ok(text.to_string())
    } else {
        Err(format!(
            "a scheduler's name has 1 to {SCHEDULER_NAME} letters and digits, such as wlc"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_read_in_either_case_and_refused_by_form() {
        assert_eq!(state("fin-wait").as_deref(), Ok("FIN_WAIT"));
        for text in ["", "fin wait", "état"] {
            assert!(state(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn firewall_marks_are_read_in_both_bases_and_zero_is_refused() {
        assert_eq!(fwmark("7"), Ok(7));
        assert_eq!(fwmark("0x10"), Ok(16));
        for text in ["0", "0x0", "-1", "4294967296", "web", ""] {
            assert!(fwmark(text).is_err(), "{text}");
        }
    }

    #[test]
    fn scheduler_names_the_kernel_could_not_take_are_refused_by_form() {
        assert_eq!(scheduler("wlc").as_deref(), Ok("wlc"));
        for text in ["", "has space", "wlc\0", "sixteen-letters-"] {
            assert!(scheduler(text).is_err(), "{text:?}");
        }
    }
}
