# SPDX-License-Identifier: GPL-2.0-only
"""Messages of the netlink family: what answers look like to the byte, and which errno each faulty request gets, in which order things
are checked (section 8, and the validation of section 5)."""

from harness.addresses import RS1, RS2, RS1_6, VIP, VIP_6
from harness.model import DIRECT, GUE, TUNNEL, Command, Server, mark_service, scenario, sctp_service, tcp_service, udp_service
from harness.wire import address_bytes
from lab.netlink import attribute, be16, text, u8, u16, u32

(NEW_SERVICE, SET_SERVICE, DEL_SERVICE, GET_SERVICE, NEW_DEST, SET_DEST, DEL_DEST, GET_DEST, NEW_DAEMON, DEL_DAEMON, GET_DAEMON,
 SET_CONFIG, GET_CONFIG, SET_INFO, GET_INFO, ZERO, FLUSH) = range(1, 18)
SERVICE, DEST, DAEMON = 1, 2, 3
NESTED = 0x8000

# What makes a service, by attribute.
_KEY = {"family": u16(1, 2), "protocol": u16(2, 6), "address": attribute(3, address_bytes(VIP).ljust(16, b"\0")), "port": be16(4, 80)}
_SETTINGS = {"scheduler": text(6, "rr"), "flags": attribute(7, bytes(4) + b"\xff" * 4), "timeout": u32(8, 0), "netmask": attribute(9, b"\xff" * 4)}
_WEB = _KEY | _SETTINGS

# What makes a real server.
_END = {"address": attribute(1, address_bytes(RS1).ljust(16, b"\0")), "port": be16(2, 80)}
_SERVER = _END | {"method": u32(3, 0), "weight": u32(4, 1), "upper threshold": u32(5, 0), "lower threshold": u32(6, 0)}


def _service(parts, **changed):
    """The nest of a service of these attributes, some of them others."""
    return attribute(SERVICE, b"".join((parts | changed).values()))


def _server(parts, **changed):
    return attribute(DEST, b"".join((parts | changed).values()))


def _but(whole, **changed):
    """The attributes with some replaced; `None` leaves one out. Underscores stand for blanks."""
    changed = {name.replace("_", " "): value for name, value in changed.items()}
    return {name: value for name, value in (whole | changed).items() if value is not None}


_FAULTY_SERVICES = {
    "nothing at all": b"",
    "an empty service": attribute(SERVICE, b""),
    "a nest of two bytes": attribute(SERVICE, b"\0\0"),
    "a service marked as a nest": attribute(SERVICE | NESTED, b"".join(_WEB.values())),
    "two services": _service(_but(_WEB, port=be16(4, 81))) + _service(_WEB),
    "an unknown attribute beside it": u32(77, 1) + _service(_WEB) + u32(7, 1),
    "a short timeout beside it": _service(_WEB) + u16(4, 7),
    "a short nest beside it": _service(_WEB) + attribute(DAEMON, b"\0"),
    "three bytes behind it": _service(_WEB) + b"\0\0\0",
    **{f"no {part}": _service(_but(_WEB, **{part: None})) for part in _WEB},
    **{f"a {part} of one byte": _service(_but(_WEB, **{part: attribute(number, b"\1")}))
       for part, number in (("family", 1), ("protocol", 2), ("address", 3), ("port", 4), ("scheduler", 6), ("flags", 7), ("timeout", 8),
                            ("netmask", 9))},
    **{f"a {part} of 20 bytes": _service(_but(_WEB, **{part: attribute(number, value.ljust(20, b"\0"))}))
       for part, number, value in (("family", 1, b"\2"), ("protocol", 2, b"\6"), ("address", 3, address_bytes(VIP)), ("port", 4, b"\0\x50"),
                                   ("scheduler", 6, b"rr"), ("flags", 7, b""), ("timeout", 8, b"\1"), ("netmask", 9, b"\xff" * 4))},
    "a port twice": _service(_but(_WEB, again=be16(4, 81))),
    "a family there is none of": _service(_but(_WEB, family=u16(1, 7))),
    "the family of IPv6": _service(_but(_WEB, family=u16(1, 10))),
    "an IPv6 prefix of 0": _service(_but(_WEB, family=u16(1, 10), netmask=u32(9, 0))),
    "an IPv6 prefix of 128": _service(_but(_WEB, family=u16(1, 10), netmask=u32(9, 128))),
    "an IPv6 prefix of 129": _service(_but(_WEB, family=u16(1, 10), netmask=u32(9, 129))),
    "an address of four bytes": _service(_but(_WEB, address=attribute(3, address_bytes(VIP)))),
    "no bytes of address": _service(_but(_WEB, address=attribute(3, b""))),
    "an unknown scheduler": _service(_but(_WEB, scheduler=text(6, "nosuch"))),
    "an empty scheduler": _service(_but(_WEB, scheduler=text(6, ""))),
    "a scheduler of no bytes": _service(_but(_WEB, scheduler=attribute(6, b""))),
    "the scheduler none": _service(_but(_WEB, scheduler=text(6, "none"))),
    "a scheduler without its end": _service(_but(_WEB, scheduler=attribute(6, b"rr"))),
    "a scheduler with something behind its end": _service(_but(_WEB, scheduler=attribute(6, b"rr\0xyz\0"))),
    "a scheduler of 15 letters": _service(_but(_WEB, scheduler=text(6, "r" * 15))),
    "a scheduler of 16 letters": _service(_but(_WEB, scheduler=text(6, "r" * 16))),
    "flags of four bytes": _service(_but(_WEB, flags=attribute(7, b"\1\0\0\0"))),
    "no bytes of flags": _service(_but(_WEB, flags=attribute(7, b""))),
    "a timeout beyond what is signed": _service(_but(_WEB, timeout=u32(8, 0xFFFFFFFF))),
    "an unknown engine": _service(_but(_WEB, engine=text(11, "nosuch"))),
    "an empty engine": _service(_but(_WEB, engine=text(11, ""))),
    "an engine of no bytes": _service(_but(_WEB, engine=attribute(11, b""))),
    "an engine without its end": _service(_but(_WEB, engine=attribute(11, b"sip"))),
    "an engine of 16 letters": _service(_but(_WEB, engine=text(11, "s" * 16))),
    "an engine of 17 letters": _service(_but(_WEB, engine=text(11, "s" * 17))),
    "an unknown scheduler and engine": _service(_but(_WEB, scheduler=text(6, "nosuch"), engine=text(11, "nosuch"))),
    "a mark of 0 beside a key": _service(_but(_WEB, mark=u32(5, 0))),
    "a mark beside a key": _service(_but(_WEB, mark=u32(5, 9))),
    "a mark beside a short port": _service(_but(_WEB, mark=u32(5, 9), port=attribute(4, b"\0"))),
    "a mark alone": _service(_but(_SETTINGS, family=u16(1, 2), mark=u32(5, 9))),
    "a mark of two bytes": _service(_but(_SETTINGS, family=u16(1, 2), mark=u16(5, 9))),
    "counters": _service(_but(_WEB, stats=attribute(10, u32(1, 5)), stats64=attribute(12, bytes(7)))),
    "counters of two bytes": _service(_but(_WEB, stats=attribute(10, b"\0\0"))),
    "an unknown attribute within": _service(_but(_WEB, unknown=attribute(99, b"abc"))),
    "an attribute of kind 0 within": _service(_but(_WEB, zero=attribute(0, b"abc"))),
}

_FAULTY_SERVERS = {
    "nothing at all": b"",
    "an empty server": attribute(DEST, b""),
    "a nest of two bytes": attribute(DEST, b"\0\0"),
    "a server marked as a nest": attribute(DEST | NESTED, b"".join(_SERVER.values())),
    **{f"no {part}": _server(_but(_SERVER, **{part: None})) for part in _SERVER},
    **{f"a {part} of one byte": _server(_but(_SERVER, **{part: attribute(number, b"\1")}))
       for part, number in (("address", 1), ("port", 2), ("method", 3), ("weight", 4), ("upper threshold", 5), ("lower threshold", 6))},
    **{f"a {part} of 20 bytes": _server(_but(_SERVER, **{part: attribute(number, value.ljust(20, b"\0"))}))
       for part, number, value in (("address", 1, address_bytes(RS1)), ("port", 2, b"\0\x50"), ("method", 3, b""), ("weight", 4, b"\1"),
                                   ("upper threshold", 5, b"\5"), ("lower threshold", 6, b"\1"))},
    "counts": _server(_but(_SERVER, active=u32(7, 5), inactive=u32(8, 5), persistent=u32(9, 5))),
    "counts of a byte": _server(_but(_SERVER, active=u8(7, 5))),
    "counters of two bytes": _server(_but(_SERVER, stats=attribute(10, b"\0\0"))),
    "an unknown attribute within": _server(_but(_SERVER, unknown=attribute(99, b"abc"))),
    "a family there is none of": _server(_but(_SERVER, family=u16(11, 7))),
    "a family of 0": _server(_but(_SERVER, family=u16(11, 0))),
    "a family of a byte": _server(_but(_SERVER, family=u8(11, 2))),
    "the family of IPv6": _server(_but(_SERVER, family=u16(11, 10))),
    "the family of IPv6 through a tunnel": _server(_but(_SERVER, address=attribute(1, address_bytes(RS1_6)), family=u16(11, 10), method=u32(3, 2))),
    "a negative weight": _server(_but(_SERVER, weight=u32(4, -1))),
    "a lower threshold above the upper": _server(_but(_SERVER, lower_threshold=u32(6, 5))),
    "an upper threshold beyond what is signed": _server(_but(_SERVER, upper_threshold=u32(5, 1 << 31))),
    "a negative weight and thresholds beyond": _server(_but(_SERVER, weight=u32(4, -1), upper_threshold=u32(5, 1 << 31))),
    "thresholds both beyond": _server(_but(_SERVER, upper_threshold=u32(5, 1 << 31), lower_threshold=u32(6, -1))),
    "an address that is no server's": _server(_but(_SERVER, address=attribute(1, address_bytes("224.0.0.1")))),
    "such an address and a negative weight": _server(_but(_SERVER, address=attribute(1, address_bytes("224.0.0.1")), weight=u32(4, -1))),
    "GUE without a port": _server(_but(_SERVER, type=u8(13, GUE))),
    "GUE with a port of a byte": _server(_but(_SERVER, type=u8(13, GUE), tunnel_port=u8(14, 1))),
    "GUE with a port": _server(_but(_SERVER, type=u8(13, GUE), tunnel_port=be16(14, 6080), tunnel_flags=u16(15, 1))),
    "a type of no bytes": _server(_but(_SERVER, type=attribute(13, b""))),
    "a type that there is none of": _server(_but(_SERVER, type=u8(13, 200))),
    "tunnel flags of a byte": _server(_but(_SERVER, tunnel_flags=u8(15, 1))),
    "a method with further bits": _server(_but(_SERVER, method=u32(3, 0x103))),
}

_WRONG_CONFIGURATIONS = {
    "nothing": b"", "0": u32(4, 0) + u32(5, 0) + u32(6, 0), "all three": u32(4, 11) + u32(5, 12) + u32(6, 13), "one": u32(6, 14),
    "the largest": u32(4, 8589934), "too large a one": u32(5, 8589935), "a negative one": u32(6, -1),
    "one that is good and one that is not": u32(4, 77) + u32(6, -1), "two bytes": u16(4, 7), "eight bytes": attribute(4, b"\7".ljust(8, b"\0")),
    "a good one beside an unknown attribute": u32(6, 15) + u32(88, 1), "a service beside it": u32(6, 16) + attribute(SERVICE, b"\0\0"),
}


def _daemon(*parts):
    return attribute(DAEMON, b"".join(parts))


_FAULTY_DAEMONS = {
    "nothing at all": b"", "no state": _daemon(text(2, "lo"), u32(3, 0)), "a state of a byte": _daemon(u8(1, 1), text(2, "lo"), u32(3, 0)),
    "an interface's name without its end": _daemon(u32(1, 1), attribute(2, b"lo"), u32(3, 0)),
    "too long a name": _daemon(u32(1, 1), text(2, "i" * 16), u32(3, 0)), "a short nest": attribute(DAEMON, b"\0"),
    "an IPv6 group of four bytes": _daemon(u32(1, 2), text(2, "lo"), u32(3, 0), u32(6, 0)),
    "a port of a byte": _daemon(u32(1, 2), text(2, "lo"), u32(3, 0), u8(7, 1)),
}
_NO_DAEMONS = {
    "a master": _daemon(u32(1, 1), text(2, ""), u32(3, 0)), "a backup": _daemon(u32(1, 2)), "a state that there is none of": _daemon(u32(1, 3)),
    "a state of 0": _daemon(u32(1, 0)), "a master, marked as a nest": attribute(DAEMON | NESTED, u32(1, 1)),
}


def _trials(faults, numbers, before, prefix=b""):
    """Each fault in a request of each number, on what `before` makes; then what there is. It is removed, and so is what the faulty
    request made."""
    for words, body in faults.items():
        for number in numbers:
            yield from before
            yield Command(number, prefix + body, about=words)
            yield Command(GET_SERVICE, dump=True)
            yield Command(GET_DEST, _service(_KEY), dump=True)
            yield Command(DEL_SERVICE, _service(_KEY))
            yield Command(DEL_SERVICE, prefix + body)


# Services that stay: with the last one of a family its hooks go, which takes long.
_OTHERS = [tcp_service(VIP, 9999), tcp_service(VIP_6, 9999)]
_MADE_SERVICE = (Command(NEW_SERVICE, _service(_WEB)),)
_MADE_SERVER = (*_MADE_SERVICE, Command(NEW_DEST, _service(_KEY) + _server(_SERVER)))
_ABOUT_SERVICES = (NEW_SERVICE, SET_SERVICE, DEL_SERVICE, GET_SERVICE, ZERO)
_ABOUT_SERVERS = (NEW_DEST, SET_DEST, DEL_DEST)
_ROWS = "§5.3 SERVICE attr missing; §5.3 NEW on existing key; §5.3 SET/DEL/ZERO unknown key; §5.3 scheduler or PE unknown; §8.1 Parsing is liberal"
_SERVER_ROWS = "§5.3 DEST attr missing; §5.3 NEW already present; §5.3 SET/DEL not present; §8.1 Parsing is liberal"

SCENARIOS = [
    scenario("answers about services and servers are the same to the byte", "§8.3 Output rules",
             [tcp_service(VIP, 80, Server(RS1, 8080), Server(RS2, method=DIRECT, weight=0, upper=9, lower=3), persistent=77, netmask="255.255.0.0"),
              udp_service(VIP, 53, Server(RS1, method=TUNNEL, tunnel=GUE, tunnel_port=6080, tunnel_flags=1), flags=4),
              sctp_service(VIP_6, 80, Server(RS1_6)), udp_service(VIP, 5060, engine="sip", persistent=60), mark_service(7, Server(RS1, 80))],
             *(Command(GET_DEST, _service({"family": u16(1, family), "protocol": u16(2, protocol),
                                           "address": attribute(3, address_bytes(address).ljust(16, b"\0")), "port": be16(4, port)}), True)
               for family, protocol, address, port in ((2, 6, VIP, 80), (2, 17, VIP, 53), (10, 132, VIP_6, 80))),
             Command(GET_DEST, _service({"family": u16(1, 2), "mark": u32(5, 7)}), True), Command(GET_SERVICE, _service(_KEY)),
             Command(GET_SERVICE, dump=True), Command(GET_SERVICE, attribute(SERVICE, b""), True), Command(GET_INFO), Command(GET_CONFIG),
             Command(GET_DAEMON, dump=True), alone=True, ignore=("step 8 Command",),  # the size of a table
             expects={"step 1 Command": r"^command 5 flags 0x2: 0x2\[", "step 8 Command": r"^command 14 flags 0x0: 0x1\[01020100\] 0x2\["}),
    scenario("faulty messages about a service that is not there are answered the same", _ROWS, _OTHERS,
             *_trials(_FAULTY_SERVICES, _ABOUT_SERVICES, ()), alone=True),
    scenario("faulty messages about a service that is there are answered the same", _ROWS, _OTHERS,
             *_trials(_FAULTY_SERVICES, _ABOUT_SERVICES, _MADE_SERVICE), alone=True),
    scenario("faulty messages about a server of no service are answered the same", _SERVER_ROWS, _OTHERS,
             *_trials(_FAULTY_SERVERS, _ABOUT_SERVERS, (), _service(_KEY)), alone=True),
    scenario("faulty messages about a server that is not there are answered the same", _SERVER_ROWS, _OTHERS,
             *_trials(_FAULTY_SERVERS, _ABOUT_SERVERS, _MADE_SERVICE, _service(_KEY)), alone=True),
    scenario("faulty messages about a server that is there are answered the same", _SERVER_ROWS, _OTHERS,
             *_trials(_FAULTY_SERVERS, _ABOUT_SERVERS, _MADE_SERVER, _service(_KEY)), alone=True),
    scenario("servers of a faulty service are answered for the same", _SERVER_ROWS, _OTHERS,
             *_trials(_FAULTY_SERVICES, _ABOUT_SERVERS, _MADE_SERVICE, _server(_SERVER)), alone=True),
    scenario("timeouts of every kind are answered the same", "§8.4 SET_CONFIG", (),
             *(step for words, body in _WRONG_CONFIGURATIONS.items()
               for step in (Command(SET_CONFIG, body, about=words), Command(GET_CONFIG))), alone=True),
    scenario("faulty messages about synchronisation daemons are answered the same", "§8.2 NEW_DAEMON; §8.4 DEL_DAEMON", (),
             *(Command(number, body, about=words) for words, body in _FAULTY_DAEMONS.items() for number in (NEW_DAEMON, DEL_DAEMON)),
             *(Command(DEL_DAEMON, body, about=words) for words, body in _NO_DAEMONS.items()),
             *(Command(NEW_DAEMON, _daemon(u32(1, 1), *part), about="a part is missing") for part in ((), (text(2, "lo"),), (u32(3, 0),))),
             Command(GET_DAEMON, dump=True), alone=True),
    scenario("commands there are none of, or of another kind", "§8.2 Wrong kind", tcp_service(VIP, 80),
             *(Command(number, _service(_KEY), dump) for number in (0, 8, 11, 14, 18, 255) for dump in (False, True)), alone=True),
    scenario("listing servers of nobody", "§8.2 GET_DEST", tcp_service(VIP, 80), *(Command(GET_DEST, body, True, about=words)
             for words, body in _FAULTY_SERVICES.items()), alone=True),
]
