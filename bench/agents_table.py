#!/usr/bin/env python3
"""Tables from the results of the bench of agents: for the terminal, and for docs/performance.md, where what stands between the
markers is always made from bench/results/agents.json. `--check` only says whether it is.
"""

import json
import sys
from pathlib import Path
from typing import Any

from page import put_down
from table import middle
from table import show as number

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "agents.json"
Report = dict[str, Any]

STORES = {"sqlite": "SQLite", "json": "folder of JSON", "postgres": "PostgreSQL"}
GOALS = {1: 150, 50: 1_000, 1_000: 2_000}
KIB = 1024


def line(report: Report) -> str:
    """One round in a line, while the bench runs."""
    name = f"{report['part']:<7} {report.get('store', report.get('peer', '')):<9}"
    if "skipped" in report:
        return f"{name} left out: {report['skipped']}"
    if report["part"] == "peers":
        return f"{name} {report['concurrency']:>6} at once  {report['steps_a_second']:>9,.0f} steps/s"
    if report["part"] == "resume":
        return f"{name} p50 {report['resume_us']['p50']:,.0f} µs"
    if report["part"] == "memory":
        return f"{name} {report['agents']:>6} agents  {report['live_bytes_each'] / KIB:,.1f} KiB each"
    if report["part"] == "steps":
        return f"{name} {report['at_once']:>6} at once  {report['steps_a_second']:>9,.0f} steps/s"
    return f"{name} {report['agents']:>6} agents  {report['turns_a_second']:>9,.0f} turns/s"


class Figures:
    """Medians over the rounds of one run of the bench."""

    def __init__(self, results: Report) -> None:
        self.results, self.rounds = results, results["rounds"]

    def of(self, value: str, **case: Any) -> float | None:
        found = (one[value] for one in self.rounds if value in one and all(one.get(key) == wanted for key, wanted in case.items()))
        return middle(found)

    def p50(self, **case: Any) -> float | None:
        return middle(one["turn_us"]["p50"] / 1000 for one in self.rounds if all(one.get(key) == wanted for key, wanted in case.items()))


def turns(figures: Figures) -> str:
    rows = [
        [STORES[store], f"{agents:,}", number(figures.of("turns_a_second", part="turns", store=store, agents=agents)),
         number(figures.p50(part="turns", store=store, agents=agents), 1), f"≥ {goal:,}" if store != "json" else ""]
        for agents, goal in GOALS.items() for store in STORES
    ]
    return table(["store", "agents", "turns/s", "turn p50 ms", "goal"], rows)


def steps(figures: Figures) -> str:
    names = {f"Seawall, {title}": {"part": "steps", "store": store} for store, title in STORES.items()}
    names |= {peer["peer"]: {"part": "peers", "peer": peer["peer"]} for peer in figures.rounds if "steps_a_second" in peer and "peer" in peer}
    rows = []
    for name, case in names.items():
        key = "concurrency" if case["part"] == "peers" else "at_once"
        rows.append([name, *(number(figures.of("steps_a_second", **case, **{key: many})) for many in (1, 8, 64))])
    return table(["steps/s", "1 at once", "8", "64"], rows)


def rest(figures: Figures) -> str:
    memory = next((one for one in reversed(figures.rounds) if one["part"] == "memory"), None)
    resume = next((one for one in reversed(figures.rounds) if one["part"] == "resume"), None)
    rows = []
    if memory:
        many = f"{memory['agents']:,} agents of {memory['messages']} messages"
        rows.append([f"memory of one of {many}, held", f"{memory['live_bytes_each'] / KIB:,.1f} KiB", "≤ 60 KB"])
        rows.append([f"memory of one of {many}, parked", f"{max(0.0, memory['parked_bytes_each']):,.0f} B", "≤ 200 B"])
    if resume:
        rows.append([f"an agent of {resume['messages']} messages from SQLite, p50", f"{resume['resume_us']['p50']:,.0f} µs", "≤ 1,000 µs"])
    return table(["what", "measured", "goal"], rows)


def table(head: list[str], rows: list[list[str]]) -> str:
    rule = ["---", *("---:" for _ in head[1:])]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))


def tables(results: Report) -> str:
    figures = Figures(results)
    facts = results["machine"]
    changed = " with changes" if results["commit"]["changed"] else ""
    head = (
        f"{results['at']}, commit {results['commit']['id'][:12]}{changed}. {facts['processors']} processors ({facts['processor']}), "
        f"{facts['memory_gib']} GiB, {facts['system']}, Linux {facts['kernel']}. {results['minutes']:.1f} minutes in all."
    )
    left_out = [f"Left out: {one['peer']}, {one['skipped']}." for one in figures.rounds if "skipped" in one]
    parts = [head, "### Turns", turns(figures), "### Durable steps", steps(figures), *dict.fromkeys(left_out), "### Memory and resuming", rest(figures)]
    return "\n\n".join(parts)


def main() -> int:
    return put_down("agents_table.py", [tables(json.loads(RESULTS.read_text()))], check="--check" in sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
