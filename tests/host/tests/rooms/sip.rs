// SPDX-License-Identifier: GPL-2.0-only

//! SIP: the Call-ID in a message.

use rvs_host_tests::app::sip::{call_id, MAX_CALL_ID};

/// The Call-ID of a request with these header fields.
fn of(fields: &str) -> Option<String> {
    let message = format!("INVITE sip:bob@example.com SIP/2.0\r\n{fields}");
    let found = call_id(message.as_bytes())?;
    Some(String::from_utf8(found.to_vec()).expect("ASCII"))
}

fn id(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn the_call_id_of_a_real_invite_is_found() {
    let message = b"INVITE sip:bob@biloxi.example.com SIP/2.0\r\n\
        Via: SIP/2.0/UDP pc33.atlanta.example.com;branch=z9hG4bK776asdhds\r\n\
        Max-Forwards: 70\r\n\
        To: Bob <sip:bob@biloxi.example.com>\r\n\
        From: Alice <sip:alice@atlanta.example.com>;tag=1928301774\r\n\
        Call-ID: a84b4c76e66710@pc33.atlanta.example.com\r\n\
        CSeq: 314159 INVITE\r\n\
        Contact: <sip:alice@pc33.atlanta.example.com>\r\n\
        Content-Length: 0\r\n\r\n";
    assert_eq!(
        call_id(message),
        Some(&b"a84b4c76e66710@pc33.atlanta.example.com"[..])
    );
}

#[test]
fn the_name_may_be_in_any_case_or_compact() {
    for name in ["Call-ID", "call-id", "CALL-ID", "Call-Id", "i", "I"] {
        assert_eq!(of(&format!("{name}: abc@host\r\n")), id("abc@host"));
    }
}

#[test]
fn white_space_around_the_colon_and_continuation_lines_are_passed_over() {
    for field in [
        "Call-ID:abc@host\r\n",
        "Call-ID  \t:\t abc@host\r\n",
        "Call-ID:\r\n abc@host\r\n",
        "i\r\n\t:\r\n  abc@host\r\n",
        "i:\n abc@host\n",
    ] {
        assert_eq!(of(field), id("abc@host"), "{field:?}");
    }
}

#[test]
fn lines_may_end_with_either_of_cr_and_lf() {
    for end in ["\r\n", "\r", "\n"] {
        let message = format!("OPTIONS sip:a SIP/2.0{end}CSeq: 1{end}i: abc{end}");
        assert_eq!(call_id(message.as_bytes()), Some(&b"abc"[..]), "{end:?}");
    }
}

#[test]
fn other_fields_are_not_mistaken_for_it() {
    for field in [
        "In-Reply-To: abc@host\r\n",
        "Identity: abc\r\n",
        "Call-IDs: abc@host\r\n",
        "Call-I: abc\r\n",
        "X-Call-ID: abc@host\r\n",
        " Call-ID: abc@host\r\n",
        "Call-ID abc@host\r\n",
        "Call-ID\r\nabc@host: x\r\n",
    ] {
        assert_eq!(of(field), None, "{field:?}");
        assert_eq!(of(&format!("{field}i: q@r\r\n")), id("q@r"), "{field:?}");
    }
}

#[test]
fn the_request_line_is_no_field() {
    assert_eq!(call_id(b"Call-ID: abc\r\n"), None);
    assert_eq!(call_id(b"\r\nCall-ID: abc\r\n"), Some(&b"abc"[..]));
}

#[test]
fn every_character_of_a_word_may_be_in_it() {
    let word = "azAZ09-.!%*_+`'~()<>:\\\"/[]?{}";
    let both = format!("{word}@{word}");
    assert_eq!(of(&format!("i: {both}\r\n")), Some(both));
    for other in (0..=u8::MAX).filter(|byte| !word.as_bytes().contains(byte)) {
        let is_of_word = other.is_ascii_alphanumeric() || [b'\r', b'\n', b'@'].contains(&other);
        let message = [b"x\r\ni: a".as_slice(), &[other], b"b\r\n"].concat();
        assert_eq!(call_id(&message).is_some(), is_of_word, "{other:#x}");
    }
}

#[test]
fn a_value_that_is_no_call_id_is_passed_over_for_the_next() {
    for value in ["", "@host", "abc@", ",", "  "] {
        let field = format!("Call-ID: {value}\r\n");
        assert_eq!(of(&field), None, "{field:?}");
        assert_eq!(of(&format!("{field}i: q@r\r\n")), id("q@r"), "{field:?}");
    }
}

#[test]
fn what_does_not_end_with_its_line_is_no_call_id() {
    for field in [
        "Call-ID: abc@host",
        "Call-ID: abc@host \r\n",
        "Call-ID: abc@host@x\r\n",
        "Call-ID: abc host\r\n",
        "Call-ID: abc;x\r\n",
    ] {
        assert_eq!(of(field), None, "{field:?}");
    }
}

#[test]
fn the_longest_call_id_is_taken_and_a_longer_one_refused() {
    assert_eq!(MAX_CALL_ID, 255);
    let longest = "x".repeat(MAX_CALL_ID);
    assert_eq!(of(&format!("i: {longest}\r\n")), id(&longest));
    assert_eq!(of(&format!("i: {longest}x\r\n")), None);
}

#[test]
fn a_message_without_one_has_none() {
    for message in [
        "",
        "\r\n",
        "x",
        "SIP/2.0 200 OK\r\n\r\n",
        "\r\ni",
        "\r\nCall-ID",
    ] {
        assert_eq!(call_id(message.as_bytes()), None, "{message:?}");
    }
}
