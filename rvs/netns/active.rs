// SPDX-License-Identifier: GPL-2.0-only

//! What a namespace has from its first service on, and how its configuration
//! changes.

use super::hooks::BothHooks;
use crate::{
    director::Balancer,
    packet::Family,
    service::config::{Config, Refusal, Rejection, Transaction},
    sys::{net::Net, Arc},
};

/// What exists from a namespace's first service on.
pub(super) struct Active {
    // In the order of their drops: nothing may find what goes next.
    pub(super) hooks: BothHooks,
    pub(super) config: Config,
    pub(super) balancer: Arc<Balancer>,
}

impl Active {
    /// Carries out the transaction that `fill` makes. Whether it has removed and whether it has changed
    /// something. Sleeps.
    pub(super) fn transact<E: From<Rejection>>(
        &mut self,
        net: Net<'static>,
        fill: impl FnOnce(&mut Transaction<'_>) -> Result<(), E>,
    ) -> Result<Outcome, E> {
        let Self {
            hooks,
            config,
            balancer,
            ..
        } = self;
        let mut transaction = Transaction::new(config);
        fill(&mut transaction)?;
        let outcome = Outcome {
            has_removed: transaction.has_removals(),
            has_changed: !transaction.is_empty(),
        };
        let families = [Family::V4, Family::V6].into_iter();
        let provided = families
            .filter(|family| transaction.needs_hooks(*family))
            .try_for_each(|family| hooks.provide(family, balancer, net));
        let committed = match provided {
            Ok(()) => transaction.commit(),
            Err(error) => {
                drop(transaction);
                Err(Rejection::from(Refusal::from(error)))
            }
        };
        hooks.drop_idle(config);
        committed?;
        Ok(outcome)
    }
}

/// What a transaction has done.
pub(super) struct Outcome {
    pub(super) has_removed: bool,
    pub(super) has_changed: bool,
}
