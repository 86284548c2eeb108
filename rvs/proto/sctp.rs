// SPDX-License-Identifier: GPL-2.0-only

//! SCTP: an association's state as the director guesses it from the chunks it sees, perhaps in one
//! direction only. States and transitions are those of IPVS, seen from the real server; beyond RFC 9260
//! §4 they tell how far the exchange of cookies has come.

use super::{Direction, Opening};
use crate::packet::sctp as chunk;

/// States of an SCTP association, numbered as on the wire of the synchronisation protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum State {
    /// No packet seen yet.
    None = 0,
    /// The client has sent its first INIT: kept shortly, in case that nobody answers.
    Init1 = 1,
    /// The client has sent INIT again.
    Init = 2,
    /// The real server has answered with a cookie.
    CookieSent = 3,
    /// The client has given the cookie back.
    CookieReplied = 4,
    /// The real server has sent INIT.
    CookieWait = 5,
    /// The client has answered with a cookie.
    Cookie = 6,
    /// The real server has given the cookie back.
    CookieEchoed = 7,
    /// Both ends have agreed, data flows.
    Established = 8,
    /// The real server has no more data.
    ShutdownSent = 9,
    /// The client has no more data.
    ShutdownReceived = 10,
    /// The real server has acknowledged the client's shutdown.
    ShutdownAckSent = 11,
    /// The first INIT was answered with ABORT.
    Rejected = 12,
    /// Over, in whichever way.
    Closed = 13,
}

/// The longest retransmission timeout of an association (RFC 9260 §16, RTO.Max) and a second, seconds.
const MAX_RTO: u32 = 60 + 1;

/// The timeout of a first INIT (RFC 4960 §15, RTO.Initial) and a second, seconds.
const FIRST_RTO: u32 = 3 + 1;

impl State {
    /// How many states there are.
    pub const COUNT: usize = 14;

    /// All states, by number.
    pub const ALL: [State; State::COUNT] = [
        State::None,
        State::Init1,
        State::Init,
        State::CookieSent,
        State::CookieReplied,
        State::CookieWait,
        State::Cookie,
        State::CookieEchoed,
        State::Established,
        State::ShutdownSent,
        State::ShutdownReceived,
        State::ShutdownAckSent,
        State::Rejected,
        State::Closed,
    ];

    /// The state with this number.
    #[inline]
    #[must_use]
    pub fn from_u8(number: u8) -> Option<State> {
        State::ALL.get(usize::from(number)).copied()
    }

    /// How the state is shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            State::None => "NONE",
            State::Init1 => "INIT1",
            State::Init => "INIT",
            State::CookieSent => "C-SENT",
            State::CookieReplied => "C-REPLIED",
            State::CookieWait => "C-WAIT",
            State::Cookie => "COOKIE",
            State::CookieEchoed => "C-ECHOED",
            State::Established => "ESTABLISHED",
            State::ShutdownSent => "S-SENT",
            State::ShutdownReceived => "S-RECEIVED",
            State::ShutdownAckSent => "S-ACK-SENT",
            State::Rejected => "REJECTED",
            State::Closed => "CLOSED",
        }
    }

    /// Is an association in this state counted as active on its real server?
    #[inline]
    #[must_use]
    pub const fn is_active(self) -> bool {
        matches!(self, State::Established)
    }

    /// How long an association in this state lives without a packet, seconds.
    #[must_use]
    pub const fn default_timeout(self) -> u32 {
        match self {
            State::None => 2,
            State::Init1 | State::Rejected => FIRST_RTO,
            State::Established => 15 * 60,
            State::Init
            | State::CookieSent
            | State::CookieReplied
            | State::CookieWait
            | State::Cookie
            | State::CookieEchoed
            | State::ShutdownSent
            | State::ShutdownReceived
            | State::ShutdownAckSent
            | State::Closed => MAX_RTO,
        }
    }
}

/// What a packet means to the state machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Event {
    /// Data, its acknowledgment, a heartbeat, or a chunk that is of no interest here.
    Data,
    /// INIT.
    Init,
    /// INIT ACK.
    InitAck,
    /// COOKIE ECHO.
    CookieEcho,
    /// COOKIE ACK.
    CookieAck,
    /// SHUTDOWN.
    Shutdown,
    /// SHUTDOWN ACK.
    ShutdownAck,
    /// SHUTDOWN COMPLETE.
    ShutdownComplete,
    /// ERROR.
    Error,
    /// ABORT.
    Abort,
}

impl Event {
    /// How many events there are.
    const COUNT: usize = 10;

    /// The event that a packet is whose decisive chunk, see [`chunk::decisive_kind`], is of this type.
    #[inline]
    #[must_use]
    pub const fn from_chunk(kind: u8) -> Event {
        match kind {
            chunk::INIT => Event::Init,
            chunk::INIT_ACK => Event::InitAck,
            chunk::COOKIE_ECHO => Event::CookieEcho,
            chunk::COOKIE_ACK => Event::CookieAck,
            chunk::SHUTDOWN => Event::Shutdown,
            chunk::SHUTDOWN_ACK => Event::ShutdownAck,
            chunk::SHUTDOWN_COMPLETE => Event::ShutdownComplete,
            chunk::ERROR => Event::Error,
            chunk::ABORT => Event::Abort,
            _ => Event::Data,
        }
    }
}

/// Whether a packet without an association, whose first chunk is of this type, may open one.
#[inline]
#[must_use]
pub const fn may_open(first_kind: u8, opening: Opening) -> bool {
    match first_kind {
        chunk::INIT => true,
        chunk::ABORT => false,
        _ => matches!(opening, Opening::Sloppy),
    }
}

const I1: State = State::Init1;
const IN: State = State::Init;
const CS: State = State::CookieSent;
const CR: State = State::CookieReplied;
const CW: State = State::CookieWait;
const CO: State = State::Cookie;
const CE: State = State::CookieEchoed;
const ES: State = State::Established;
const SS: State = State::ShutdownSent;
const SR: State = State::ShutdownReceived;
const SA: State = State::ShutdownAckSent;
const RJ: State = State::Rejected;
const CL: State = State::Closed;

/// The state that follows, by direction, current state and event.
#[rustfmt::skip]
const NEXT: [[[State; Event::COUNT]; State::COUNT]; 3] = [
    // Input
    [
        //da in  ia  ce  ca  s   sa  sc  er  ab
        [ES, I1, CW, CR, ES, SR, CL, CL, CL, CL], // NO
        [I1, IN, CW, IN, I1, I1, IN, CL, I1, CL], // I1
        [IN, IN, CW, IN, IN, IN, IN, CL, IN, CL], // IN
        [CS, CS, CS, CR, CS, CS, CS, CS, CS, CL], // CS
        [CR, CR, CR, CR, CR, CR, CR, CR, CR, CL], // CR
        [CW, CW, CO, CW, CW, CW, CW, CW, CW, RJ], // CW
        [CO, CO, CO, CO, CO, CO, CO, CO, CO, CL], // CO
        [CE, CE, CE, CE, ES, CE, CE, CE, CL, CL], // CE
        [ES, ES, ES, ES, ES, SR, ES, ES, ES, CL], // ES
        [SS, SS, SS, SS, SS, SS, CL, SS, SS, CL], // SS
        [SR, SR, SR, SR, SR, SR, SR, SR, SR, CL], // SR
        [SA, SA, SA, SA, SA, SA, CL, CL, SA, CL], // SA
        [RJ, IN, RJ, RJ, RJ, RJ, RJ, RJ, RJ, CL], // RJ
        [CL, IN, CL, CL, CL, CL, CL, CL, CL, CL], // CL
    ],
    // Output
    [
        //da in  ia  ce  ca  s   sa  sc  er  ab
        [ES, CW, CS, CE, ES, SS, SA, CL, CL, CL], // NO
        [I1, CW, CS, CE, ES, SS, SA, I1, CL, RJ], // I1
        [IN, CW, CS, CE, ES, SS, SA, IN, CL, CL], // IN
        [CS, CW, CS, CE, ES, SS, SA, CS, CL, CL], // CS
        [CR, CW, CR, CE, ES, SS, SA, CR, CL, CL], // CR
        [CW, CW, CW, CE, ES, SS, CW, CW, CW, CL], // CW
        [CO, CW, CO, CE, ES, SS, CO, CO, CO, CL], // CO
        [CE, CW, CE, CE, ES, SS, CE, CE, CE, CL], // CE
        [ES, ES, ES, ES, ES, SS, ES, ES, ES, CL], // ES
        [SS, CW, SS, SS, SS, SS, SA, SS, SS, CL], // SS
        [SR, CW, SR, SR, SR, SR, SA, SR, SR, CL], // SR
        [SA, CW, SA, SA, SA, SA, SA, SA, SA, CL], // SA
        [RJ, CW, RJ, RJ, RJ, RJ, RJ, RJ, RJ, CL], // RJ
        [CL, CW, CL, CL, CL, CL, CL, CL, CL, CL], // CL
    ],
    // InputOnly
    [
        //da in  ia  ce  ca  s   sa  sc  er  ab
        [ES, I1, CE, ES, ES, SR, CL, CL, CL, CL], // NO
        [I1, IN, CE, ES, I1, I1, IN, CL, I1, CL], // I1
        [IN, IN, CE, ES, IN, IN, IN, CL, IN, CL], // IN
        [CS, IN, CE, ES, ES, CS, CS, CL, CS, CL], // CS
        [CR, IN, CE, ES, ES, CR, CR, CL, CR, CL], // CR
        [ES, IN, CE, ES, CW, CW, CW, CW, CW, RJ], // CW
        [CO, CO, CO, CO, ES, CO, CO, CO, CO, CL], // CO
        [CE, CE, CE, CE, ES, CE, CE, CE, CE, CL], // CE
        [ES, ES, ES, ES, ES, SR, CL, ES, ES, CL], // ES
        [SS, SS, SS, SS, SS, SS, CL, SS, SS, CL], // SS
        [SR, SR, SR, SR, SR, SR, SR, CL, SR, CL], // SR
        [SA, SA, SA, SA, SA, SA, CL, CL, SA, CL], // SA
        [RJ, IN, RJ, RJ, RJ, RJ, RJ, RJ, RJ, CL], // RJ
        [CL, IN, CL, CL, CL, CL, CL, CL, CL, CL], // CL
    ],
];

/// The state that follows when a packet is seen.
#[inline]
#[must_use]
pub const fn next(state: State, direction: Direction, event: Event) -> State {
    NEXT[direction as usize][state as usize][event as usize]
}
