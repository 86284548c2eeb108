# SPDX-License-Identifier: GPL-2.0-only
"""A load balancer's surroundings in one machine: client, director and real servers as network namespaces.

Here live the topology, the programs on it, the ways to drive a balancer and to look at packets. What is expected of a
balancer does not: that is for the scenarios in the folder above.
"""

from .balancer import Connection, Mark, RealServer, Service, Stats
from .capture import Capture
from .eventually import eventually
from .ghost import Ghost
from .marks import dual_stack, several_processors
from .namespace import CommandFailed, Namespace
from .patience import in_that_time, patiently
from .programs import TcpPrograms, UdpPrograms
from .topology import (CLIENT, DIRECTOR_INSIDE, DIRECTOR_OUTSIDE, IPV4, IPV6, METHODS, VIP, VIP6, Lab, Plan, either_family,
                       whichever_method)

__all__ = [
    "CLIENT", "Capture", "CommandFailed", "Connection", "DIRECTOR_INSIDE", "DIRECTOR_OUTSIDE", "Ghost", "IPV4", "IPV6", "Lab",
    "METHODS", "Mark", "Namespace", "Plan", "RealServer", "Service", "Stats", "TcpPrograms", "UdpPrograms", "VIP", "VIP6", "dual_stack",
    "either_family", "eventually", "in_that_time", "patiently", "several_processors", "whichever_method",
]
