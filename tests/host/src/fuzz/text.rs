// SPDX-License-Identifier: GPL-2.0-only

//! Bodies of the fuzz targets that read what applications say.

extern crate std;

use core::net::Ipv4Addr;
use std::vec::Vec;

use super::Input;
use crate::app::ftp::{self, Command, Family, Passive};
use crate::app::sip;

/// Text of tokens, chosen by the bytes below their number, and of all other bytes.
fn text(input: &Input<'_>, tokens: &[&str]) -> Vec<u8> {
    let mut text = Vec::new();
    for byte in input.0 {
        match tokens.get(usize::from(*byte) / 3) {
            Some(token) => text.extend_from_slice(token.as_bytes()),
            None => text.push(*byte),
        }
    }
    text
}

/// What a client or a server says announces a data connection of the right family, in text that is there;
/// put in its place, the text of a virtual service is read as it was meant.
pub fn ftp_text(data: &[u8]) {
    #[rustfmt::skip]
    const TOKENS: [&str; 40] = [
        "227 ", "229 ", "PORT ", "EPRT ", "port", "eprt", "PASV\r\n", "epsv\r\n", "EPSV 1\r\n", "EPSV 2\r\n",
        "EPSV", "EPSV ALL\r\n", "(", ")", "|", "|||", "|1|", "|2|", "10.0.0.1|", "2001:db8::1|",
        "1,2,3,4,5,6", ",", "1", "2", "10", "192", "255", "256", "0", "65535",
        "65536", "40000", "!", " ", "\r", "\r\n", "Entering Passive Mode", ".", ":", "227 x (10,0,0,1,",
    ];
    let mut input = Input(data);
    let family = match input.byte() & 1 {
        0 => Family::V4,
        _ => Family::V6,
    };
    let (addr, port) = (Ipv4Addr::from(input.array::<4>()), input.array());
    let port = u16::from_be_bytes(port).max(1);
    let payload = text(&input, &TOKENS);

    match ftp::command(&payload, family) {
        Some(Command::Passive(passive)) => {
            assert!(passive == Passive::Extended || family == Family::V4);
        }
        Some(Command::Active(client)) => {
            assert_eq!(client.is_ipv4(), family == Family::V4);
            assert_ne!(client.port(), 0);
        }
        None => {}
    }

    let mut buffer = [0; ftp::PLAIN_LEN];
    let plain = ftp::plain_text(&mut buffer, addr, port);
    let mut buffer = [0; ftp::EXTENDED_LEN];
    let extended = ftp::extended_text(&mut buffer, port);
    for (passive, text) in [(Passive::Plain, plain), (Passive::Extended, extended)] {
        let Some(reply) = ftp::reply(&payload, passive, family) else {
            continue;
        };
        assert_ne!(reply.port, 0);
        let mut changed = payload.clone();
        let range = reply.offset..reply.offset + reply.len;
        changed.splice(range, text.iter().copied());
        let virt = ftp::Reply {
            addr: (passive == Passive::Plain).then_some(addr.into()),
            port,
            offset: reply.offset,
            len: text.len(),
        };
        assert_eq!(ftp::reply(&changed, passive, family), Some(virt));
    }
}

/// A Call-ID is one or two words that end a line of the message.
pub fn sip_call_id(data: &[u8]) {
    #[rustfmt::skip]
    const TOKENS: [&str; 20] = [
        "INVITE sip:a SIP/2.0\r\n", "Call-ID", "call-id", "i", "I", ":", " ", "\t", "\r\n", "\n",
        "\r", "@", "abc", "a1-.x", "host.example", "Via: x\r\n", "Call-Id: abc@d\r\n", "i: q\r\n", "in: z", "\r\n ",
    ];
    let message = text(&Input(data), &TOKENS);
    let Some(call_id) = sip::call_id(&message) else {
        return;
    };
    assert!((1..=sip::MAX_CALL_ID).contains(&call_id.len()));
    let at = call_id.as_ptr() as usize - message.as_ptr() as usize;
    let (before, behind) = message.split_at(at);
    assert!(matches!(behind[call_id.len()], b'\r' | b'\n'));
    assert!(call_id.iter().all(u8::is_ascii_graphic));
    assert!(call_id.iter().filter(|byte| **byte == b'@').count() <= 1);
    let name = before.trim_ascii_end().strip_suffix(b":").expect("a colon");
    let name = name.trim_ascii_end().to_ascii_lowercase();
    assert!(name.ends_with(b"call-id") || name.ends_with(b"i"));
}
