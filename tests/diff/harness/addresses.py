# SPDX-License-Identifier: GPL-2.0-only
"""Who is where. There is no machine behind any of these but the director: the harness plays all others.

      outside                                                     inside
      clients     10.0.0.2 .. .4     eth0 director eth1           servers      10.1.0.11 .. .14
      a router    10.0.0.254     10.0.0.1      10.1.0.1           a router     10.1.0.254

Behind the router outside: far clients in 198.18.0.0/15, and the Internet, 203.0.113.0/24. Behind the router inside: distant
servers in 10.2.0.0/24, to which 1400 bytes fit, and in 10.7.0.0/24, to which hardly any. Virtual addresses are all of 192.0.2.0/24.
IPv6 has the same in the same places.
Every neighbour has a hardware address that tells who it is, so that the next hop of a packet can be seen.
"""

CLIENT, CLIENT2, CLIENT3 = "10.0.0.2", "10.0.0.3", "10.0.0.4"
VIP, VIP2, VIP3 = "192.0.2.1", "192.0.2.2", "192.0.2.3"
RS1, RS2, RS3, RS4 = "10.1.0.11", "10.1.0.12", "10.1.0.13", "10.1.0.14"
DISTANT = "10.2.0.11"  # a server behind a link of 1400 bytes
NARROW = "10.7.0.11"  # a server behind a link that takes less than a tunnel must
UNREACHABLE = "10.8.0.11"  # a server to which there is no route
LOCAL = "10.3.0.1"  # a server on the director
DIRECTOR_OUTSIDE, DIRECTOR_INSIDE = "10.0.0.1", "10.1.0.1"
ROUTER_OUTSIDE, ROUTER_INSIDE = "10.0.0.254", "10.1.0.254"
INTERNET = "203.0.113.5"  # somebody who is no server

CLIENT_6, CLIENT2_6, CLIENT3_6 = "fd00::2", "fd00::3", "fd00::4"
VIP_6, VIP2_6, VIP3_6 = "2001:db8::1", "2001:db8::2", "2001:db8::3"
RS1_6, RS2_6, RS3_6, RS4_6 = "fd00:1::11", "fd00:1::12", "fd00:1::13", "fd00:1::14"
DISTANT_6 = "fd00:2::11"
NARROW_6 = "fd00:7::11"
UNREACHABLE_6 = "fd00:8::11"
LOCAL_6 = "fd00:3::1"
DIRECTOR_OUTSIDE_6, DIRECTOR_INSIDE_6 = "fd00::1", "fd00:1::1"
ROUTER_OUTSIDE_6, ROUTER_INSIDE_6 = "fd00::fe", "fd00:1::fe"
INTERNET_6 = "2001:db8:113::5"

DISTANT_MTU = 1400
NARROW_MTU, NARROW_MTU_6 = 80, 1300  # too little for what a tunnel must carry
GUE_PORT = 6080


def far_client(number):
    """One of 131,072 clients behind the router outside."""
    return f"198.{18 + (number >> 16 & 1)}.{number >> 8 & 255}.{number & 255}"


def far_client_6(number):
    return f"fd00:18::{number + 1:x}"


# What the lab is made of.
OWN = {  # device: addresses with the length of their network
    "lo": [("127.0.0.1", 8), (LOCAL, 32), ("::1", 128), (LOCAL_6, 128)],
    "eth0": [(DIRECTOR_OUTSIDE, 24), (DIRECTOR_OUTSIDE_6, 64)],
    "eth1": [(DIRECTOR_INSIDE, 24), (DIRECTOR_INSIDE_6, 64)],
}
LOCAL_NETWORKS = [("192.0.2.0", 24), ("2001:db8::", 64)]
ROUTES = [  # network, length, router, MTU or None
    ("198.18.0.0", 15, ROUTER_OUTSIDE, None), ("203.0.113.0", 24, ROUTER_OUTSIDE, None),
    ("10.2.0.0", 24, ROUTER_INSIDE, DISTANT_MTU),
    ("fd00:18::", 64, ROUTER_OUTSIDE_6, None), ("2001:db8:113::", 48, ROUTER_OUTSIDE_6, None),
    ("fd00:2::", 64, ROUTER_INSIDE_6, DISTANT_MTU),
    ("10.7.0.0", 24, ROUTER_INSIDE, NARROW_MTU), ("fd00:7::", 64, ROUTER_INSIDE_6, NARROW_MTU_6),
]
UNREACHABLE_NETWORKS = [("10.8.0.0", 24), ("fd00:8::", 64)]
SENTINEL = {"outside": "10.0.0.250", "inside": "10.1.0.250"}  # whose packets tell that all before them have been dealt with
NEIGHBOURS = {
    "eth0": [CLIENT, CLIENT2, CLIENT3] + [ROUTER_OUTSIDE, SENTINEL["outside"]] +
            [CLIENT_6, CLIENT2_6, CLIENT3_6] + [ROUTER_OUTSIDE_6],
    "eth1": [RS1, RS2, RS3, RS4] + [ROUTER_INSIDE, SENTINEL["inside"]] +
            [RS1_6, RS2_6, RS3_6, RS4_6] + [ROUTER_INSIDE_6],
}
SIDE_OF = {"eth0": "outside", "eth1": "inside"}


def hardware_address(device, number):
    """Of the director's own end (number 0), or of its neighbour number 1, 2, … of `NEIGHBOURS[device]`."""
    return bytes([2, 0, 0, 0, int(device[3:]), number])


NEIGHBOUR_NAMES = {hardware_address(device, number): neighbour
                   for device, all_of_them in NEIGHBOURS.items() for number, neighbour in enumerate(all_of_them, start=1)}
DIRECTORS_OWN = frozenset(own for all_of_them in OWN.values() for own, _ in all_of_them)


class Family:
    """The addresses of one family under the names they have for IPv4: `V6.CLIENT` is CLIENT_6. `word` goes into names of scenarios."""

    def __init__(self, number, word, suffix, far_client_of):
        self.number, self.word = number, word
        self.far_client = far_client_of
        self._suffix = suffix

    def __getattr__(self, name):
        return globals()[name + self._suffix]


V4 = Family(4, "IPv4", "", far_client)
V6 = Family(6, "IPv6", "_6", far_client_6)
FAMILIES = (V4, V6)
