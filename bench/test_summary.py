# SPDX-License-Identifier: GPL-2.0-only
"""Tests of `summary.py`; they need no guest: `python3 -m unittest discover -s bench`."""

import unittest

import summary


def measurement(path, balancer, per_packet, *, traffic="established", packets=1000, new=0):
    return {
        "round": 1,
        "path": path,
        "balancer": balancer,
        "traffic": traffic,
        "packets": packets,
        "instructions": per_packet * packets,
        "new_connections": new,
    }


def row(measurements, path, balancer, traffic="established"):
    found = [one for one in summary.rows(measurements) if (one.path, one.balancer, one.traffic) == (path, balancer, traffic)]
    assert len(found) == 1, found
    return found[0]


GENERATOR = measurement("drop", None, 3000)


class Summary(unittest.TestCase):
    def test_the_director_cost_is_what_remains_without_the_generator(self):
        self.assertEqual(row([GENERATOR, measurement("forwarding", None, 5000)], "forwarding", None).cost, 2000)

    def test_each_kind_of_traffic_has_its_own_generator(self):
        other = measurement("drop", None, 3500, traffic="new")
        new = measurement("direct", "ip_vs", 8500, traffic="new")
        self.assertEqual(row([GENERATOR, other, new], "direct", "ip_vs", "new").cost, 5000)

    def test_a_path_whose_generator_was_not_measured_is_an_error_that_names_it(self):
        with self.assertRaisesRegex(summary.Incomplete, "direct, new"):
            summary.rows([GENERATOR, measurement("direct", "ip_vs", 8500, traffic="new")])

    def test_one_disturbed_round_does_not_move_the_figure(self):
        rounds = [measurement("direct", "ip_vs", per_packet) for per_packet in (6000, 9000, 6002)]
        figure = row([GENERATOR, *rounds], "direct", "ip_vs")
        self.assertEqual((figure.total, figure.cost), (6002, 3002))

    def test_rounds_that_differ_by_more_than_half_a_percent_are_not_steady(self):
        for last, steady in ((6029, True), (6031, False)):
            rounds = [measurement("direct", "ip_vs", per_packet) for per_packet in (6000, last)]
            self.assertEqual(row([GENERATOR, *rounds], "direct", "ip_vs").steady, steady)

    def test_of_three_rounds_one_may_be_disturbed_but_not_two(self):
        for figures, steady in (((6000, 6001, 9000), True), ((6000, 7000, 9000), False)):
            rounds = [measurement("direct", "ip_vs", per_packet) for per_packet in figures]
            self.assertEqual(row([GENERATOR, *rounds], "direct", "ip_vs").steady, steady)

    def test_the_ratio_compares_director_costs_and_not_totals(self):
        both = [measurement("direct", "ip_vs", 7000), measurement("direct", "rvs", 6000)]
        self.assertEqual(row([GENERATOR, *both], "direct", "rvs").ratio, 0.75)

    def test_a_ratio_needs_both_balancers_on_the_same_path_and_traffic(self):
        both = [measurement("tunneling", "ip_vs", 7000), measurement("direct", "rvs", 6000)]
        self.assertIsNone(row([GENERATOR, *both], "direct", "rvs").ratio)

    def test_the_goal_is_met_by_exactly_the_goal_and_missed_by_more(self):
        for per_packet, met in ((3000 + 850, True), (3000 + 851, False)):
            both = [measurement("direct", "ip_vs", 4000), measurement("direct", "rvs", per_packet)]
            self.assertEqual(row([GENERATOR, *both], "direct", "rvs").goal_met, met)

    def test_the_share_of_new_flows_counts_all_rounds(self):
        rounds = [measurement("direct", "ip_vs", 6000, new=new) for new in (1000, 500)]
        self.assertEqual(row([GENERATOR, *rounds], "direct", "ip_vs").new_share, 0.75)


if __name__ == "__main__":
    unittest.main()
