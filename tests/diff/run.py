#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Runs scenarios against C ip_vs and against rvs in one boot and compares, field by field. Runs in the guest, as root.

    run.py [--only PATTERN]... [--brief | --every N] [--part K/N] [--try-pending] [--show]
    run.py --random COUNT [--seed SEED] [--first NUMBER] [--part K/N]
    run.py --list | --coverage
"""

import argparse
import random
import re
import sys

from harness import lists, report
from harness.compare import broken_promises, compare, shown
from harness.coverage import one_for_each_row, told
from harness.features import features
from harness.share import packed, part_of


def part(text):
    """Which part of how many."""
    which, _, count = text.partition("/")
    if not 1 <= int(which) <= int(count):
        raise ValueError
    return int(which), int(count)


def pattern(text):
    try:
        return re.compile(text)
    except re.PatternError as error:
        raise argparse.ArgumentTypeError(f"not a regular expression: {error}") from error


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", type=pattern, default=[], metavar="PATTERN",
                        help="scenarios in whose name or rows this regular expression is found; may be repeated")
    parser.add_argument("--every", type=int, default=1, metavar="N",
                        help="only each Nth scenario, a cross-section in a fraction of the time")
    parser.add_argument("--brief", action="store_true", help="one scenario for each row: a cross-section that misses nothing")
    parser.add_argument("--part", type=part, default=(1, 1), metavar="K/N", help="the Kth of N parts of about the same length")
    parser.add_argument("--try-pending", action="store_true", help="run what is pending against rvs too, and compare")
    parser.add_argument("--oracle", action="store_true", help="only C ip_vs")
    parser.add_argument("--show", action="store_true", help="print what C ip_vs did in each scenario")
    parser.add_argument("--random", type=int, default=0, metavar="COUNT", help="run so many scenarios drawn by lot instead")
    parser.add_argument("--seed", type=int, default=None, help="what the lot depends on; without it another one each time")
    parser.add_argument("--first", type=int, default=0, metavar="NUMBER", help="number of the first one drawn by lot")
    parser.add_argument("--list", action="store_true", help="print the scenarios with the features they need, and run nothing")
    parser.add_argument("--coverage", action="store_true", help="print which scenarios cover which row, and run nothing")
    return parser.parse_args()


def chosen(options):
    from scenarios import all_scenarios
    scenarios = all_scenarios()[::options.every]
    if options.brief:
        scenarios = one_for_each_row(scenarios)
    if not options.only:
        return scenarios
    return [one for one in scenarios if any(wanted.search(part) for wanted in options.only for part in (one.name, one.covers))]


def run(scenarios, options):
    """Scenarios against both modules; the exit status."""
    from harness import guest
    missing, entries, lines = lists.pending(), lists.intended(), report.Report()
    scenarios = part_of(packed(scenarios), *options.part)
    with guest.prepared():
        oracle = guest.outcomes("ip_vs", scenarios)
        for one in scenarios:
            lines.promised(one, broken_promises(one, oracle[one.name]))
            if options.show:
                lines.told(one, {field: shown(value) for field, value in oracle[one.name].fields.items() if value != []})
        if options.oracle:
            return lines.close()
        for one in scenarios:
            if not options.try_pending and missing.of(one):
                lines.pending(one, missing.of(one))

        def judge(one, outcome):
            differences = lists.unintended(one, compare(one, oracle[one.name], outcome), entries)
            if options.try_pending and missing.of(one):
                lines.tried(one, missing.of(one), differences)
            else:
                lines.compared(one, differences)
        guest.outcomes("rvs", [one for one in scenarios if options.try_pending or not missing.of(one)], judge)
    lines.unused(lists.judged(entries, scenarios))
    return lines.close()


def run_random(options):
    """Scenarios drawn by lot, a thousand at a time; of the first that fail, the shortest that still does is looked for."""
    from harness import guest, randomly, shrink
    from harness.late import without_late_errors
    seed = random.SystemRandom().randrange(1 << 32) if options.seed is None else options.seed
    print(f"# --seed {seed}")
    missing, lines = lists.pending().missing.keys(), report.Report()
    which, count = options.part
    begin, end = (options.first + options.random * number // count for number in (which - 1, which))
    failing = []

    def compared(scenarios):
        return [(one, without_late_errors(differences)) for one, differences in guest.compared(scenarios)]

    with guest.prepared():
        for first in range(begin, end, 1000):
            scenarios = [randomly.sequence(seed, number, missing) for number in range(first, min(first + 1000, end))]
            for one, differences in compared(scenarios):
                lines.compared(one, differences)
                if differences:
                    failing.append(one)
        for one in shrink.shortest(failing[:5], compared):
            lines.told(one.scenario, one.told())
    return lines.close()


def main():
    options = arguments()
    if options.random:
        return run_random(options)
    scenarios = chosen(options)
    if options.coverage:
        print(told(scenarios))
        return 0
    if options.list:
        for one in scenarios:
            print(f"{one.name}  [{one.covers}]  {', '.join(features(one))}")
        return 0
    if not scenarios:
        print("no scenario fits --only", file=sys.stderr)
        return 2
    return run(scenarios, options)


if __name__ == "__main__":
    sys.exit(main())
