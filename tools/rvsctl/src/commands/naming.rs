// SPDX-License-Identifier: GPL-2.0-only
//! What `--name` and `--label` say.

use crate::cli::NamingArgs;
use crate::error::{ExitStatus, Failure};
use crate::model::Labels;
use crate::netlink::Naming;
use crate::parse;

impl NamingArgs {
    /// What is sent; nothing of what is not given.
    pub fn naming(&self) -> Result<Naming, Failure> {
        let mut labels = Labels::new();
        for (key, value) in &self.labels {
            if labels.insert(key.clone(), value.clone()).is_some() {
                return Err(wrong(&format!("there are two labels with the key '{key}'")));
            }
        }
        parse::label_count(&labels).map_err(|reason| wrong(&reason))?;
        let has_labels = self.no_labels || !labels.is_empty();
        Ok(Naming {
            name: self.name.clone(),
            labels: has_labels.then_some(labels),
        })
    }
}

fn wrong(message: &str) -> Failure {
    Failure::new(ExitStatus::Usage, message)
        .tip("each label has its own key, as in --label tier=front")
}
