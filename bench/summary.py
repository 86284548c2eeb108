# SPDX-License-Identifier: GPL-2.0-only
"""From raw measurements to the figures people compare: medians, director cost, spread, ratio. No input or output here."""

import dataclasses
import statistics

GOAL = 0.85
"""A path meets the goal if its director cost with rvs is at most this part of the cost with C ip_vs."""

STEADY = 0.005
"""Rounds may differ by this part of the figure; more than that, and something disturbs the measurement."""

GENERATOR = "drop"
REFERENCE = "ip_vs"
CANDIDATE = "rvs"


class Incomplete(Exception):
    """The raw figures lack one that others are computed from."""


@dataclasses.dataclass(frozen=True)
class Row:
    """One path, one kind of traffic, one balancer (or `None`), over all rounds; instructions per packet."""

    path: str
    traffic: str
    balancer: str | None
    total: float
    """Median over the rounds, the generator's work included."""
    cost: float
    """Director cost: the total minus what generating the same traffic costs."""
    spread: float
    """How far the rounds are apart, as a part of the figure; of three rounds and more the farthest is left out, as in the median."""
    new_share: float
    """New connections per packet."""
    rounds: int
    ratio: float | None = None
    """Of rvs to C ip_vs in director cost; only in rvs's rows, and only if both were measured."""

    @property
    def steady(self):
        """Whether the rounds agree."""
        return self.spread <= STEADY

    @property
    def goal_met(self):
        """Whether rvs is enough cheaper than C ip_vs; `None` where there is nothing to compare."""
        return None if self.ratio is None else self.ratio <= GOAL


def rows(measurements):
    """One `Row` per path, traffic and balancer, in the order of the first round."""
    groups = {}
    for one in measurements:
        groups.setdefault((one["path"], one["traffic"], one["balancer"]), []).append(one)
    totals = {key: [one["instructions"] / one["packets"] for one in some] for key, some in groups.items()}
    costs = {key: statistics.median(some) - _generator(totals, key) for key, some in totals.items()}
    return [
        Row(
            *key,
            total=statistics.median(some),
            cost=costs[key],
            spread=_spread(some),
            new_share=sum(one["new_connections"] for one in groups[key]) / sum(one["packets"] for one in groups[key]),
            rounds=len(some),
            ratio=_ratio(costs, key),
        )
        for key, some in totals.items()
    ]


def _spread(figures):
    middle = statistics.median(figures)
    near = sorted(figures, key=lambda figure: abs(figure - middle))
    kept = near[:-1] if len(near) > 2 else near
    return (max(kept) - min(kept)) / middle


def _generator(totals, key):
    path, traffic, _ = key
    try:
        return statistics.median(totals[GENERATOR, traffic, None])
    except KeyError:
        raise Incomplete(f"{path}, {traffic}: what generating this traffic costs was not measured") from None


def _ratio(costs, key):
    path, traffic, balancer = key
    reference = costs.get((path, traffic, REFERENCE))
    return costs[key] / reference if balancer == CANDIDATE and reference else None
