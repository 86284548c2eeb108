// SPDX-License-Identifier: GPL-2.0-only

//! Defences against floods (reference §7): dropping packets that would create
//! connections, ending connections that look unused, and believing clients of
//! TCP less. When each of them is on, how much it drops, and who looks after
//! that. Where packets ask is not decided here.

pub mod mode;
mod sweep;
pub mod victim;

use crate::{
    director::Balancer,
    events::{self, Event, Subject},
    settings::{DefenseMode, OutOfRange, Settings},
    sys::{
        memory,
        net::Net,
        per_cpu, time,
        worker::{job_class, Job, JobClass, Worker},
        Arc,
    },
};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use kernel::{new_mutex, prelude::*, sync::Mutex};
use mode::Memory;
use sweep::Sweep;

/// What packets ask of the defences of a namespace.
pub struct Defense {
    net: Net<'static>,
    settings: Arc<Settings>,
    /// One of how many packets that would create a connection is dropped; 0 for none.
    drop_rate: AtomicU32,
    /// Packets that would have created a connection while some were dropped.
    opening: per_cpu::Counters<1>,
    /// Connections that were ended.
    ended: AtomicU64,
    /// Whoever changes modes or the rate.
    changes: Pin<KBox<Mutex<()>>>,
}

impl Defense {
    fn new(net: Net<'static>, settings: Arc<Settings>) -> Result<Self> {
        Ok(Self {
            net,
            settings,
            drop_rate: AtomicU32::new(0),
            opening: per_cpu::Counters::new()?,
            ended: AtomicU64::new(0),
            changes: KBox::pin_init(new_mutex!(()), GFP_KERNEL_ACCOUNT)?,
        })
    }

    /// Whether a packet that would create a connection is dropped instead. Each CPU counts its own.
    #[inline]
    pub fn drops_packet(&self) -> bool {
        let rate = self.drop_rate.load(Ordering::Relaxed);
        rate != 0 && self.opening.bump(0).checked_rem(u64::from(rate)) == Some(0)
    }

    /// Whether TCP follows the states for times of defence.
    #[inline]
    pub fn is_tcp_wary(&self) -> bool {
        mode::is_on(self.settings.secure_tcp.get())
    }

    /// One of how many packets that would create a connection is dropped; 0 for none.
    pub fn drop_rate(&self) -> u32 {
        self.drop_rate.load(Ordering::Relaxed)
    }

    /// How many connections were ended.
    pub fn ended(&self) -> u64 {
        self.ended.load(Ordering::Relaxed)
    }

    fn modes(&self) -> [(&'static str, &DefenseMode); 3] {
        let settings = &self.settings;
        [
            ("drop_entry", &settings.drop_entry),
            ("drop_packet", &settings.drop_packet),
            ("secure_tcp", &settings.secure_tcp),
        ]
    }

    /// Tells of the defences that went on or off since they were as `before`.
    fn announce(&self, before: [bool; 3]) {
        for ((name, mode), was_on) in self.modes().into_iter().zip(before) {
            let event = match (was_on, mode::is_on(mode.get())) {
                (false, true) => Event::DefenceOn,
                (true, false) => Event::DefenceOff,
                _ => continue,
            };
            events::emit(self.net, event, Subject::Defence(name));
        }
    }

    fn are_on(&self) -> [bool; 3] {
        self.modes().map(|(_, mode)| mode::is_on(mode.get()))
    }

    /// Has modes and the rate follow memory. Sleeps.
    fn update(&self) -> Result<(), OutOfRange> {
        let _changes = self.changes.lock();
        let before = self.are_on();
        let followed = self.follow();
        self.announce(before);
        followed
    }

    fn follow(&self) -> Result<(), OutOfRange> {
        let memory = Memory {
            available: memory::free_and_buffer_pages(),
            threshold: self.settings.amemthresh.get(),
        };
        for (_, mode) in self.modes() {
            mode.set(mode::next(mode.get(), memory))?;
        }
        let am_droprate = self.settings.am_droprate.get();
        let rate = mode::drop_rate(self.settings.drop_packet.get(), memory, am_droprate);
        self.drop_rate.store(rate, Ordering::Relaxed);
        Ok(())
    }

    /// Changes a mode as somebody wrote it, unless it is that already. Sleeps.
    fn set(&self, mode: &DefenseMode, value: i32) -> Result<(), OutOfRange> {
        let _changes = self.changes.lock();
        if mode.get() == value {
            return Ok(());
        }
        let before = self.are_on();
        mode.set(value)?;
        let followed = self.follow();
        self.announce(before);
        followed
    }
}

/// Looks after the defences of a namespace, once a second while a mode is not 0.
pub struct Guard(Worker<Watch>);

struct Watch {
    defense: Arc<Defense>,
    sweep: Pin<KBox<Mutex<Option<Sweep>>>>,
}

impl Job for Watch {
    fn class() -> JobClass {
        job_class!("rvs_defense")
    }

    fn run(&self) -> Option<u32> {
        // What modes become is within their range.
        let _ = self.defense.update();
        if mode::is_on(self.defense.settings.drop_entry.get()) {
            if let Some(sweep) = &mut *self.sweep.lock() {
                let ended = sweep.run();
                self.defense.ended.fetch_add(ended, Ordering::Relaxed);
            }
        }
        let is_watching = self.defense.modes().iter().any(|(_, mode)| mode.is_on());
        is_watching.then_some(time::HZ)
    }
}

impl Guard {
    /// Defences as the settings have them; nothing is protected yet. Sleeps.
    pub fn new(net: Net<'static>, settings: Arc<Settings>) -> Result<Self> {
        let watch = Watch {
            defense: Arc::new(Defense::new(net, settings)?, GFP_KERNEL_ACCOUNT)?,
            sweep: KBox::pin_init(new_mutex!(None), GFP_KERNEL_ACCOUNT)?,
        };
        Ok(Self(Worker::new(watch)?))
    }

    /// What packets ask.
    pub fn defense(&self) -> &Arc<Defense> {
        &self.0.job().defense
    }

    /// Has the connections of `balancer` ended from now on when there is need. Sleeps.
    pub fn protect(&self, balancer: Arc<Balancer>) {
        *self.0.job().sweep.lock() = Some(Sweep::new(balancer));
    }

    /// Ends the watch, and lets go of what is protected. Sleeps.
    pub fn retire(&self) {
        self.0.stop();
        let sweep = self.0.job().sweep.lock().take();
        drop(sweep);
    }

    /// Changes a mode. Sleeps.
    pub fn set_mode(
        &self,
        mode: impl FnOnce(&Settings) -> &DefenseMode,
        value: i32,
    ) -> Result<(), OutOfRange> {
        let defense = self.defense();
        defense.set(mode(&defense.settings), value)?;
        self.0.ask(time::HZ);
        Ok(())
    }
}
