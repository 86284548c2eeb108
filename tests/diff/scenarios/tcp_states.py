# SPDX-License-Identifier: GPL-2.0-only
"""The TCP state machine: each state that packets can lead to, each kind of segment, each direction, with secure_tcp off and on."""

import collections

from harness.addresses import CLIENT, RS1, VIP
from harness.model import DIRECT, NAT, FromClient, FromServer, Server, Sysctl, scenario, tcp_service
from harness.wire import ACK, FIN, RST, SYN, tcp

_STATES = {"NO": "NONE", "ES": "ESTABLISHED", "SS": "SYN_SENT", "SR": "SYN_RECV", "FW": "FIN_WAIT", "TW": "TIME_WAIT", "CL": "CLOSE",
           "CW": "CLOSE_WAIT", "LA": "LAST_ACK", "LI": "LISTEN", "SA": "SYNACK"}
_EVENTS = {"syn": SYN, "fin": FIN | ACK, "ack": ACK, "rst": RST | ACK}
# The specification's table: current state, then next states after syn, fin, ack, rst for I (from the client), O (from the server),
# X (from the client of a server whose answers are not seen).
_NORMAL = """
NO  SR CL ES CL  SS TW ES CL  SR CL ES CL
ES  ES CW ES CL  ES FW ES CL  ES FW ES CL
SS  ES SS SS CL  SS SS SS SS  ES SS SS CL
SR  SR TW ES SR  SR TW ES CL  SR TW ES SR
FW  SR TW FW CL  SS FW FW CL  SR FW FW CL
TW  SR TW TW CL  SS TW TW TW  SR TW TW CL
CL  SR CL CL CL  SS CL CL CL  SR CL CL CL
CW  SR CW CW CL  SS TW CW CL  SR CW CW CL
LA  SR LA CL LA  SS LA LA CL  SR LA CL LA
LI  SR LI LI LI  LI LI ES CL  SR LI LI LI
SA  SR TW ES SR  SR TW ES CL  SR TW ES CL
"""
_SECURE_CHANGES = {("SR", "I", "ack"): "SR", ("SR", "O", "syn"): "SA", ("SA", "I", "syn"): "SA", ("SA", "I", "fin"): "SA",
                   ("SA", "I", "ack"): "SA", ("SA", "I", "rst"): "CL", ("SA", "O", "syn"): "SA",
                   **{(state, "X", "syn"): "SA" for state in "NO FW TW CL CW LA LI SA".split()}}
_FROM = {"I": "the client", "O": "the server", "X": "the client alone"}


def _table(text):
    found = {}
    for line in text.split("\n")[1:-1]:
        state, *following = line.split()
        for place, after in enumerate(following):
            found[state, "IOX"[place // 4], list(_EVENTS)[place % 4]] = after
    return found


_TABLES = {"": _table(_NORMAL), "secure_tcp ": _table(_NORMAL) | _SECURE_CHANGES}
# With conn_reuse_mode on, a SYN in these states makes a new connection.
_REUSED = {("TW", "syn"), ("CL", "syn")}


def _paths(table, directions):
    """The shortest ways to each state, beginning with a SYN: lists of (direction, event)."""
    first = directions[0], "syn"
    found = {table["NO", *first]: [first]}
    waiting = collections.deque(found)
    while waiting:
        state = waiting.popleft()
        for direction in directions:
            for event in _EVENTS:
                after = table[state, direction, event]
                if after not in found and not (direction != "O" and (state, event) in _REUSED):
                    found[after] = [*found[state], (direction, event)]
                    waiting.append(after)
    return found


_ports = iter(range(10000, 20000))


def _segments(cport, vport, method, moves):
    """Steps that send these segments."""
    for direction, flags in moves:
        if direction != "O":
            yield FromClient(tcp(CLIENT, cport, VIP, vport, flags))
        elif method == NAT:
            yield FromServer(tcp(RS1, 8080, CLIENT, cport, flags))
        else:
            yield FromServer(tcp(VIP, vport, CLIENT, cport, flags))


def _row(secure, state, direction, event, path, after):
    """The scenario of one cell of the tables."""
    port, method = next(_ports), DIRECT if direction == "X" else NAT
    moves = [(where, _EVENTS[kind]) for where, kind in [*path, (direction, event)]]
    sysctls, shared = {}, f"tcp {secure}"
    if secure:
        sysctls["secure_tcp"] = 3
    if direction != "O" and (state, event) in _REUSED:
        sysctls["conn_reuse_mode"] = 0
        shared += "without reuse"
    return scenario(f"{secure}in {_STATES[state]} a {event} of {_FROM[direction]} leads to {_STATES[after]}",
                    f"§3.1 {secure}{state} {direction} {event}",
                    tcp_service(VIP, port, Server(RS1, 8080 if method == NAT else port, method)),
                    *_segments(port + 10000, port, method, moves),
                    sysctls=sysctls, shared=shared, expects={"end connections": rf"{_STATES[after]}, "})


def _rows():
    for secure, table in _TABLES.items():
        for directions in ("IO", "X"):
            for state, path in _paths(table, directions).items():
                for direction in directions:
                    for event in _EVENTS:
                        yield _row(secure, state, direction, event, path, table[state, direction, event])


def _rows_after_synack():
    """Cells of the normal table for SYNACK, to which only the other table leads."""
    for direction, start in (("I", [("I", SYN), ("O", SYN | ACK)]), ("O", [("I", SYN), ("O", SYN | ACK)]), ("X", [("X", SYN)])):
        for event, flags in _EVENTS.items():
            port, method, after = next(_ports), DIRECT if direction == "X" else NAT, _TABLES[""]["SA", direction, event]
            yield scenario(f"back from secure_tcp in SYNACK a {event} of {_FROM[direction]} leads to {_STATES[after]}",
                           f"§3.1 SA {direction} {event}; §3.1 secure_tcp switches the table for live entries",
                           tcp_service(VIP, port, Server(RS1, 8080 if method == NAT else port, method)),
                           Sysctl("secure_tcp", 3), *_segments(port + 10000, port, method, start), Sysctl("secure_tcp", 0),
                           *_segments(port + 10000, port, method, [(direction, flags)]),
                           shared="tcp back", expects={"end connections": rf"{_STATES[after]}, "})


def _first_segments():
    """Cells of NONE: a new connection's first segment."""
    for secure in _TABLES:
        for direction in "IX":
            for event in ("syn", "fin", "ack"):
                after = _TABLES[secure]["NO", direction, event]
                yield _row(secure, "NO", direction, event, [], after) if event == "syn" else _sloppy(secure, direction, event, after)


def _sloppy(secure, direction, event, after):
    port, method = next(_ports), DIRECT if direction == "X" else NAT
    return scenario(f"{secure}sloppy_tcp lets a {event} of {_FROM[direction]} make a connection in {_STATES[after]}",
                    f"§3.1 {secure}NO {direction} {event}; §3.6 TCP sloppy_tcp",
                    tcp_service(VIP, port, Server(RS1, 8080 if method == NAT else port, method)),
                    *_segments(port + 10000, port, method, [(direction, _EVENTS[event])]),
                    sysctls={"sloppy_tcp": 1} | ({"secure_tcp": 3} if secure else {}), shared=f"tcp {secure}sloppy",
                    expects={"end connections": rf"{_STATES[after]}, "})


def _flags(name, covers, moves, after, method=NAT):
    port = next(_ports)
    return scenario(name, covers, tcp_service(VIP, port, Server(RS1, 8080 if method == NAT else port, method)),
                    *_segments(port + 10000, port, method, moves), shared="tcp ", expects={"end connections": rf"{after}, "})


_ESTABLISHED = [("I", SYN), ("O", SYN | ACK), ("I", ACK)]

SCENARIOS = [
    *_first_segments(), *_rows(), *_rows_after_synack(),
    _flags("a segment with RST and SYN counts as RST", "§3.1 event precedence RST", [*_ESTABLISHED, ("I", RST | SYN)], "CLOSE"),
    _flags("a segment with RST and FIN counts as RST", "§3.1 event precedence RST", [*_ESTABLISHED, ("I", RST | FIN | ACK)], "CLOSE"),
    _flags("a segment with SYN and FIN counts as SYN", "§3.1 event precedence SYN", [*_ESTABLISHED, ("I", SYN | FIN)], "ESTABLISHED"),
    _flags("a SYN with ACK makes a connection as a SYN does", "§3.6 TCP ACK irrelevant; §3.1 event precedence SYN",
           [("I", SYN | ACK)], "SYN_RECV"),
    _flags("a segment without SYN, FIN, ACK and RST closes", "§3.1 no event", [*_ESTABLISHED, ("I", 0)], "CLOSE"),
    _flags("an answer that is seen makes a direct-routed connection one with answers", "§3.1 an out packet clears NOOUTPUT; §2.3 NOOUTPUT",
           [("I", SYN), ("I", ACK), ("O", ACK), ("I", FIN | ACK)], "CLOSE_WAIT", DIRECT),
]
