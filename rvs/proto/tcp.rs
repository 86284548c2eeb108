// SPDX-License-Identifier: GPL-2.0-only

//! TCP: a connection's state as the director guesses it from the flags of the segments it sees, perhaps in
//! one direction only. The states and transitions are those of IPVS, so that a director can take over
//! another's connections.

use super::Direction;
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

const ES: State = State::Established;
const SS: State = State::SynSent;
const SR: State = State::SynRecv;
const FW: State = State::FinWait;
const TW: State = State::TimeWait;
const CL: State = State::Close;
const CW: State = State::CloseWait;
const LA: State = State::LastAck;
const LI: State = State::Listen;

/// The state that follows, by current state, direction and event. A segment without any of the
/// flags has no column, it always closes.
#[rustfmt::skip]
const NEXT: [[[State; 4]; 3]; State::COUNT] = [
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

/// The state that follows when a segment is seen.
#[inline]
#[must_use]
pub const fn next(state: State, direction: Direction, event: Event) -> State {
    match event {
        Event::None => State::Close,
        _ => NEXT[state as usize][direction as usize][event as usize],
    }
}
