# SPDX-License-Identifier: GPL-2.0-only
"""Making a scenario that fails shorter: steps are left out, more and more finely, as long as it still fails. One round tries all
candidates of all scenarios at once, as changing modules takes longer than playing."""

import dataclasses

from . import model
from .decode import decode

_ROUNDS = 8


class Shrinking:
    """A failing scenario on its way to fewer steps."""

    def __init__(self, scenario):
        self.scenario = scenario
        self.differences = {}
        self._name = scenario.name
        self._size = max(1, len(scenario.steps) // 2)  # how many steps are left out at once
        self.ended = False

    def candidates(self):
        """The scenario without each run of so many steps."""
        steps, size = self.scenario.steps, self._size
        for number, at in enumerate(range(0, len(steps), size)):
            shorter = steps[:at] + steps[at + size:]
            name = f"{self._name}, shortened ({len(steps)} {size} {number})"
            yield dataclasses.replace(self.scenario, name=name, steps=shorter, shared="", alone=True)

    def judge(self, failing):
        """Go on with the shortest candidate that failed, or more finely; `failing` are candidates with their differences."""
        if failing:
            self.scenario, self.differences = min(failing, key=lambda pair: len(pair[0].steps))
        elif self._size == 1:
            self.ended = True
        self._size = max(1, min(self._size // 2, len(self.scenario.steps) // 2))

    def told(self):
        """Services, settings and steps that are left, and what differs."""
        found = {"settings": [f"{name} {value}" for name, value in self.scenario.sysctls.items()] or ["none"],
                 "services": [str(service) for service in self.scenario.services]}
        for number, step in enumerate(self.scenario.steps, start=1):
            found[f"step {number} {type(step).__name__}"] = _shown_step(step)
        return found | {f"differs: {field}": text.splitlines() for field, text in self.differences.items()}


def _shown_step(step):
    if isinstance(step, (model.FromClient, model.FromServer, model.FromDirector)):
        return [decode(bytes(packet)) for packet in step.packets]
    return [str(step)]


def shortest(scenarios, compared):
    """The scenarios, each as short as it was found to fail; `compared` gives (scenario, differences) for each it is given."""
    shrinking = [Shrinking(scenario) for scenario in scenarios]
    for _ in range(_ROUNDS):
        rounds = {one: list(one.candidates()) for one in shrinking if not one.ended}
        if not rounds:
            break
        differences = {candidate.name: found for candidate, found in compared([each for tried in rounds.values() for each in tried])}
        for one, tried in rounds.items():
            one.judge([(candidate, differences[candidate.name]) for candidate in tried if differences[candidate.name]])
    return shrinking
