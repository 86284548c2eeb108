# SPDX-License-Identifier: GPL-2.0-only
"""Waiting for something to become true, with a deadline instead of a guess."""

import time

from .patience import patiently


def eventually(probe, expected=None, within=5.0, every=0.02):
    """Call `probe` until it returns `expected` (or, without one, something true) and return that value.

    An assertion that fails inside `probe` counts as "not yet". After `within` seconds the last answer is the error.
    """
    within = patiently(within)
    deadline = time.monotonic() + within
    while True:
        try:
            value, failure = probe(), None
            if value == expected if expected is not None else value:
                return value
        except AssertionError as error:
            value, failure = None, error
        if time.monotonic() > deadline:
            if failure is not None:
                raise failure
            wish = f"expected {expected!r}" if expected is not None else "expected something"
            raise AssertionError(f"after {within} s: {wish}, last seen {value!r}")
        time.sleep(every)
