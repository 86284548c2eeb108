// SPDX-License-Identifier: GPL-2.0-only

//! Bodies of the fuzz targets, one per parser or rewriter: each takes arbitrary bytes and panics if a
//! promise is broken. `cargo test` runs them over random bytes, the package in `fuzz/` under libFuzzer.

extern crate std;

use core::net::Ipv4Addr;
use std::vec::Vec;

use crate::conn::hash::HashKey;
use crate::control::attr::Attrs;
use crate::oracle;
use crate::packet::{
    checksum, ipv4, rewrite, tcp, transport, ChecksumMode, Endpoint, Side, IPPROTO_IPIP,
    IPPROTO_TCP, IPPROTO_UDP,
};
use crate::proto::{self, Direction, Protocol, Timeouts};
use crate::sched::{
    Candidate, Change, Cursor, Flow, Options, Pool, Prepared, Scheduler, Slot, Walk, NOBODY,
};

mod headers;
mod text;

pub use headers::{ipv6_header, sctp_packets, tunnel_headers};
pub use text::{ftp_text, sip_call_id};

/// A fuzz target: its name and its body.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 13] = [
    ("attributes", attributes),
    ("checksum_sum", checksum_sum),
    ("flow_hash", flow_hash),
    ("ftp_text", ftp_text),
    ("icmp_quote", icmp_quote),
    ("ipv4_header", ipv4_header),
    ("ipv6_header", ipv6_header),
    ("scheduler", scheduler),
    ("sctp_packets", sctp_packets),
    ("sip_call_id", sip_call_id),
    ("tcp_segments", tcp_segments),
    ("transport_rewrite", transport_rewrite),
    ("tunnel_headers", tunnel_headers),
];

/// Attributes that are well-formed stand one behind the other, each with header and payload within the
/// bytes that came, at most three bytes of padding apart; `get` finds the last of a kind.
pub fn attributes(bytes: &[u8]) {
    let Ok(attrs) = Attrs::parse(bytes) else {
        return;
    };
    let mut end = 0;
    for attr in attrs.iter() {
        let start = attr.whole.as_ptr() as usize - bytes.as_ptr() as usize;
        assert_eq!(start, usize::next_multiple_of(end, 4));
        assert_eq!(attr.whole.len(), attr.payload.len() + 4);
        end = start + attr.whole.len();
        assert!(end <= bytes.len());
        let last = attrs.get(attr.kind).expect("an attribute of this kind");
        assert!(last.whole.as_ptr() >= attr.whole.as_ptr());
        let _ = (
            attr.u8(),
            attr.u16(),
            attr.be16(),
            attr.u32(),
            attr.padded::<16>(),
        );
        assert!(attr
            .text(15)
            .is_none_or(|text| text.len() <= 15 && !text.contains(&0)));
        if let Ok(nested) = attr.nested() {
            assert!(nested
                .iter()
                .all(|inner| inner.whole.len() <= attr.payload.len()));
        }
    }
    assert!(bytes.len() - end < 4 + 3);
}

/// Bytes from which values are drawn; behind their end there are zeros.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut array = [0; N];
        let len = N.min(self.0.len());
        let (taken, rest) = self.0.split_at(len);
        array[..len].copy_from_slice(taken);
        self.0 = rest;
        array
    }

    fn byte(&mut self) -> u8 {
        let [byte] = self.array();
        byte
    }

    fn endpoint(&mut self) -> Endpoint<Ipv4Addr> {
        Endpoint {
            addr: Ipv4Addr::from(self.array::<4>()),
            port: u16::from_be_bytes(self.array()),
        }
    }

    fn side(&mut self) -> Side {
        match self.byte() & 1 {
            0 => Side::Source,
            _ => Side::Destination,
        }
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Asserts that two equally long byte strings are the same outside some ranges.
fn assert_same_outside(before: &[u8], after: &[u8], ranges: &[core::ops::Range<usize>]) {
    assert_eq!(before.len(), after.len());
    for (at, (before, after)) in before.iter().zip(after).enumerate() {
        let may_change = ranges.iter().any(|range| range.contains(&at));
        assert!(may_change || before == after, "byte {at} was changed");
    }
}

/// The checksum of anything is that of the textbook.
pub fn checksum_sum(data: &[u8]) {
    assert_eq!(
        !checksum::sum(data),
        oracle::checksum(data).to_be(),
        "of {} bytes",
        data.len()
    );
}

/// Twenty bytes read as a header that makes sense or as none, and what is changed in a good header
/// leaves its checksum good.
pub fn ipv4_header(data: &[u8]) {
    let mut input = Input(data);
    let bytes = input.array();
    let Some(header) = ipv4::Header::parse(&bytes) else {
        let total_len = u16::from_be_bytes([bytes[2], bytes[3]]);
        let header_len = u16::from(bytes[0] % 16) * 4;
        assert!(
            bytes[0] / 16 != 4 || header_len < 20 || (total_len != 0 && total_len < header_len)
        );
        return;
    };
    assert!((20..=60).contains(&header.header_len) && header.header_len % 4 == 0);
    assert!(header.total_len == 0 || usize::from(header.total_len) >= header.header_len);

    let mut good: [u8; 20] = oracle::with_checksum(&bytes, 10)
        .try_into()
        .expect("20 bytes");
    let before = good;
    ipv4::set_source(&mut good, Ipv4Addr::from(input.array::<4>()));
    ipv4::set_destination(&mut good, Ipv4Addr::from(input.array::<4>()));
    ipv4::decrement_ttl(&mut good);
    assert_same_outside(&before, &good, &[8..9, 10..20]);
    assert_eq!(good[..], oracle::with_checksum(&good, 10));

    let outer = ipv4::Outer {
        src: header.src,
        dst: header.dst,
        total_len: header.total_len,
        identification: u16::from_be_bytes(input.array()),
        protocol: IPPROTO_IPIP,
        ttl: header.ttl,
        inner_tos: header.tos,
        dont_fragment: header.dont_fragment,
    };
    let mut built = good;
    ipv4::build(&mut built, &outer);
    assert_eq!(built[..], oracle::with_checksum(&built, 10));
    let built = ipv4::Header::parse(&built).expect("what was built can be read");
    assert_eq!(
        (built.src, built.dst, built.total_len),
        (outer.src, outer.dst, outer.total_len)
    );
}

/// Any sequence of segments, in any direction, moves from state to state.
pub fn tcp_segments(data: &[u8]) {
    let timeouts = Timeouts::default();
    let mut input = Input(data);
    let mut state = input.byte();
    while !input.is_empty() {
        let direction = match input.byte() % 3 {
            0 => Direction::Input,
            1 => Direction::Output,
            _ => Direction::InputOnly,
        };
        let machine = match input.byte() & 1 {
            0 => proto::tcp::Machine::Normal,
            _ => proto::tcp::Machine::Secure,
        };
        let flags = tcp::Flags::parse(&input.array());
        let event = proto::tcp::Event::from_flags(flags);
        let current = proto::tcp::State::from_u8(state).unwrap_or(proto::tcp::State::None);
        let next = proto::tcp::next(machine, current, direction, event);
        if flags.rst() {
            assert_eq!(event, proto::tcp::Event::Rst);
        }
        state = next as u8;
        assert_eq!(proto::tcp::State::from_u8(state), Some(next));
        assert_eq!(proto::state_name(Protocol::Tcp, state), next.name());
        assert!(proto::timeout(&timeouts, Protocol::Tcp, state) > 0);
    }
}

/// A rewritten packet is what its new sender would have sent, and one that is too short is not
/// touched.
pub fn transport_rewrite(data: &[u8]) {
    let mut input = Input(data);
    let protocol = match input.byte() {
        number @ 0..=9 => number,
        number if number % 2 == 0 => IPPROTO_TCP,
        _ => IPPROTO_UDP,
    };
    let side = input.side();
    let mode = match input.byte() & 1 {
        0 => ChecksumMode::Complete,
        _ => ChecksumMode::Partial,
    };
    let (other, to) = (input.endpoint().addr, input.endpoint());
    let from_addr = Ipv4Addr::from(input.array::<4>());
    let before = input.0;

    let check_at = match protocol {
        IPPROTO_TCP => 16,
        IPPROTO_UDP => 6,
        _ => {
            let mut after = before.to_vec();
            assert!(rewrite::transport(protocol, &mut after, side, to, to, mode).is_ok());
            assert_eq!(before, after);
            return;
        }
    };
    if before.len() < check_at + 2 {
        let mut after = before.to_vec();
        assert!(rewrite::transport(protocol, &mut after, side, to, to, mode).is_err());
        assert_eq!(before, after);
        return;
    }

    // The checksum that a packet with this address on the rewritten side has.
    let right = |addr, bytes: &[u8]| {
        let zeroed = oracle::with16(bytes, check_at, 0);
        let check = match mode {
            ChecksumMode::Complete => oracle::transport_checksum(addr, other, protocol, &zeroed),
            ChecksumMode::Partial => {
                !oracle::checksum(&oracle::pseudo_header(addr, other, protocol, bytes.len()))
            }
        };
        match (protocol, mode, check) {
            (IPPROTO_UDP, ChecksumMode::Complete, 0) => 0xffff,
            _ => check,
        }
    };
    let ports = before.first_chunk().expect("longer than that");
    let (src, dst) = transport::ports(ports);
    let (port, port_at) = match side {
        Side::Source => (src, 0),
        Side::Destination => (dst, 2),
    };
    let from = Endpoint {
        addr: from_addr,
        port,
    };
    let before = oracle::with16(before, check_at, right(from_addr, before));
    let mut after = before.clone();
    assert!(rewrite::transport(protocol, &mut after, side, from, to, mode).is_ok());
    let expected = oracle::with16(&before, port_at, to.port);
    let expected = oracle::with16(&expected, check_at, right(to.addr, &expected));
    assert_eq!(after, expected);
}

/// Whatever an ICMP error quotes, only the quoted address, port and checksums change, a right ICMP
/// checksum stays right, and a quote that is refused is not touched.
pub fn icmp_quote(data: &[u8]) {
    let mut input = Input(data);
    let side = input.side();
    let repair = input.byte();
    let to = input.endpoint();
    let mut before = input.0.to_vec();
    if repair & 1 != 0 {
        // Random bytes are seldom a quote of TCP or UDP at all.
        if let Some(quote) = before.get_mut(8..28) {
            quote[0] = 0x45 | quote[0] & 0x0f;
            quote[2] |= 1;
            quote[9] = if repair & 2 != 0 {
                IPPROTO_TCP
            } else {
                IPPROTO_UDP
            };
        }
    }
    if before.len() >= 4 {
        before = oracle::with_checksum(&before, 2);
    }

    // The addresses of the message's own header make no difference to ICMP.
    let own = (to.addr, Ipv4Addr::LOCALHOST);
    let mut after = before.clone();
    let header = before
        .get(8..)
        .and_then(<[u8]>::first_chunk)
        .and_then(ipv4::Header::parse);
    let Some(header) = header else {
        assert!(rewrite::quoted(&mut after, side, to, to, own).is_err());
        assert_eq!(before, after);
        return;
    };
    let ports_at = 8 + header.header_len;
    let ports = before
        .get(ports_at..)
        .and_then(<[u8]>::first_chunk)
        .map_or((0, 0), transport::ports);
    let (from, addr, port) = match side {
        Side::Source => ((header.src, ports.0), 20..24, ports_at..ports_at + 2),
        Side::Destination => ((header.dst, ports.1), 24..28, ports_at + 2..ports_at + 4),
    };
    let from = Endpoint {
        addr: from.0,
        port: from.1,
    };
    match rewrite::quoted(&mut after, side, from, to, own) {
        Ok(()) => {
            assert_same_outside(&before, &after, &[2..4, 18..20, addr.clone(), port]);
            assert_eq!(after[addr], to.addr.octets());
            assert_eq!(after, oracle::with_checksum(&after, 2));
        }
        Err(rewrite::Truncated) => {
            assert!(before.len() < ports_at + 4);
            assert_eq!(before, after);
        }
    }
}

/// Both directions of any flow hash alike under any key.
pub fn flow_hash(data: &[u8]) {
    let mut input = Input(data);
    let key = [input.array(), input.array()].map(u64::from_le_bytes);
    let (protocol, a, b) = (input.byte(), input.endpoint(), input.endpoint());
    let key = HashKey::new(key);
    assert_eq!(key.hash_pair(protocol, a, b), key.hash_pair(protocol, b, a));
}

/// A real server as the fuzzer makes it up.
#[derive(Clone, Copy)]
struct Server {
    weight: u32,
    last_weight: u32,
    active: u32,
    total: u32,
    is_overloaded: bool,
    address: u32,
    port: u16,
}

impl Server {
    fn from_input(input: &mut Input<'_>) -> Server {
        let kind = input.byte();
        // Small numbers make laps and ties, large ones overflows.
        let number = |input: &mut Input<'_>| match kind & 1 {
            0 => u32::from(input.byte() & 7),
            _ => u32::from_le_bytes(input.array()),
        };
        Server {
            weight: number(input),
            last_weight: number(input),
            active: number(input),
            total: number(input),
            is_overloaded: kind & 6 == 6,
            address: number(input),
            port: u16::from(kind),
        }
    }
}

impl Candidate for Server {
    fn weight(&self) -> u32 {
        self.weight
    }

    fn last_weight(&self) -> u32 {
        self.last_weight
    }

    fn active(&self) -> u32 {
        self.active
    }

    fn total(&self) -> u32 {
        self.total
    }

    fn is_overloaded(&self) -> bool {
        self.is_overloaded
    }

    fn is_configured(&self) -> bool {
        true
    }

    fn address(&self) -> u32 {
        self.address
    }

    fn port(&self) -> u16 {
        self.port
    }
}

/// Whether a scheduler of these has a server for a flow: `None` if that depends on the flow.
fn has_one(scheduler: Scheduler, servers: &[Server]) -> Option<bool> {
    match scheduler {
        Scheduler::DestinationHashing | Scheduler::SourceHashing | Scheduler::MaglevHashing => None,
        Scheduler::Overflow => Some(
            servers
                .iter()
                .any(|server| server.takes_flows() && server.active <= server.weight),
        ),
        _ => Some(servers.iter().any(Server::takes_flows)),
    }
}

/// Whatever happens to the list of servers, a pick is an available server, and there is one if the rule has
/// one.
pub fn scheduler(data: &[u8]) {
    let mut input = Input(data);
    let scheduler = Scheduler::ALL[usize::from(input.byte()) % Scheduler::ALL.len()];
    let options = Options::from_flags(u32::from(input.byte()));
    let mut servers: Vec<Server> = Vec::new();
    let mut table: Vec<Slot> = Vec::new();
    let mut prepared = Prepared::default();
    let mut cursor = Cursor::from_bits(u64::from_le_bytes(input.array()));
    while !input.is_empty() {
        let operation = input.byte();
        let index = usize::from(operation >> 3) % servers.len().max(1);
        let change = match operation & 7 {
            0 | 1 => {
                servers.insert(0, Server::from_input(&mut input));
                Change::Added
            }
            2 if !servers.is_empty() => {
                servers.remove(index);
                Change::Removed { index }
            }
            3 if !servers.is_empty() => {
                servers[index] = Server::from_input(&mut input);
                Change::Edited
            }
            _ => {
                let flow = Flow {
                    client: u32::from_le_bytes(input.array()),
                    client_port: u16::from_le_bytes(input.array()),
                    destination: u32::from_le_bytes(input.array()),
                };
                let pool = Pool {
                    servers: &servers,
                    prepared,
                    table: &table,
                    options,
                };
                let random = || u64::from_le_bytes(input.array());
                let pick = scheduler.pick(&pool, cursor, &flow, random);
                if let Some(expected) = has_one(scheduler, &servers) {
                    assert_eq!(pick.is_some(), expected);
                }
                if let Some(pick) = pick {
                    assert!(servers[pick.index].takes_flows());
                }
                cursor = match pick {
                    Some(pick) => pick.cursor,
                    None => scheduler.after_nobody(prepared, cursor),
                };
                assert_eq!(Cursor::from_bits(cursor.to_bits()), cursor);
                continue;
            }
        };
        table.clear();
        table.resize(scheduler.table_len(servers.len()), NOBODY);
        let mut walks: Vec<Walk> = Vec::new();
        walks.resize(scheduler.walks_len(servers.len()), Walk::default());
        prepared = scheduler.prepare(&servers, &mut table, &mut walks);
        cursor = scheduler.after_changes(cursor, [change], prepared);
    }
}
