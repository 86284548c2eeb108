# SPDX-License-Identifier: GPL-2.0-only
"""The suite's own parts that need no guest are tested by pytest; the scenarios are not pytest's."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import harness  # noqa: E402, F401  # finds the guest tests' lab
from lab import marks  # noqa: E402


def pytest_configure(config):
    marks.register(config)
