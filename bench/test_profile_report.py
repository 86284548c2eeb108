# SPDX-License-Identifier: GPL-2.0-only
"""Tests of how counted addresses become functions; they need no guest: `python3 -m unittest discover -s bench`."""

import unittest

import profile_report

SYMBOLS = (
    "ffffffff81000000 T ip_rcv",
    "ffffffff81000100 t ip_rcv_core",
    "ffffffff81000180 d a_variable",
    "ffffffffc0000000 t director_in\t[rvs]",
)


class PerFunction(unittest.TestCase):
    def setUp(self):
        self.symbols = profile_report.Symbols(SYMBOLS)

    def test_an_address_belongs_to_the_function_that_starts_at_or_before_it(self):
        self.assertEqual(self.symbols.at(0xFFFFFFFF81000100), ("kernel", "ip_rcv_core"))
        self.assertEqual(self.symbols.at(0xFFFFFFFF810000FF), ("kernel", "ip_rcv"))

    def test_a_variable_is_not_a_function(self):
        self.assertEqual(self.symbols.at(0xFFFFFFFF81000190), ("kernel", "ip_rcv_core"))

    def test_a_modules_function_is_known_with_its_module(self):
        self.assertEqual(self.symbols.at(0xFFFFFFFFC0000010), ("rvs", "director_in"))

    def test_the_instructions_of_a_function_are_summed_up(self):
        sums = profile_report.per_function(self.symbols, ("ffffffff81000000 3", "ffffffff81000004 4", "ffffffffc0000000 5"))
        self.assertEqual(sums, {("kernel", "ip_rcv"): 7, ("rvs", "director_in"): 5})

    def test_what_is_too_small_for_a_line_is_still_in_the_sum(self):
        lines = list(profile_report.table({("kernel", "ip_rcv"): 100.0, ("kernel", "tiny"): 1.5}))
        self.assertIn("    101.5  director cost", lines)
        self.assertTrue(lines[-1].startswith("      1.5  functions with less than"))


if __name__ == "__main__":
    unittest.main()
