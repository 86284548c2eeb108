# SPDX-License-Identifier: GPL-2.0-only
"""Loading one balancer, giving it a virtual service, and making sure that it, and not the other one, has the packets.

Both balancers are driven by `ipvsadm`. What is measured does not live here.
"""

import contextlib
import os
import re
import time

import lab

GUE_PORT = 6080
METHOD_OPTIONS = {
    "direct": ("-g",),
    "masquerading": ("-m",),
    "tunneling": ("-i",),
    "gue": ("-i", "--tun-type", "gue", "--tun-port", str(GUE_PORT)),
    "gre": ("-i", "--tun-type", "gre"),
}
SCHEDULER = "rr"
UDP_TIMEOUT = 3600
"""Seconds. The guest's clock leaps ahead while it waits for a busy host; no connection may end because of that."""

UNLOAD_ATTEMPTS = 3000
"""Tries to unload a module after the namespaces it served were deleted: their end takes the kernel a moment,
and C ip_vs with a million connections more than half a minute."""


class BalancerFailed(Exception):
    """A balancer could not be loaded or unloaded, or is not the one that is loaded."""


class IpVs:
    """The kernel's own C module."""

    name = "ip_vs"

    def load(self):
        lab.run("modprobe", "--all", "ip_vs", f"ip_vs_{SCHEDULER}")

    def unload(self):
        lab.run("modprobe", "--remove", f"ip_vs_{SCHEDULER}", "ip_vs")


class Rvs:
    """This project's module."""

    name = "rvs"

    def __init__(self, module):
        self.module = module

    def load(self):
        needed = lab.run("modinfo", "--field", "depends", self.module).strip()
        if needed:
            lab.run("modprobe", "--all", *needed.split(","))
        lab.run("insmod", self.module)

    def unload(self):
        lab.run("rmmod", self.name)


def check_alone(balancer):
    """Raises `BalancerFailed` unless this balancer is loaded and the other is not; `None` means: neither."""
    loaded = [name for name in (IpVs.name, Rvs.name) if os.path.isdir(f"/sys/module/{name}")]
    wanted = [balancer.name] if balancer else []
    if loaded != wanted:
        raise BalancerFailed(f"loaded: {loaded or 'no balancer'}; should be: {wanted or 'no balancer'}")


@contextlib.contextmanager
def loaded(balancer):
    """The balancer is loaded, alone, for the length of the block; `None` means that none is."""
    check_alone(None)
    if balancer:
        balancer.load()
    check_alone(balancer)
    try:
        yield
    finally:
        if balancer:
            _unload(balancer)


def _unload(balancer):
    # A deleted namespace is torn down by a kernel worker, and there is no event that tells its end.
    for attempt in range(1, UNLOAD_ATTEMPTS + 1):
        try:
            return balancer.unload()
        except lab.CommandFailed as error:
            if attempt == UNLOAD_ATTEMPTS:
                raise BalancerFailed(f"{balancer.name} cannot be unloaded: {error}") from error
        time.sleep(0.1)


def serve(method, servers, vip):
    """Makes the virtual service of the address with the given real servers in the director's namespace."""
    service = _endpoint(vip, lab.VIP_PORT)
    port = lab.SERVER_PORT if method == "masquerading" else lab.VIP_PORT
    lab.in_director("ipvsadm", "--set", "0", "0", str(UDP_TIMEOUT))
    lab.in_director("ipvsadm", "--add-service", "-u", service, "-s", SCHEDULER)
    for server in servers:
        lab.in_director("ipvsadm", "--add-server", "-u", service, "-r", _endpoint(server, port), *METHOD_OPTIONS[method])


def _endpoint(address, port):
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def connections():
    """Connections that the director's real servers have now."""
    listing = lab.in_director("ipvsadm", "--list", "--numeric")
    rows = re.findall(r"^  -> \S+:\d+\s+\w+\s+\d+\s+(\d+)\s+(\d+)\s*$", listing, re.MULTILINE)
    return sum(int(active) + int(inactive) for active, inactive in rows)
