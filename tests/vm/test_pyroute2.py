# SPDX-License-Identifier: GPL-2.0-only
"""pyroute2, an independent implementation of the netlink family's client side: what it configures, and what it reads."""

import json
import os

import pytest

PYPI = "/usr/local/lib/pypi"

pytestmark = pytest.mark.skipif(not os.path.isdir(f"{PYPI}/pyroute2"), reason="the toolroot could not get pyroute2 from PyPI")

# What a program does with it; it prints what it sees as JSON, a line each.
PROGRAM = """
import json, socket
from pyroute2 import IPVS, IPVSDest, IPVSService
from pyroute2.netlink.exceptions import NetlinkError

def told(message, nest):
    return {name.removeprefix("IPVS_SVC_ATTR_").removeprefix("IPVS_DEST_ATTR_"): value for name, value in message.get(nest)["attrs"]}

def attempt(action, *arguments, **more):
    try:
        return list(action(*arguments, **more)) and "ok"
    except NetlinkError as error:
        return error.code

def show():
    listed = []
    for message in ipvs.service("dump"):
        service = IPVSService.from_message(message)
        servers = [told(one, "IPVS_CMD_ATTR_DEST") for one in ipvs.dest("dump", service=service)]
        listed.append([told(message, "IPVS_CMD_ATTR_SERVICE"), servers])
    print(json.dumps(listed, default=str))

ipvs = IPVS()
web = IPVSService(addr="192.0.2.1", port=80, protocol=socket.IPPROTO_TCP, sched_name="rr")
six = IPVSService(addr="2001:db8:2::1", port=53, protocol=socket.IPPROTO_UDP, netmask="128.0.0.0")
marked = IPVSService(fwmark=7, af=socket.AF_INET, netmask="255.255.255.255", sched_name="sh")
one = IPVSDest(addr="10.1.0.11", port=8080, fwd_method=0, weight=3)
two = IPVSDest(addr="10.1.0.12", port=80, u_thresh=9, l_thresh=2)
for service in (web, six, marked):
    ipvs.service("add", service=service)
ipvs.dest("add", service=web, dest=one)
ipvs.dest("add", service=web, dest=two)
ipvs.dest("add", service=six, dest=IPVSDest(addr="2001:db8:1::11", port=53))
show()
print(json.dumps([attempt(ipvs.service, "add", service=web), attempt(ipvs.dest, "add", service=web, dest=one),
                  attempt(ipvs.service, "del", service=IPVSService(addr="192.0.2.9", port=80, protocol=6)),
                  attempt(ipvs.dest, "del", service=web, dest=IPVSDest(addr="10.1.0.99", port=80)),
                  attempt(ipvs.service, "add", service=IPVSService(addr="192.0.2.9", port=80, protocol=6, sched_name="nosuch"))]))
ipvs.service("set", service=IPVSService(addr="192.0.2.1", port=80, protocol=socket.IPPROTO_TCP, sched_name="wlc", timeout=77,
                                        flags={"flags": 1, "mask": 1}))
ipvs.dest("set", service=web, dest=IPVSDest(addr="10.1.0.12", port=80, weight=0, fwd_method=2, tun_type=2))
ipvs.dest("del", service=web, dest=one)
ipvs.service("del", service=six)
ipvs.service("del", service=marked)
show()
"""
COUNTERS = {"STATS", "STATS64"}
WEB = {"AF": 2, "PROTOCOL": 6, "ADDR": "192.0.2.1", "PORT": 80, "SCHED_NAME": "rr", "FLAGS": {"flags": 2, "mask": 2**32 - 1}, "TIMEOUT": 0,
       "NETMASK": "255.255.255.255"}
COUNTS = {"ACTIVE_CONNS": 0, "INACT_CONNS": 0, "PERSIST_CONNS": 0}
ONE = {"ADDR": "10.1.0.11", "PORT": 8080, "FWD_METHOD": 0, "WEIGHT": 3, "TUN_TYPE": 0, "TUN_PORT": 0, "TUN_FLAGS": 0, "U_THRESH": 0,
       "L_THRESH": 0, "ADDR_FAMILY": 2} | COUNTS
TWO = ONE | {"ADDR": "10.1.0.12", "PORT": 80, "FWD_METHOD": 3, "WEIGHT": 1, "U_THRESH": 9, "L_THRESH": 2}
EEXIST, ESRCH, ENOENT = 17, 3, 2


def without_counters(attributes):
    assert COUNTERS <= attributes.keys()
    return {name: value for name, value in attributes.items() if name not in COUNTERS}


def by_service(listed):
    """Services and servers by what services are known by."""
    return {service.get("FWMARK") or service["ADDR"]: (without_counters(service), [without_counters(server) for server in servers])
            for service, servers in listed}


def test_pyroute2_configures_and_lists_services_and_servers(lab, balancer):
    printed = lab.director.run("env", f"PYTHONPATH={PYPI}", "python3", "-c", PROGRAM).splitlines()
    first, refusals, second = map(json.loads, printed)
    listed = by_service(first)
    assert listed.keys() == {"192.0.2.1", "2001:db8:2::1", 7}
    assert listed["192.0.2.1"] == (WEB, [TWO, ONE])  # the newest first
    assert listed["2001:db8:2::1"][1] == [ONE | {"ADDR": "2001:db8:1::11", "PORT": 53, "FWD_METHOD": 3, "WEIGHT": 1, "ADDR_FAMILY": 10}]
    assert listed[7] == ({name: value for name, value in WEB.items() if name not in ("PROTOCOL", "ADDR", "PORT")} |
                         {"FWMARK": 7, "SCHED_NAME": "sh"}, [])
    assert refusals == [EEXIST, EEXIST, ESRCH, ENOENT, ENOENT]
    assert by_service(second) == {"192.0.2.1": (
        WEB | {"SCHED_NAME": "wlc", "TIMEOUT": 77, "FLAGS": {"flags": 3, "mask": 2**32 - 1}},
        [TWO | {"WEIGHT": 0, "FWD_METHOD": 2, "TUN_TYPE": 2, "U_THRESH": 0, "L_THRESH": 0}])}
    assert balancer.command("-S", "-n") == """\
-A -t 192.0.2.1:80 -s wlc -p 77
-a -t 192.0.2.1:80 -r 10.1.0.12:80 -i -w 0 --tun-type gre --tun-nocsum
"""
