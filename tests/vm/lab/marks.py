# SPDX-License-Identifier: GPL-2.0-only
"""What scenarios are marked with."""

import pytest

_MEANINGS = {
    "rvs_only": "about something that C ip_vs does not have",
    "dual_stack": "the machines have IPv6 too",
    "several_processors": "about what happens at the same time; not for a guest that has one processor",
}

dual_stack, several_processors = pytest.mark.dual_stack, pytest.mark.several_processors


def register(config):
    """Have pytest know them."""
    for name, meaning in _MEANINGS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")
