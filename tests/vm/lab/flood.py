# SPDX-License-Identifier: GPL-2.0-only
"""Many packets from a machine, sent by its kernel."""

import os
import threading

from .namespace import execute


class Flood:
    """UDP datagrams of many flows from `node` to a service, by the kernel's packet generator on some or all processors.

    Each processor sends the same sequence of source ports, `ports` of them, again and again. `count` is how many packets each
    sends; 0 is without end. `gap` is the pause between two packets in nanoseconds, so that the machine can do something else.
    """

    def __init__(self, node, service, towards, device="eth0", source=None, ports=10000, first_port=20000, count=0, gap=50_000,
                 processors=os.cpu_count()):
        execute(["modprobe", "pktgen"])
        self._node, self._processors = node, processors
        for cpu in range(processors):
            generator = f"{device}@{cpu}"
            self._write(f"kpktgend_{cpu}", "rem_device_all", f"add_device {generator}")
            self._write(generator, f"count {count}", "clone_skb 0", "pkt_size 64", f"delay {gap}", f"dst_mac {towards.hex(':')}",
                        f"src_min {source or node.address}", f"src_max {source or node.address}", f"dst {service.address}",
                        f"udp_dst_min {service.port}", f"udp_dst_max {service.port}", f"udp_src_min {first_port}",
                        f"udp_src_max {first_port + ports}")
        self._thread = threading.Thread(target=self._write, args=("pgctrl", "start"), daemon=True)  # returns when all is sent
        self._thread.start()

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
