# SPDX-License-Identifier: GPL-2.0-only
"""What a person sees of the bench: the table on the terminal, and the plot. How the figures are computed: see `summary.py`."""

import json
import os
import sys

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plot  # noqa: E402  # the backend comes first

import summary

LABELS = {
    "drop": "tc ingress drop (the generator)",
    "redirect": "tc ingress redirect (the floor)",
    "local_in": "dropped at LOCAL_IN",
    "forwarding": "plain forwarding",
    "direct": "direct routing",
    "masquerading": "masquerading",
    "tunneling": "tunneling, IP in IP",
    "gue": "tunneling, GUE",
    "gre": "tunneling, GRE",
}
COLOURS = {"ip_vs": "#0072b2", "rvs": "#d55e00", None: "#999999"}
NAMES = {"ip_vs": "C ip_vs", "rvs": "rvs", None: "no balancer"}


def table(rows):
    """The rows as lines of text."""
    side_by_side = len({row.balancer for row in rows if row.balancer}) > 1
    yield f"{'path':32} {'traffic':12} {'balancer':8} {'instr/packet':>12} {'director cost':>13} {'spread':>7} {'new':>5}  rvs/ip_vs"
    previous = None
    for row in rows:
        group = (row.path, row.traffic) if row.balancer else None
        if group != previous and (side_by_side or not previous):
            yield ""
        name, traffic = (LABELS[row.path], row.traffic) if group != previous or not group else ("", "")
        new = f"{row.new_share:4.0%}" if row.balancer else ""
        spread = f"{row.spread:.2%}" if row.rounds > 1 else ""
        line = f"{name:32} {traffic:12} {row.balancer or '-':8} {row.total:12.0f} {row.cost:13.0f} {spread:>7} {new:>5}"
        yield (line + verdict(row)).rstrip()
        previous = group


def verdict(row):
    """The ratio, and whether it is good enough."""
    if row.ratio is None:
        return ""
    return f"  {row.ratio:.3f}  {'meets' if row.goal_met else 'MISSES'} the goal ({summary.GOAL:.2f})"


def by_path(rows):
    """The rows with those of the same path and traffic next to each other, in the order in which they were first measured."""
    order = list(dict.fromkeys((row.path, row.traffic) for row in rows))
    return sorted(rows, key=lambda row: (row.balancer is not None, order.index((row.path, row.traffic))))


def draw(rows, title):
    """The director cost of each path as bars, the balancers side by side."""
    groups = {}
    for row in rows:
        if row.path != summary.GENERATOR:
            groups.setdefault((row.path, row.traffic), []).append(row)
    figure, axes = plot.subplots(figsize=(10, 0.6 * len(groups) + 2), layout="constrained")
    ticks = []
    for position, (key, group) in enumerate(groups.items()):
        height = 0.8 / len(group)
        for index, row in enumerate(group):
            bar = position - 0.4 + height * (index + 0.5)
            axes.barh(bar, row.cost, height * 0.92, color=COLOURS[row.balancer])
            ratio = f"  ({row.ratio:.3f} of C ip_vs)" if row.ratio is not None else ""
            axes.text(row.cost, bar, f" {row.cost:.0f}{ratio}", va="center", fontsize=9)
        ticks.append((position, f"{LABELS[key[0]]}\n{key[1]}"))
    axes.set_yticks(*zip(*ticks))
    axes.invert_yaxis()
    axes.margins(x=0.18, y=0.01)
    axes.set_xlabel("director cost: instructions per packet, without the generator's")
    axes.set_title(title)
    shown = [balancer for balancer in NAMES if any(row.balancer == balancer for row in rows)]
    bars = [plot.Rectangle((0, 0), 1, 1, color=COLOURS[balancer]) for balancer in shown]
    axes.legend(bars, [NAMES[balancer] for balancer in shown], loc="upper right")  # where bars are short
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def conditions(raw):
    """What the figures are about, in a line."""
    owner = "shared with the generator (copied by the director)" if raw["shared_packets"] else "owned by the stack, as from a network card"
    return (
        f"Linux {raw['kernel']}, {raw['packet_bytes']}-byte UDP packets ({raw['packet6_bytes']} by IPv6, names with a 6) {owner}; established: {raw['flows']} flows; "
        f"scheduler {raw['scheduler']}, {raw['real_servers']} real servers"
    )


def main(folder):
    """Reads the raw figures in the folder, prints the table, draws the plot; returns an exit status."""
    with open(os.path.join(folder, "raw.json"), encoding="ascii") as file:
        raw = json.load(file)
    rows = by_path(summary.rows(raw["measurements"]))
    print(conditions(raw), end="\n\n")
    print("\n".join(table(rows)))
    packets = "packets shared with the generator" if raw["shared_packets"] else "packets as from a network card"
    figure = draw(rows, f"A packet's way through the director\nLinux {raw['kernel']}, {packets}")
    for kind in ("svg", "png"):
        figure.savefig(os.path.join(folder, f"director-cost.{kind}"), dpi=150)
    unsteady = [row for row in rows if not row.steady]
    for row in unsteady:
        name = f"{LABELS[row.path]}, {row.traffic}, {NAMES[row.balancer]}"
        print(f"\nbench: {name}: the rounds differ by {row.spread:.2%}, more than {summary.STEADY:.1%}: not a figure to rely on", file=sys.stderr)
    return 1 if unsteady else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
