// SPDX-License-Identifier: GPL-2.0-only

//! What a namespace has from its first service on, and how its configuration
//! changes.

use super::{
    collector::{self, Collector},
    drain::Drainer,
    hooks::BothHooks,
};
use crate::{
    director::Balancer,
    packet::Family,
    service::config::{Config, Refusal, Rejection, Transaction},
    sys::{net::Net, worker::Worker, Arc},
};
use kernel::prelude::*;

/// The jobs of a namespace with services.
pub(super) struct Jobs {
    pub(super) drainer: Worker<Drainer>,
    pub(super) collector: Worker<Collector>,
}

impl Jobs {
    /// Those of `net`, whose [`Netns`](super::Netns) stops them before it goes. Sleeps.
    pub(super) fn new(net: Net<'static>) -> Result<Self> {
        Ok(Self {
            drainer: Worker::new(Drainer::new(net))?,
            collector: Worker::new(Collector::new(net))?,
        })
    }
}

/// What exists from a namespace's first service on.
pub(super) struct Active {
    // In the order of their drops: nothing may find what goes next.
    /// Taken away when the namespace is about to go.
    pub(super) jobs: Option<Jobs>,
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
        if outcome.has_removed {
            self.remember_removed();
        }
        Ok(outcome)
    }

    /// Sees to it that real servers that were removed are forgotten when nobody has wanted them back for long enough.
    pub(super) fn remember_removed(&self) {
        if let Some(jobs) = &self.jobs {
            jobs.collector.ask(collector::LOOK_TICKS);
        }
    }
}

/// What a transaction has done.
pub(super) struct Outcome {
    pub(super) has_removed: bool,
    pub(super) has_changed: bool,
}
