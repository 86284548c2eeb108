# SPDX-License-Identifier: GPL-2.0-only
"""What runs a scenario against a module and compares what came of it.

From the bottom up: `wire` builds packets and `decode` says what is in them; `model` is what scenarios are written in;
`rtnetlink` and `ipvs` speak to the kernel; `lab` is a director with a wire on each side; `execute` plays a scenario in a lab;
`normal` takes out what is random by nature; `compare` finds differences; `features` and `lists` know what cannot be compared yet
and what differs on purpose. What a balancer should do is said nowhere here: C ip_vs says it.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "vm"))  # the guest tests' lab: packets, modules, kernel log
