# SPDX-License-Identifier: GPL-2.0-only
"""Many packets from a machine, sent by its kernel."""

import ipaddress
import os
import re
import threading

from .eventually import eventually
from .kernel_setting import kernel_setting
from .namespace import execute


def long_queues():
    """Until the block ends, processors queue so many packets that a flood without pauses loses none."""
    return kernel_setting("/proc/sys/net/core/netdev_max_backlog", 300_000)


def provide_generator():
    """Load what sends floods, for whoever must not have modules loaded later."""
    execute(["modprobe", "pktgen"])


class Flood:
    """UDP datagrams of many flows from `node` to a service, by the kernel's packet generator on some or all processors.

    Each processor sends the same sequence of source ports, `ports` of them, again and again. `count` is how many packets each
    sends; 0 is without end. `gap` is the pause between two packets in nanoseconds; from 100,000 on it
    leaves the processor to others. With `sources`, as many addresses from `source` on take turns: there are as many flows as ports
    and addresses have in their least common multiple. `more` are further words to the generator.
    """

    def __init__(self, node, service, towards, device="eth0", source=None, ports=10000, first_port=20000, count=0, gap=200_000,
                 processors=os.cpu_count(), sources=1, more=()):
        provide_generator()
        self._node, self._processors = node, processors
        for cpu in range(processors):
            generator = f"{device}@{cpu}"
            source = source or node.address_like(service.address)
            if ":" not in source:
                ends = [f"src_min {source}", f"src_max {ipaddress.IPv4Address(source) + sources - 1}", f"dst {service.address}"]
            else:
                ends = [f"src6 {source}", f"dst6 {service.address}", "flag UDPCSUM"]
            self._write(f"kpktgend_{cpu}", "rem_device_all", f"add_device {generator}")
            self._write(generator, f"count {count}", "clone_skb 0", "pkt_size 64", f"delay {gap}", f"dst_mac {towards.hex(':')}", *ends,
                        f"udp_dst_min {service.port}", f"udp_dst_max {service.port}", f"udp_src_min {first_port}",
                        f"udp_src_max {first_port + ports}", *more)
        self._generators = [f"{device}@{cpu}" for cpu in range(processors)]
        self._start()
        eventually(lambda: self._has_sent() or not self._thread.is_alive(), within=20)
        while not self._has_sent():
            self._thread.join()  # its threads were not ready yet, and it gave up
            self._start()
            eventually(lambda: self._has_sent() or not self._thread.is_alive(), within=20)

    def _start(self):
        self._thread = threading.Thread(target=self._write, args=("pgctrl", "start"), daemon=True)  # returns when all is sent
        self._thread.start()

    def _has_sent(self):
        return all(re.search(r"pkts-sofar: [1-9]", self._node.read(f"/proc/net/pktgen/{name}")) for name in self._generators)

    def sent(self):
        """How many packets were sent until now."""
        return sum(int(re.search(r"pkts-sofar: (\d+)", self._node.read(f"/proc/net/pktgen/{name}"))[1]) for name in self._generators)

    def wait(self):
        """Until `count` packets are sent."""
        self._thread.join()

    def stop(self):
        self._write("pgctrl", "stop")
        self._thread.join()
        for cpu in range(self._processors):
            self._write(f"kpktgend_{cpu}", "rem_device_all")
        execute(["rmmod", "pktgen"])

    def _write(self, file, *commands):
        for command in commands:
            with self._node, open(f"/proc/thread-self/net/pktgen/{file}", "w", encoding="ascii") as control:
                control.write(command + "\n")
