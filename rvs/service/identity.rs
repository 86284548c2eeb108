// SPDX-License-Identifier: GPL-2.0-only

//! What people call services and real servers: a name and labels. Packets
//! know nothing of them.

use super::naming::{is_name, split_label, LABELS_MAX};
use kernel::prelude::*;

/// Why a name or a label is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unfit {
    /// It does not look like one.
    Malformed,
    /// There is a label of this key already.
    Repeated,
    /// There are as many labels as there can be.
    TooMany,
    /// Memory is out.
    NoMemory,
}

impl From<kernel::alloc::AllocError> for Unfit {
    fn from(_: kernel::alloc::AllocError) -> Self {
        Self::NoMemory
    }
}

/// A name.
pub struct Name(KVec<u8>);

impl Name {
    /// The name that this text is. Sleeps.
    pub fn new(text: &[u8]) -> Result<Self, Unfit> {
        if !is_name(text) {
            return Err(Unfit::Malformed);
        }
        Ok(Self(copy(text)?))
    }

    /// Another copy. Sleeps.
    pub fn try_clone(&self) -> Result<Self> {
        Ok(Self(copy(&self.0)?))
    }

    /// Its text.
    pub fn text(&self) -> &[u8] {
        &self.0
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Eq for Name {}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.text().cmp(other.text())
    }
}

fn copy(text: &[u8]) -> Result<KVec<u8>, kernel::alloc::AllocError> {
    let mut copy = KVec::new();
    copy.extend_from_slice(text, GFP_KERNEL_ACCOUNT)?;
    Ok(copy)
}

/// Labels in the order in which they were given, each followed by a zero.
#[derive(Default)]
pub struct Labels(KVec<u8>);

impl Labels {
    /// Adds a label, `key=value`. Sleeps.
    pub fn add(&mut self, text: &[u8]) -> Result<(), Unfit> {
        let (key, _) = split_label(text).ok_or(Unfit::Malformed)?;
        let mut count = 0usize;
        for present in self.iter() {
            if split_label(present).is_some_and(|(other, _)| other == key) {
                return Err(Unfit::Repeated);
            }
            count = count.wrapping_add(1);
        }
        if count >= LABELS_MAX {
            return Err(Unfit::TooMany);
        }
        self.0
            .reserve(text.len().saturating_add(1), GFP_KERNEL_ACCOUNT)?;
        self.0.extend_from_slice(text, GFP_KERNEL_ACCOUNT)?;
        Ok(self.0.push(0, GFP_KERNEL_ACCOUNT)?)
    }

    /// Each of them, `key=value`.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let texts = self.0.split(|byte| *byte == 0);
        // What stands behind the last zero is none.
        texts.filter(|text| !text.is_empty())
    }

    fn try_clone(&self) -> Result<Self> {
        Ok(Self(copy(&self.0)?))
    }
}

/// The name and the labels of a service or a real server.
#[derive(Default)]
pub struct Identity {
    /// Its name, if it has one.
    pub name: Option<Name>,
    /// Its labels.
    pub labels: Labels,
}

/// What a request says about name and labels.
#[derive(Default)]
pub struct Naming {
    /// The name that it gives, or that there is to be none; `None` keeps the present one.
    pub name: Option<Option<Name>>,
    /// The labels that it gives in place of all present ones; `None` keeps these.
    pub labels: Option<Labels>,
}

impl Naming {
    /// Whether it says nothing.
    pub fn is_silent(&self) -> bool {
        self.name.is_none() && self.labels.is_none()
    }

    /// The identity of what had `present` until now. Sleeps.
    pub fn apply(self, present: &Identity) -> Result<Identity> {
        let name = match (self.name, &present.name) {
            (Some(name), _) => name,
            (None, Some(name)) => Some(name.try_clone()?),
            (None, None) => None,
        };
        let labels = match self.labels {
            Some(labels) => labels,
            None => present.labels.try_clone()?,
        };
        Ok(Identity { name, labels })
    }
}
