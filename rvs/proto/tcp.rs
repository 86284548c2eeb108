// SPDX-License-Identifier: GPL-2.0-only

//! TCP: a connection's state as the director guesses it from the flags of the segments it sees, perhaps in
//! one direction only. The states and transitions are those of IPVS, so that a director can take over
//! another's connections.

use super::{Direction, Opening};
use crate::packet::tcp::Flags;

/// States of a TCP connection, numbered as on the wire of the synchronisation protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum State {
    /// No segment seen yet.
    None = 0,
    /// Both ends have agreed, data flows.
    Established = 1,
    /// The real server has opened the connection, the client has not answered.
    SynSent = 2,
    /// The client has opened the connection, the real server has not answered.
    SynRecv = 3,
    /// One end has closed, as far as the director can tell.
    FinWait = 4,
    /// Both ends have closed; late segments may come.
    TimeWait = 5,
    /// Aborted, or as good as.
    Close = 6,
    /// The client has closed, the real server has not.
    CloseWait = 7,
    /// The last acknowledgment is awaited.
    LastAck = 8,
    /// Announced by another connection, its client has not come yet (FTP data).
    Listen = 9,
    /// Like SYN_RECV, while the director defends itself against SYN floods.
    SynAck = 10,
}

impl State {
    /// How many states there are.
    pub const COUNT: usize = 11;

    /// All states, by number.
    pub const ALL: [State; State::COUNT] = [
        State::None,
        State::Established,
        State::SynSent,
        State::SynRecv,
        State::FinWait,
        State::TimeWait,
        State::Close,
        State::CloseWait,
        State::LastAck,
        State::Listen,
        State::SynAck,
    ];

    /// The state with this number.
    #[inline]
    #[must_use]
    pub const fn from_u8(number: u8) -> Option<State> {
        Some(match number {
            0 => State::None,
            1 => State::Established,
            2 => State::SynSent,
            3 => State::SynRecv,
            4 => State::FinWait,
            5 => State::TimeWait,
            6 => State::Close,
            7 => State::CloseWait,
            8 => State::LastAck,
            9 => State::Listen,
            10 => State::SynAck,
            _ => return None,
        })
    }

    /// How the state is shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            State::None => "NONE",
            State::Established => "ESTABLISHED",
            State::SynSent => "SYN_SENT",
            State::SynRecv => "SYN_RECV",
            State::FinWait => "FIN_WAIT",
            State::TimeWait => "TIME_WAIT",
            State::Close => "CLOSE",
            State::CloseWait => "CLOSE_WAIT",
            State::LastAck => "LAST_ACK",
            State::Listen => "LISTEN",
            State::SynAck => "SYNACK",
        }
    }

    /// Is a connection in this state counted as active on its real server?
    #[inline]
    #[must_use]
    pub const fn is_active(self) -> bool {
        matches!(
            self,
            State::Established | State::SynSent | State::SynRecv | State::SynAck
        )
    }

    /// How long a connection in this state lives without a packet unless configured otherwise, seconds.
    #[must_use]
    pub const fn default_timeout(self) -> u32 {
        match self {
            State::None => 2,
            State::Established => 15 * 60,
            State::SynSent => 2 * 60,
            State::SynRecv => 60,
            State::FinWait => 2 * 60,
            State::TimeWait => 2 * 60,
            State::Close => 10,
            State::CloseWait => 60,
            State::LastAck => 30,
            State::Listen => 2 * 60,
            State::SynAck => 2 * 60,
        }
    }
}

/// What a segment means to the state machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Event {
    /// SYN, whatever else is set except RST.
    Syn,
    /// FIN, without SYN and RST.
    Fin,
    /// ACK alone.
    Ack,
    /// RST, whatever else is set.
    Rst,
    /// None of the four.
    None,
}

impl Event {
    /// The event that a segment with these flags is.
    #[inline]
    #[must_use]
    pub const fn from_flags(flags: Flags) -> Event {
        if flags.rst() {
            Event::Rst
        } else if flags.syn() {
            Event::Syn
        } else if flags.fin() {
            Event::Fin
        } else if flags.ack() {
            Event::Ack
        } else {
            Event::None
        }
    }
}

/// Whether a segment without a connection may open one.
#[inline]
#[must_use]
pub const fn may_open(flags: Flags, opening: Opening) -> bool {
    !flags.rst() && (flags.syn() || matches!(opening, Opening::Sloppy))
}

const ES: State = State::Established;
const SS: State = State::SynSent;
const SR: State = State::SynRecv;
const FW: State = State::FinWait;
const TW: State = State::TimeWait;
const CL: State = State::Close;
const CW: State = State::CloseWait;
const LA: State = State::LastAck;
const LI: State = State::Listen;
const SA: State = State::SynAck;

/// Which transitions segments make. All connections follow at once when it changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Machine {
    /// Those of peaceful times.
    Normal,
    /// Those of a director that defends itself against SYN floods (IPVS `secure_tcp`): where the real
    /// server's segments are seen, its acknowledgment ends a handshake and the client's, who may have
    /// made up its address, does not.
    Secure,
}

/// The state that follows, by current state, direction and event. A segment without any of the
/// flags has no column, it always closes.
type Transitions = [[[State; 4]; 3]; State::COUNT];

#[rustfmt::skip]
const NORMAL: Transitions = [
    //  Input             Output            InputOnly
    // syn fin ack rst   syn fin ack rst   syn fin ack rst
    [[SR, CL, ES, CL], [SS, TW, ES, CL], [SR, CL, ES, CL]], // NO
    [[ES, CW, ES, CL], [ES, FW, ES, CL], [ES, FW, ES, CL]], // ES
    [[ES, SS, SS, CL], [SS, SS, SS, SS], [ES, SS, SS, CL]], // SS
    [[SR, TW, ES, SR], [SR, TW, ES, CL], [SR, TW, ES, SR]], // SR
    [[SR, TW, FW, CL], [SS, FW, FW, CL], [SR, FW, FW, CL]], // FW
    [[SR, TW, TW, CL], [SS, TW, TW, TW], [SR, TW, TW, CL]], // TW
    [[SR, CL, CL, CL], [SS, CL, CL, CL], [SR, CL, CL, CL]], // CL
    [[SR, CW, CW, CL], [SS, TW, CW, CL], [SR, CW, CW, CL]], // CW
    [[SR, LA, CL, LA], [SS, LA, LA, CL], [SR, LA, CL, LA]], // LA
    [[SR, LI, LI, LI], [LI, LI, ES, CL], [SR, LI, LI, LI]], // LI
    [[SR, TW, ES, SR], [SR, TW, ES, CL], [SR, TW, ES, CL]], // SA
];

/// The normal transitions, except those that a SYN flood could make use of.
const SECURE: Transitions = {
    const INPUT: usize = Direction::Input as usize;
    const OUTPUT: usize = Direction::Output as usize;
    const INPUT_ONLY: usize = Direction::InputOnly as usize;
    const SYN: usize = Event::Syn as usize;
    const ACK: usize = Event::Ack as usize;

    let mut next = NORMAL;
    next[SR as usize][INPUT][ACK] = SR;
    next[SR as usize][OUTPUT][SYN] = SA;
    next[SA as usize][INPUT] = [SA, SA, SA, CL];
    next[SA as usize][OUTPUT][SYN] = SA;
    let mut state = 0;
    while state < State::COUNT {
        match State::ALL[state] {
            ES | SS | SR => {}
            _ => next[state][INPUT_ONLY][SYN] = SA,
        }
        state += 1;
    }
    next
};

/// By [`Machine`].
const NEXT: [Transitions; 2] = [NORMAL, SECURE];

/// The state that follows when a segment is seen.
#[inline]
#[must_use]
pub const fn next(machine: Machine, state: State, direction: Direction, event: Event) -> State {
    match event {
        Event::None => State::Close,
        _ => NEXT[machine as usize][state as usize][direction as usize][event as usize],
    }
}
