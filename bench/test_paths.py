# SPDX-License-Identifier: GPL-2.0-only
"""Tests of what `--only` chooses; they need no guest: `python3 -m unittest discover -s bench`."""

import unittest

import paths


def chosen(*words):
    selected, names = paths.select(words)
    return {(path.name, path.traffic.name) for path in selected}, names


class Selection(unittest.TestCase):
    def test_without_words_everything_is_measured(self):
        selected, names = chosen()
        self.assertEqual(selected, {(path.name, path.traffic.name) for path in paths.BALANCED})
        self.assertEqual(names, ("ip_vs", "rvs"))

    def test_words_of_different_kinds_narrow_each_other(self):
        self.assertEqual(chosen("direct", "new", "rvs"), ({("direct", "new")}, ("rvs",)))

    def test_words_of_the_same_kind_add_up(self):
        selected, _ = chosen("direct", "tunneling", "established")
        self.assertEqual(selected, {("direct", "established"), ("tunneling", "established")})

    def test_a_method_may_be_abbreviated(self):
        self.assertEqual(chosen("dr", "masq"), chosen("direct", "masquerading"))

    def test_an_unknown_word_is_named_together_with_what_would_be_right(self):
        with self.assertRaisesRegex(ValueError, "'dsr' is none of .*direct"):
            paths.select(["direct", "dsr"])


if __name__ == "__main__":
    unittest.main()
