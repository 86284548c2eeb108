#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Runs scenarios against C ip_vs and against rvs in one boot and compares, field by field. Runs in the guest, as root.

    run.py [--only PATTERN]... [--module ip_vs|rvs]... [--try-pending] [--show]
    run.py --list | --coverage
"""

import argparse
import sys

from harness import lists, report
from harness.compare import broken_promises, compare, shown
from harness.features import features
from harness.share import packed


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", default=[], metavar="TEXT",
                        help="scenarios whose name, file or rows contain this text; may be repeated")
    parser.add_argument("--try-pending", action="store_true", help="run what is pending against rvs too, and compare")
    parser.add_argument("--oracle", action="store_true", help="only C ip_vs")
    parser.add_argument("--show", action="store_true", help="print what C ip_vs did in each scenario")
    parser.add_argument("--list", action="store_true", help="print the scenarios with the features they need, and run nothing")
    parser.add_argument("--coverage", action="store_true", help="print which scenarios cover which row, and run nothing")
    return parser.parse_args()


def chosen(options):
    from scenarios import all_scenarios
    scenarios = all_scenarios()
    if not options.only:
        return scenarios
    return [one for one in scenarios if any(text in part for text in options.only for part in (one.name, one.covers))]


def main():
    options = arguments()
    scenarios = chosen(options)
    if options.coverage:
        print(report.coverage(scenarios))
        return 0
    if options.list:
        for one in scenarios:
            print(f"{one.name}  [{one.covers}]  {', '.join(features(one))}")
        return 0
    if not scenarios:
        print("no scenario fits --only", file=sys.stderr)
        return 2
    from harness import guest
    missing, entries = lists.pending(), lists.intended()
    lines = report.Report()
    scenarios = packed(scenarios)
    with guest.prepared():
        oracle = guest.outcomes("ip_vs", scenarios)
        for one in scenarios:
            lines.promised(one, broken_promises(one, oracle[one.name]))
        if options.show:
            for one in scenarios:
                print(f"{one.name}  [{one.covers}]")
                for field, value in oracle[one.name].fields.items():
                    if value != []:
                        print(f"    {field}: " + "\n        ".join(shown(value)))
        if options.oracle:
            return lines.close()
        for one in scenarios:
            if not options.try_pending and missing.of(one):
                lines.pending(one, missing.of(one))
        ours = [one for one in scenarios if options.try_pending or not missing.of(one)]

        def judge(one, outcome):
            differences = lists.unintended(one, compare(one, oracle[one.name], outcome), entries)
            if options.try_pending and missing.of(one):
                lines.tried(one, missing.of(one), differences)
            else:
                lines.compared(one, differences)
        guest.outcomes("rvs", ours, judge)
    if not options.only:
        lines.unused(entries)
    return lines.close()


if __name__ == "__main__":
    sys.exit(main())
