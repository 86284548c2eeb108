// SPDX-License-Identifier: GPL-2.0-only
//! What `--name` and `--label` say.

use crate::cli::{NamingArgs, NewNamingArgs};
use crate::error::{ExitStatus, Failure};
use crate::model::Labels;
use crate::netlink::Naming;
use crate::parse;

impl NewNamingArgs {
    /// What is sent; nothing of what is not given.
    pub fn naming(&self) -> Result<Naming, Failure> {
        let labels = labels(&self.labels)?;
        Ok(Naming {
            name: self.name.clone(),
            labels: (!labels.is_empty()).then_some(labels),
        })
    }
}

impl NamingArgs {
    /// What is sent; nothing of what is not given.
    pub fn naming(&self) -> Result<Naming, Failure> {
        let labels = labels(&self.labels)?;
        let has_labels = self.no_labels || !labels.is_empty();
        Ok(Naming {
            name: self.name.clone(),
            labels: has_labels.then_some(labels),
        })
    }
}

fn labels(given: &[(String, String)]) -> Result<Labels, Failure> {
    let mut labels = Labels::new();
    for (key, value) in given {
        if labels.insert(key.clone(), value.clone()).is_some() {
            return Err(wrong(&format!("there are two labels with the key '{key}'")));
        }
    }
    parse::label_count(&labels).map_err(|reason| wrong(&reason))?;
    Ok(labels)
}

fn wrong(message: &str) -> Failure {
    Failure::new(ExitStatus::Usage, message)
        .tip("each label has its own key, as in --label tier=front")
}
