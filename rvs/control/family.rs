// SPDX-License-Identifier: GPL-2.0-only

//! The two netlink families: `IPVS`, which every LVS tool speaks, and `RVS`,
//! its superset. Both run the same commands on the same configuration.

use super::{
    attr::Attrs,
    configuration, connections, drain, explain,
    operation::{self, Operation},
    parse::{self, Fault},
    uapi::{cmd, info, top, FAMILY_VERSION, IPVS_VERSION, RVS_VERSION},
    write::{self, Style},
};
use crate::{
    events::{Group, OUTLET},
    netns::Netns,
    proto::TimeoutOutOfRange,
    service::{
        config::{Detail, Refusal},
        ServiceKey,
    },
    stats::Shown,
    sys::genl::{Answers, Command, Kind, Listing, Outlet, Permission, Position, Request},
};
use core::marker::PhantomData;
use kernel::{c_str, prelude::*};

const fn command(number: u8, kind: Kind) -> Command {
    Command { number, kind }
}

/// The commands that both families have.
const COMMON: [Command; 13] = [
    command(cmd::NEW_SERVICE, Kind::Do),
    command(cmd::SET_SERVICE, Kind::Do),
    command(cmd::DEL_SERVICE, Kind::Do),
    command(cmd::GET_SERVICE, Kind::Both),
    command(cmd::NEW_DEST, Kind::Do),
    command(cmd::SET_DEST, Kind::Do),
    command(cmd::DEL_DEST, Kind::Do),
    command(cmd::GET_DEST, Kind::Dump),
    command(cmd::SET_CONFIG, Kind::Do),
    command(cmd::GET_CONFIG, Kind::Do),
    command(cmd::GET_INFO, Kind::Do),
    command(cmd::ZERO, Kind::Do),
    command(cmd::FLUSH, Kind::Do),
];

/// What differs between the families.
pub trait Dialect: 'static {
    /// The family's name.
    const NAME: &'static CStr;
    /// Who may use it.
    const PERMISSION: Permission;
    /// Its commands.
    const COMMANDS: &'static [Command];
    /// How it writes.
    const STYLE: Style;
    /// Its multicast groups.
    const GROUPS: &'static [&'static CStr];
    /// Whether asking for the real servers of an unknown service is an error.
    const REFUSES_UNKNOWN: bool;
    /// The version that it reports: major, minor and patch in a byte each.
    const REPORTED_VERSION: u32;

    /// Where it tells of events, if it does.
    fn outlet() -> Option<&'static Outlet> {
        None
    }
}

/// The family of IPVS, to the letter (reference §8).
pub struct Ipvs;

impl Dialect for Ipvs {
    const NAME: &'static CStr = c_str!("IPVS");
    const PERMISSION: Permission = Permission::InitialAdmin;
    const COMMANDS: &'static [Command] = &IPVS_COMMANDS;
    const STYLE: Style = write::COMPATIBLE;
    const GROUPS: &'static [&'static CStr] = &[];
    const REFUSES_UNKNOWN: bool = false;
    const REPORTED_VERSION: u32 = IPVS_VERSION;
}

const IPVS_COMMANDS: [Command; 16] = with([
    command(cmd::NEW_DAEMON, Kind::Do),
    command(cmd::DEL_DAEMON, Kind::Do),
    command(cmd::GET_DAEMON, Kind::Dump),
]);

const fn with<const MORE: usize, const ALL: usize>(more: [Command; MORE]) -> [Command; ALL] {
    let mut all = [COMMON[0]; ALL];
    let mut i = 0;
    while i < ALL {
        all[i] = if i < COMMON.len() {
            COMMON[i]
        } else {
            more[i - COMMON.len()]
        };
        i += 1;
    }
    all
}

/// The native family, as `docs/netlink/rvs.yaml` describes it.
pub struct Rvs;

impl Dialect for Rvs {
    const NAME: &'static CStr = c_str!("RVS");
    const PERMISSION: Permission = Permission::NamespaceAdmin;
    const COMMANDS: &'static [Command] = &RVS_COMMANDS;
    const STYLE: Style = write::NATIVE;
    const GROUPS: &'static [&'static CStr] = Group::NAMES;
    const REFUSES_UNKNOWN: bool = true;
    const REPORTED_VERSION: u32 = RVS_VERSION;

    fn outlet() -> Option<&'static Outlet> {
        Some(&OUTLET)
    }
}

const RVS_COMMANDS: [Command; 20] = with([
    command(cmd::GET_CONNECTION, Kind::Dump),
    command(cmd::GET_TOTALS, Kind::Do),
    command(cmd::COUNT_CONNECTIONS, Kind::Do),
    command(cmd::KILL_CONNECTIONS, Kind::Do),
    command(cmd::DRAIN_DEST, Kind::Do),
    command(cmd::GET_EXPLANATION, Kind::Do),
    command(cmd::APPLY, Kind::Do),
]);

/// Answers the commands of a family in its dialect.
pub struct Dispatcher<D>(PhantomData<D>);

impl<D: Dialect> Answers for Dispatcher<D> {
    const NAME: &'static CStr = D::NAME;
    const VERSION: u32 = FAMILY_VERSION as u32;
    const PERMISSION: Permission = D::PERMISSION;
    const COMMANDS: &'static [Command] = D::COMMANDS;
    const GROUPS: &'static [&'static CStr] = D::GROUPS;

    fn outlet() -> Option<&'static Outlet> {
        D::outlet()
    }

    fn run(request: &Request<'_>) -> Result {
        let netns = Netns::visit(request.net)?;
        explained(request, run::<D>(&netns, request))
    }

    fn list(request: &Request<'_>, position: &mut Position, listing: &mut Listing<'_>) -> Result {
        let netns = Netns::visit(request.net)?;
        match request.command {
            cmd::GET_SERVICE => {
                let detail = detail::<D>(request);
                list_services::<D>(&netns, detail, position, listing);
                Ok(())
            }
            cmd::GET_DEST if D::STYLE.is_native && !names_service(request) => {
                let detail = detail::<D>(request);
                configuration::list(&netns, D::STYLE, detail, position, listing);
                Ok(())
            }
            cmd::GET_DEST => {
                let listed = list_servers::<D>(&netns, request, position, listing);
                if D::REFUSES_UNKNOWN {
                    explained(request, listed)
                } else {
                    Ok(())
                }
            }
            cmd::GET_CONNECTION => {
                let listed = connections::list(&netns, request, D::STYLE, position, listing);
                explained(request, listed)
            }
            // No synchronisation daemon runs, so there is none to list.
            cmd::GET_DAEMON => Ok(()),
            _ => Err(EOPNOTSUPP),
        }
    }
}

/// What came of a request.
pub type Outcome<'a> = core::result::Result<(), Fault<'a>>;

fn explained(request: &Request<'_>, outcome: Outcome<'_>) -> Result {
    outcome.map_err(|fault| {
        request.explain(fault.message, fault.attribute);
        fault.errno
    })
}

impl From<Refusal> for Fault<'_> {
    fn from(refusal: Refusal) -> Self {
        let (errno, message) = match refusal {
            Refusal::ServiceExists => (EEXIST, c_str!("the service exists already")),
            Refusal::NoSuchService => (ESRCH, c_str!("there is no such service")),
            Refusal::ServerExists => (EEXIST, c_str!("the service has this real server already")),
            Refusal::NoSuchServer => (ENOENT, c_str!("the service has no such real server")),
            Refusal::NotAHostAddress => (
                EINVAL,
                c_str!("the real server's address is neither a unicast nor a local one"),
            ),
            Refusal::NameTaken => (ENOTUNIQ, c_str!("another service has this name")),
            Refusal::ServerNameTaken => (
                ENOTUNIQ,
                c_str!("another real server of the service has this name"),
            ),
            Refusal::Outdated => (
                ESTALE,
                c_str!("the configuration has changed since its generation was read"),
            ),
            Refusal::NotDraining => (EALREADY, c_str!("the real server is not being drained")),
            Refusal::Kernel(errno) if errno == ENOMEM => (errno, c_str!("memory is out")),
            Refusal::Kernel(errno) => (errno, c_str!("the kernel refused to register the hooks")),
        };
        Self::new(errno, message)
    }
}

impl From<Error> for Fault<'_> {
    fn from(errno: Error) -> Self {
        Self::new(errno, c_str!("the answer could not be sent"))
    }
}

fn run<'a, D: Dialect>(netns: &Netns, request: &Request<'a>) -> Outcome<'a> {
    let attrs = parse::attributes(request.attributes)?;
    match request.command {
        cmd::NEW_SERVICE
        | cmd::SET_SERVICE
        | cmd::DEL_SERVICE
        | cmd::NEW_DEST
        | cmd::SET_DEST
        | cmd::DEL_DEST => {
            let is_known = |key| netns.read_config(|config| config.has_service(key));
            let is_known = |key| is_known(key).unwrap_or(false);
            Operation::parse(request.command, attrs, D::STYLE.is_native, is_known)?.run(netns)?;
        }
        cmd::GET_SERVICE => get_service::<D>(netns, request, attrs)?,
        cmd::APPLY => operation::apply(netns, attrs)?,
        cmd::SET_CONFIG => set_timeouts(netns, attrs)?,
        cmd::GET_CONFIG => get_timeouts(netns, request)?,
        cmd::GET_INFO => get_info::<D>(netns, request)?,
        cmd::ZERO => {
            let key = if parse::names_service(attrs) {
                Some(service_key(attrs)?)
            } else {
                None
            };
            netns.zero(key)?;
        }
        cmd::FLUSH => netns.flush(),
        cmd::GET_TOTALS => get_totals::<D>(netns, request)?,
        cmd::COUNT_CONNECTIONS => connections::count(netns, request)?,
        cmd::KILL_CONNECTIONS => connections::kill(netns, request)?,
        cmd::DRAIN_DEST => drain::run(netns, request)?,
        cmd::GET_EXPLANATION => explain::run(netns, request, D::STYLE)?,
        cmd::NEW_DAEMON => {
            parse::daemon(attrs, true)?;
            let message = c_str!("state synchronisation is not supported yet");
            return Err(Fault::new(EOPNOTSUPP, message));
        }
        cmd::DEL_DAEMON => {
            parse::daemon(attrs, false)?;
            let message = c_str!("no such synchronisation daemon runs");
            return Err(Fault::new(ESRCH, message));
        }
        _ => return Err(Fault::new(EOPNOTSUPP, c_str!("there is no such command"))),
    }
    Ok(())
}

/// The key of the service that a request is about.
pub fn service_key(attrs: Attrs<'_>) -> core::result::Result<ServiceKey, Fault<'_>> {
    parse::service_key(parse::service(attrs)?)
}

fn get_service<'a, D: Dialect>(
    netns: &Netns,
    request: &Request<'a>,
    attrs: Attrs<'a>,
) -> Outcome<'a> {
    let service = parse::service(attrs)?;
    let name = match D::STYLE.is_native {
        true => parse::service_name(service)?,
        false => None,
    };
    let key = match name {
        Some(_) => None,
        None => Some(parse::service_key(service)?),
    };
    let shown = netns.read_config(|config| {
        let key = match (key, &name) {
            (Some(key), _) => Ok(key),
            (None, Some(name)) => config.named(name),
            (None, None) => Err(Refusal::NoSuchService),
        };
        let view = config.service(key?)?;
        request.reply(cmd::NEW_SERVICE, |message| {
            write::service(message, D::STYLE, &view)
        })?;
        Ok(())
    });
    shown.unwrap_or(Err(Refusal::NoSuchService.into()))
}

fn set_timeouts<'a>(netns: &Netns, attrs: Attrs<'a>) -> Outcome<'a> {
    let [tcp, tcp_fin, udp] = parse::timeouts(attrs)?;
    netns
        .set_timeouts(tcp, tcp_fin, udp)
        .map_err(|out_of_range| {
            let message = match out_of_range {
                TimeoutOutOfRange::Tcp => c_str!("the TCP timeout is out of range"),
                TimeoutOutOfRange::TcpFin => c_str!("the TCP FIN timeout is out of range"),
                TimeoutOutOfRange::Udp => c_str!("the UDP timeout is out of range"),
            };
            Fault::new(EINVAL, message)
        })
}

fn get_timeouts<'a>(netns: &Netns, request: &Request<'a>) -> Outcome<'a> {
    let timeouts = netns.timeouts();
    request.reply(cmd::SET_CONFIG, |message| {
        write::timeouts(message, &timeouts)
    })?;
    Ok(())
}

fn get_info<'a, D: Dialect>(netns: &Netns, request: &Request<'a>) -> Outcome<'a> {
    let size = netns
        .balancer()
        .map_or(0, |balancer| balancer.connections4.table().size());
    let generation = netns.generation();
    request.reply(cmd::SET_INFO, |message| {
        write::u32_attr(message, info::VERSION, D::REPORTED_VERSION)?;
        write::u32_attr(message, info::CONN_TAB_SIZE, size)?;
        if D::STYLE.is_native {
            write::u64_attr(message, info::GENERATION, generation)?;
        }
        Ok(())
    })?;
    Ok(())
}

fn get_totals<'a, D: Dialect>(netns: &Netns, request: &Request<'a>) -> Outcome<'a> {
    let shown = netns
        .read_config(|config| config.stats())
        .unwrap_or(Shown::default());
    let balancer = netns.balancer();
    request.reply(cmd::NEW_TOTALS, |message| {
        write::totals(message, D::STYLE, &shown, balancer.as_deref())?;
        write::u64_attr(message, top::EVENTS_LOST, netns.ledger().lost())
    })?;
    Ok(())
}

/// Whether a request is about one service. What cannot be read is taken to be, and refused there.
fn names_service(request: &Request<'_>) -> bool {
    parse::attributes(request.attributes).map_or(true, parse::names_service)
}

/// How much a request wants to have listed. What cannot be read asks for nothing.
fn detail<D: Dialect>(request: &Request<'_>) -> Detail {
    let is_brief = |attrs: Attrs<'_>| attrs.get(top::BRIEF).is_some();
    match parse::attributes(request.attributes) {
        Ok(attrs) if D::STYLE.is_native && is_brief(attrs) => Detail::Brief,
        _ => Detail::Full,
    }
}

/// The first word of a listing's position: where it stands.
const BEGIN: u64 = 0;
const INSIDE: u64 = 1;
const END: u64 = 2;

/// Lists services in the order of their keys; the position is the key that comes next, so changes
/// between two parts neither hide nor repeat a service that stays.
fn list_services<D: Dialect>(
    netns: &Netns,
    detail: Detail,
    position: &mut Position,
    listing: &mut Listing<'_>,
) {
    let [place, a, b, c, _] = position.0;
    let from = match place {
        BEGIN => None,
        INSIDE => Some(ServiceKey::from_words([a, b, c])),
        _ => return,
    };
    let mut next = [END, 0, 0, 0, 0];
    netns.read_config(|config| {
        config.show_services(from, detail, |view| {
            let fits = listing.push(cmd::NEW_SERVICE, |message| {
                write::service(message, D::STYLE, &view)
            });
            if !fits {
                let [a, b, c] = view.key.to_words();
                next = [INSIDE, a, b, c, 0];
            }
            fits
        });
    });
    position.0 = next;
}

/// Lists the real servers of a service; the position is the number of those listed.
fn list_servers<'a, D: Dialect>(
    netns: &Netns,
    request: &Request<'a>,
    position: &mut Position,
    listing: &mut Listing<'_>,
) -> Outcome<'a> {
    let attrs = parse::attributes(request.attributes)?;
    let key = service_key(attrs)?;
    let [place, listed, ..] = position.0;
    if place == END {
        return Ok(());
    }
    let detail = detail::<D>(request);
    let mut now_listed = listed;
    let mut place = END;
    let shown = netns.read_config(|config| {
        config.show_servers(key, listed as usize, detail, |view| {
            let fits = listing.push(cmd::NEW_DEST, |message| {
                write::server(message, D::STYLE, &view)
            });
            if fits {
                now_listed = now_listed.wrapping_add(1);
            } else {
                place = INSIDE;
            }
            fits
        })
    });
    position.0 = [place, now_listed, 0, 0, 0];
    shown.unwrap_or(Err(Refusal::NoSuchService))?;
    Ok(())
}
