# SPDX-License-Identifier: GPL-2.0-only
"""What a person reads: a line for each scenario, the differences, the sums."""


class Report:
    """Prints as it goes."""

    def __init__(self):
        self._passed = self._failed = self._pending = 0
        self._failures = []

    def compared(self, scenario, differences):
        """A scenario was run against both modules."""
        if not differences:
            self._passed += 1
            print(f"diff {scenario.name} ... ok")
            return
        self._failed += 1
        self._failures.append(scenario.name)
        print(f"diff {scenario.name} ... FAILED\n    covers {scenario.covers}; - is ip_vs, + is rvs")
        for field, difference in differences.items():
            print(f"    {field}:", *difference.splitlines(), sep="\n        ")

    def promised(self, scenario, broken):
        """C ip_vs was asked; `broken` is what it did otherwise than the scenario's name says."""
        if broken:
            self._failed += 1
            self._failures.append(f"{scenario.name} (ip_vs)")
            print(f"diff {scenario.name}: ip_vs does not do what this says ... FAILED")
            for field, text in broken.items():
                print(f"    {field}:", *text.splitlines(), sep="\n        ")

    def told(self, scenario, fields):
        """Whatever is to be said of a scenario: lines by field."""
        print(f"{scenario.name}  [{scenario.covers}]")
        for field, lines in fields.items():
            print(f"    {field}: " + "\n        ".join(lines))

    def pending(self, scenario, tags):
        """A scenario that only C ip_vs was asked."""
        self._pending += 1
        print(f"diff {scenario.name} ... pending: {', '.join(tags)}")

    def tried(self, scenario, tags, differences):
        """A pending scenario was run against both all the same: it is told how it went, but counts as pending."""
        self._pending += 1
        outcome = "same" if not differences else f"differs in {', '.join(list(differences)[:3])}"
        print(f"diff {scenario.name} ... pending: {', '.join(tags)} ({outcome})")

    def unused(self, entries):
        """An intended difference that no scenario shows is a line too many in the list."""
        for entry in entries:
            if not entry.used:
                self._failed += 1
                self._failures.append(f"intended.toml: {entry.scenario}: {entry.field}")
                print(f"intended.toml: {entry.scenario}: {entry.field}: nothing differs there ... FAILED")

    def close(self):
        """The closing line; the exit status."""
        if self._failures:
            print("\n== failed", *(f"  {name}" for name in self._failures), sep="\n")
        print(f"\n{self._passed} passed, {self._failed} failed" + (f", {self._pending} pending" if self._pending else ""))
        return 1 if self._failed else 0
