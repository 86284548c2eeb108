# SPDX-License-Identifier: GPL-2.0-only
"""The scenarios, a file for each subject: every module here has a list SCENARIOS."""

import importlib
import pkgutil


def all_scenarios():
    """Every scenario, in the order of files and of their lists. Two of one name are an error."""
    found = {}
    for module in sorted(module.name for module in pkgutil.iter_modules(__path__)):
        for scenario in importlib.import_module(f"{__name__}.{module}").SCENARIOS:
            if scenario.name in found:
                raise ValueError(f"two scenarios are called: {scenario.name}")
            found[scenario.name] = scenario
    return list(found.values())
