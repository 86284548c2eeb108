// SPDX-License-Identifier: GPL-2.0-only

//! Where configured real servers are met by packets that belong to no
//! connection: what masqueraded ones send from, where tunnels end. Found by
//! the packet path without waiting, kept by the configuration.

use super::{Encapsulation, Method, ServerSettings, ServiceKey};
use crate::{
    conn::hash::HashKey,
    packet::{quote::Carrier, Address, Endpoint, Family},
    sys::{
        flow_table::{Entry, Fate, FlowTable, Hashes, Keeper, Lent, Memory, NotInserted},
        random,
        rcu::{self, Held},
        Arc,
    },
};
use core::net::IpAddr;
use kernel::{
    prelude::*,
    rbtree::{RBTree, RBTreeNode},
};

/// Where a real server is met.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Place {
    /// A masqueraded one sends its answers from here.
    Answers {
        /// IP protocol number; `None` for whatever its service, one by mark, is about.
        protocol: Option<u8>,
        /// Its address and port.
        endpoint: Endpoint<IpAddr>,
    },
    /// The tunnel to one ends here.
    TunnelEnd {
        /// Its address.
        addr: IpAddr,
        /// What its packets travel by.
        carrier: Carrier,
    },
}

impl Place {
    /// That of a real server of a service, if it has one.
    pub fn of(
        service: ServiceKey,
        endpoint: Endpoint<IpAddr>,
        settings: ServerSettings,
    ) -> Option<Self> {
        match settings.method {
            Method::Masquerading => Some(Self::Answers {
                protocol: match service {
                    ServiceKey::Address { protocol, .. } => Some(protocol),
                    ServiceKey::Mark { .. } => None,
                },
                endpoint,
            }),
            Method::Tunneling => Some(Self::TunnelEnd {
                addr: endpoint.addr,
                carrier: match settings.tunnel.encapsulation() {
                    Encapsulation::Ipip => Carrier::Ip,
                    Encapsulation::Gue { port, .. } => Carrier::Gue(port),
                    Encapsulation::Gre { .. } => Carrier::Gre,
                },
            }),
            Method::LocalNode | Method::DirectRouting | Method::Bypass => None,
        }
    }

    /// What is hashed: the address, and the rest.
    fn words(self) -> [u64; 3] {
        let (addr, rest) = match self {
            Self::Answers { protocol, endpoint } => {
                let protocol = u64::from(protocol.unwrap_or(0));
                (endpoint.addr, u64::from(endpoint.port) | (protocol << 16))
            }
            Self::TunnelEnd { addr, carrier } => {
                let carrier = match carrier {
                    Carrier::Ip => 0,
                    Carrier::Gue(port) => (1 << 16) | u64::from(port),
                    Carrier::Gre => 2 << 16,
                };
                (addr, carrier | (1 << 32))
            }
        };
        let [low, high] = match addr {
            IpAddr::V4(addr) => addr.words(),
            IpAddr::V6(addr) => addr.words(),
        };
        [low, high, rest]
    }
}

/// A place in the table that packets look into.
pub struct PlaceEntry(Place);

impl Entry for PlaceEntry {
    type Owner = ();
}

/// The places of a namespace's real servers, as packets find them.
pub struct Places {
    table: Arc<FlowTable<PlaceEntry>>,
    secret: HashKey,
}

impl Places {
    /// Whether a masqueraded real server sends answers from there.
    pub fn answers_from(&self, protocol: u8, endpoint: Endpoint<IpAddr>, rcu: Held<'_>) -> bool {
        let of = |protocol| Place::Answers { protocol, endpoint };
        self.find(of(Some(protocol)), rcu).is_some() || self.find(of(None), rcu).is_some()
    }

    /// Whether the tunnel to a real server ends there.
    pub fn is_tunnel_end(&self, addr: IpAddr, carrier: Carrier, rcu: Held<'_>) -> bool {
        self.find(Place::TunnelEnd { addr, carrier }, rcu).is_some()
    }

    fn find<'a>(&'a self, place: Place, rcu: Held<'a>) -> Option<Lent<'a, PlaceEntry>> {
        self.table
            .lookup(
                self.hash(place),
                |entry, _| (entry.0 == place).then_some(()),
                rcu,
            )
            .map(|(entry, ())| entry)
    }

    fn hash(&self, place: Place) -> u64 {
        self.secret.hash(place.words())
    }
}

/// The configuration's side: how many real servers are met at each place. Several services can have
/// the same one.
pub struct PlaceBook {
    counts: RBTree<Place, u32>,
    /// Ends of tunnels among them, of IPv4 and IPv6.
    ends4: u32,
    ends6: u32,
    keeper: Keeper<PlaceEntry>,
    published: Arc<Places>,
}

impl PlaceBook {
    /// An empty one. Sleeps.
    pub fn new(memory: Arc<Memory<PlaceEntry>>) -> Result<Self> {
        let (table, keeper) = Keeper::with_table(memory, 1, ()).ok_or(ENOMEM)?;
        let published = Places {
            table,
            secret: HashKey::new(random::key()),
        };
        Ok(Self {
            counts: RBTree::new(),
            ends4: 0,
            ends6: 0,
            keeper,
            published: Arc::new(published, GFP_KERNEL_ACCOUNT)?,
        })
    }

    /// What packets look into.
    pub fn published(&self) -> Arc<Places> {
        self.published.clone()
    }

    /// Whether tunnels end at addresses of a family.
    pub fn has_tunnel_ends(&self, family: Family) -> bool {
        match family {
            Family::V4 => self.ends4 != 0,
            Family::V6 => self.ends6 != 0,
        }
    }

    /// The number of tunnel ends of the same family, if the place is one.
    fn ends_like(&mut self, place: Place) -> Option<&mut u32> {
        match place {
            Place::Answers { .. } => None,
            Place::TunnelEnd { addr, .. } => Some(match Family::of(addr) {
                Family::V4 => &mut self.ends4,
                Family::V6 => &mut self.ends6,
            }),
        }
    }

    /// Notes that a real server more is met at a place. Sleeps.
    pub fn enter(&mut self, place: Option<Place>) -> Result {
        let Some(place) = place else {
            return Ok(());
        };
        if let Some(count) = self.counts.get_mut(&place) {
            *count = count.saturating_add(1);
            return Ok(());
        }
        let node = RBTreeNode::new(place, 1, GFP_KERNEL_ACCOUNT)?;
        self.publish(place)?;
        self.counts.insert(node);
        if let Some(ends) = self.ends_like(place) {
            *ends = ends.saturating_add(1);
        }
        self.tidy();
        Ok(())
    }

    fn publish(&self, place: Place) -> Result {
        let guard = rcu::read_lock();
        let hashes = Hashes {
            forward: self.published.hash(place),
            reverse: None,
        };
        let is_same = |one: &PlaceEntry, other: &PlaceEntry, _| one.0 == other.0;
        let table = &self.published.table;
        match table.insert(PlaceEntry(place), hashes, is_same, Held::from(&guard)) {
            Ok(inserted) => {
                table.post(inserted.custody);
                Ok(())
            }
            Err(NotInserted::Exists(_)) => Err(EEXIST),
            Err(NotInserted::NoMemory) => Err(ENOMEM),
        }
    }

    /// Notes that a real server less is met at a place. Sleeps.
    pub fn strike(&mut self, place: Option<Place>) {
        let Some(place) = place else {
            return;
        };
        match self.counts.get_mut(&place) {
            Some(count) if *count > 1 => *count = count.saturating_sub(1),
            Some(_) => {
                self.counts.remove(&place);
                if let Some(ends) = self.ends_like(place) {
                    *ends = ends.saturating_sub(1);
                }
                let guard = rcu::read_lock();
                if let Some(entry) = self.published.find(place, Held::from(&guard)) {
                    self.keeper.remove(entry);
                }
            }
            None => {}
        }
    }

    /// Takes in what was published, and frees what was removed some time ago. Sleeps.
    pub fn tidy(&mut self) {
        self.keeper.collect(|_, _| Fate::List(0));
        self.keeper.resize(u32::MAX);
    }
}
