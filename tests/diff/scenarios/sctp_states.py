# SPDX-License-Identifier: GPL-2.0-only
"""The SCTP state machine: each state that packets can lead to, each kind of chunk, each direction."""

import collections

from harness.addresses import CLIENT, RS1, VIP
from harness.model import DIRECT, NAT, FromClient, FromServer, Server, scenario, sctp_service
from harness.wire import chunk, sctp

_STATES = {"NO": "NONE", "I1": "INIT1", "IN": "INIT", "CS": "C-SENT", "CR": "C-REPLIED", "CW": "C-WAIT", "CO": "COOKIE",
           "CE": "C-ECHOED", "ES": "ESTABLISHED", "SS": "S-SENT", "SR": "S-RECEIVED", "SA": "S-ACK-SENT", "RJ": "REJECTED", "CL": "CLOSED"}
_EVENTS = {"data": 0, "init": 1, "init_ack": 2, "cookie_echo": 10, "cookie_ack": 11, "shutdown": 7, "shut_ack": 8, "shut_compl": 14,
           "error": 9, "abort": 6}
# The specification's tables: rows are events, columns the current states in the order above, "." is no change.
_INPUT = """
ES .  .  .  .  .  .  .  .  .  .  .  .  .
I1 IN .  .  .  .  .  .  .  .  .  .  IN IN
CW CW CW .  .  CO .  .  .  .  .  .  .  .
CR IN .  CR .  .  .  .  .  .  .  .  .  .
ES .  .  .  .  .  .  ES .  .  .  .  .  .
SR .  .  .  .  .  .  .  SR .  .  .  .  .
CL IN .  .  .  .  .  .  .  CL .  CL .  .
CL CL CL .  .  .  .  .  .  .  .  CL .  .
CL .  .  .  .  .  .  CL .  .  .  .  .  .
CL CL CL CL CL RJ CL CL CL CL CL CL CL .
"""
_OUTPUT = """
ES .  .  .  .  .  .  .  .  .  .  .  .  .
CW CW CW CW CW .  CW CW .  CW CW CW CW CW
CS CS CS .  .  .  .  .  .  .  .  .  .  .
CE CE CE CE CE CE CE .  .  .  .  .  .  .
ES ES ES ES ES ES ES ES .  .  .  .  .  .
SS SS SS SS SS SS SS SS SS .  .  .  .  .
SA SA SA SA SA .  .  .  .  SA SA .  .  .
CL .  .  .  .  .  .  .  .  .  .  .  .  .
CL CL CL CL CL .  .  .  .  .  .  .  .  .
CL RJ CL CL CL CL CL CL CL CL CL CL CL .
"""
_INPUT_ONLY = """
ES .  .  .  .  ES .  .  .  .  .  .  .  .
I1 IN .  IN IN IN .  .  .  .  .  .  IN IN
CE CE CE CE CE CE .  .  .  .  .  .  .  .
ES ES ES ES ES ES .  .  .  .  .  .  .  .
ES .  .  ES ES .  ES ES .  .  .  .  .  .
SR .  .  .  .  .  .  .  SR .  .  .  .  .
CL IN .  .  .  .  .  .  CL CL .  CL .  .
CL CL CL CL CL .  .  .  .  .  CL CL .  .
CL .  .  .  .  .  .  .  .  .  .  .  .  .
CL CL CL CL CL RJ CL CL CL CL CL CL CL .
"""
_FROM = {"I": "the client", "O": "the server", "X": "the client alone"}


def _table():
    found = {}
    for direction, text in (("I", _INPUT), ("O", _OUTPUT), ("X", _INPUT_ONLY)):
        for event, line in zip(_EVENTS, text.strip().splitlines(), strict=True):
            for state, after in zip(_STATES, line.split(), strict=True):
                found[state, direction, event] = state if after == "." else after
    return found


_TABLE = _table()
# With conn_reuse_mode on, an INIT makes a new connection in this state.
_REUSED = {("CL", "init")}


def _paths(directions):
    """The shortest ways to each state, beginning with an INIT: lists of (direction, event)."""
    first = directions[0], "init"
    found = {_TABLE["NO", *first]: [first]}
    waiting = collections.deque(found)
    while waiting:
        state = waiting.popleft()
        for direction in directions:
            for event in _EVENTS:
                after = _TABLE[state, direction, event]
                if after not in found and not (direction != "O" and (state, event) in _REUSED):
                    found[after] = [*found[state], (direction, event)]
                    waiting.append(after)
    return found


_ports = iter(range(10000, 20000))


def _steps(cport, vport, method, moves):
    for direction, chunks in moves:
        if direction != "O":
            yield FromClient(sctp(CLIENT, cport, VIP, vport, *chunks))
        elif method == NAT:
            yield FromServer(sctp(RS1, 8080, CLIENT, cport, *chunks))
        else:
            yield FromServer(sctp(VIP, vport, CLIENT, cport, *chunks))


def _chunks(event):
    return [chunk(_EVENTS[event], bytes(16))]


def _row(state, direction, event, path, **more):
    port, method, after = next(_ports), DIRECT if direction == "X" else NAT, _TABLE[state, direction, event]
    moves = [(where, _chunks(kind)) for where, kind in [*path, (direction, event)]]
    sysctls, shared = dict(more), "sctp" + "".join(more)
    if direction != "O" and (state, event) in _REUSED:
        sysctls["conn_reuse_mode"] = 0
        shared += " without reuse"
    return scenario(f"in SCTP {_STATES[state]} {event} of {_FROM[direction]} leads to {_STATES[after]}", f"§3.3 {state} {direction} {event}",
                    sctp_service(VIP, port, Server(RS1, 8080 if method == NAT else port, method)),
                    *_steps(port + 10000, port, method, moves), sysctls=sysctls, shared=shared,
                    expects={"end connections": rf"{_STATES[after]}, "})


def _rows():
    for directions in ("IO", "X"):
        for state, path in _paths(directions).items():
            for direction in directions:
                for event in _EVENTS:
                    yield _row(state, direction, event, path)


def _first_chunks():
    """A new connection's first chunk; others than INIT need sloppy_sctp, ABORT makes none."""
    for direction in "IX":
        yield _row("NO", direction, "init", [])
        for event in _EVENTS:
            if event not in ("init", "abort"):
                yield _row("NO", direction, event, [], sloppy_sctp=1)


def _kind(name, covers, after, *chunks, path=(("I", "init"), ("O", "init_ack"), ("I", "cookie_echo"), ("O", "cookie_ack"))):
    """What the client sends on an established association."""
    port = next(_ports)
    moves = [*((where, _chunks(event)) for where, event in path), ("I", chunks)]
    return scenario(name, covers, sctp_service(VIP, port, Server(RS1, 8080)), *_steps(port + 10000, port, NAT, moves),
                    shared="sctp", expects={"end connections": rf"{after}, "})


SCENARIOS = [
    *_first_chunks(), *_rows(),
    *(_kind(f"SCTP chunk {number} counts as data", "§3.3 event data", "ESTABLISHED", chunk(number, bytes(8)))
      for number in (3, 4, 5, 12, 13, 15, 64, 128, 192)),
    _kind("an ABORT behind a COOKIE_ECHO counts as ABORT", "§3.3 event COOKIE_ECHO ABORT", "CLOSED",
          chunk(10, bytes(8)), chunk(6)),
    _kind("an ABORT behind a COOKIE_ACK of odd length counts as ABORT", "§3.3 event COOKIE_ECHO ABORT", "CLOSED",
          chunk(11, bytes(5)), chunk(6)),
    _kind("an ABORT behind DATA counts as DATA", "§3.3 event COOKIE_ECHO ABORT", "ESTABLISHED", chunk(0, bytes(8)), chunk(6)),
    _kind("a COOKIE_ECHO too short to be a chunk counts as COOKIE_ECHO", "§3.3 event COOKIE_ECHO ABORT", "ESTABLISHED",
          b"\x0a\0\0\3", chunk(6)),
]
