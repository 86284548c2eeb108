// SPDX-License-Identifier: GPL-2.0-only

//! What a request calls services and real servers.

use super::{Fault, Parsed};
use crate::{
    control::{
        attr::{Attr, Attrs},
        uapi::svc,
    },
    service::{
        identity::{Name, Naming, Unfit},
        naming::TEXT_MAX,
    },
};
use kernel::{c_str, prelude::*};

/// What the nest of a service or of a real server says about name and labels; `kinds` are those of the name and
/// of a label. An empty name is none; a single empty label stands for no labels.
pub fn naming(attrs: Attrs<'_>, [name_kind, label_kind]: [u16; 2]) -> Parsed<'_, Naming> {
    let mut naming = Naming::default();
    if let Some(attr) = attrs.get(name_kind) {
        naming.name = Some(name(attr)?);
    }
    for attr in attrs.iter().filter(|attr| attr.kind == label_kind) {
        let labels = naming.labels.get_or_insert_default();
        let text = attr.text(LABEL_MAX).unwrap_or(b"=");
        if !text.is_empty() {
            labels.add(text).map_err(|unfit| unfit_label(unfit, attr))?;
        }
    }
    Ok(naming)
}

/// Most bytes of a label: key, sign, value.
const LABEL_MAX: usize = 2 * TEXT_MAX + 1;

/// The name that an attribute gives; none if it is empty.
fn name(attr: Attr<'_>) -> Parsed<'_, Option<Name>> {
    let text = attr.text(TEXT_MAX).unwrap_or(b"=");
    if text.is_empty() {
        return Ok(None);
    }
    match Name::new(text) {
        Ok(name) => Ok(Some(name)),
        Err(Unfit::NoMemory) => Err(Fault::at(ENOMEM, c_str!("memory is out"), attr)),
        Err(_) => Err(Fault::at(
            EINVAL,
            c_str!("a name is a letter and up to 62 letters, digits, '.', '_' or '-'"),
            attr,
        )),
    }
}

fn unfit_label(unfit: Unfit, attr: Attr<'_>) -> Fault<'_> {
    let (errno, message) = match unfit {
        Unfit::Malformed => (
            EINVAL,
            c_str!("a label is key=value: a letter and up to 62 letters, digits, '.', '_', '-' or '/'; then up to 63 of these, ':', '@' or '+'"),
        ),
        Unfit::Repeated => (EINVAL, c_str!("there are two labels with this key")),
        Unfit::TooMany => (E2BIG, c_str!("there are more than 16 labels")),
        Unfit::NoMemory => (ENOMEM, c_str!("memory is out")),
    };
    Fault::at(errno, message, attr)
}

/// The name by which a request is about a service, if it has no key.
pub fn service_name(service: Attrs<'_>) -> Parsed<'_, Option<Name>> {
    match service.get(svc::NAME) {
        Some(attr) if service.get(svc::AF).is_none() => name(attr),
        _ => Ok(None),
    }
}
