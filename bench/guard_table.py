#!/usr/bin/env python3
"""Tables from the results of the guard bench: for the terminal, and for docs/performance.md, where what stands between the
markers is always made from bench/results/guard.json. `--check` only says whether it is.
"""

import json
import sys
from pathlib import Path
from statistics import median
from typing import Any

from page import put_down
from table import middle, show

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "guard.json"
Report = dict[str, Any]
Rows = list[list[str]]

TOOLS = {"plain": "nothing", "reads": "opens a file"}
DECISION = "all four"
CONFINED, PLAIN_START = "landlock, seccomp, namespaces", "plain"


def line(report: Report) -> str:
    """One round in a line, while the bench runs."""
    if report["part"] == "python":
        case = " ".join(report[key] for key in ("library", "policy", "trace", "tool"))
        return f"python   {case:<44} +{report['added_us']:>8,.1f} µs  (bare {report['bare_us']:.2f} µs)"
    return f"{report['part']:<8} {report['case']:<44}  {report['us']:>8,.1f} µs"


class Figures:
    """Medians over the rounds of one run of the bench."""

    def __init__(self, results: Report) -> None:
        self.rounds: list[Report] = results["rounds"]

    def of(self, value: str, **case: str) -> list[float]:
        return [one[value] for one in self.rounds if all(one.get(key) == wanted for key, wanted in case.items())]

    def added(self, library: str, policy: str, trace: str, tool: str = "plain") -> float | None:
        return middle(self.of("added_us", library=library, policy=policy, trace=trace, tool=tool))

    def ratio(self, policy: str, trace: str) -> float | None:
        """What the peer adds by what we add, round by round."""
        both = [self.of("added_us", library=one, policy=policy, trace=trace, tool="plain") for one in ("failcore", "seawall")]
        return middle(theirs / ours for theirs, ours in zip(*both, strict=False))

    def cases(self, part: str) -> list[str]:
        return list(dict.fromkeys(one["case"] for one in self.rounds if one["part"] == part))

    def time(self, part: str, case: str) -> float | None:
        return middle(self.of("us", part=part, case=case))

    def start_added(self, case: str) -> float | None:
        """Milliseconds that a sandbox adds to the start of a process, round against round."""
        pairs = zip(self.of("us", part="sandbox", case=case), self.of("us", part="sandbox", case=PLAIN_START), strict=False)
        value = middle(confined - plain for confined, plain in pairs)
        return None if value is None else value / 1000


def goals_of(figures: Figures) -> Rows:
    """What was set out to be reached, and what was."""
    rows = [["what", "goal", "measured", ""]]

    def goal(what: str, value: float | None, wanted: float, unit: str, digits: int = 1, at_least: bool = False) -> None:
        reached = value is not None and (value >= wanted if at_least else value <= wanted)
        verdict = "not measured" if value is None else "met" if reached else "short"
        sign = "≥" if at_least else "≤"
        rows.append([what, f"{sign} {wanted:g}{unit}", show(value, digits) + (unit if value is not None else ""), verdict])

    goal("policy decision: path, URL, command, condition", figures.time("policy", DECISION), 5, " µs")
    goal("`@guard()`, fs_safe, traced: added to a call", figures.added("seawall", "fs_safe", "traced"), 15, " µs")
    goal("the same against FailCore", figures.ratio("fs_safe", "traced"), 20, " ×", at_least=True)
    goal("start of a confined process: added", figures.start_added(CONFINED), 3, " ms", 2)
    return rows


def python_of(figures: Figures) -> Rows:
    rows = [["policy", "trace", "the tool", "bare µs", "Seawall adds µs", "FailCore adds µs", "ratio"]]
    cases = dict.fromkeys(
        (one["policy"], one["trace"], one["tool"])
        for one in figures.rounds
        if one["part"] == "python" and one["library"] == "seawall"
    )
    for policy, trace, tool in cases:
        bare = middle(figures.of("bare_us", library="seawall", policy=policy, trace=trace, tool=tool))
        ratio = figures.ratio(policy, trace) if tool == "plain" else None
        rows.append(
            [
                policy,
                "yes" if trace == "traced" else "no",
                TOOLS[tool],
                show(bare, 2),
                show(figures.added("seawall", policy, trace, tool), 1),
                show(figures.added("failcore", policy, trace, tool), 0),
                show(ratio, 0) + (" ×" if ratio is not None else ""),
            ]
        )
    return rows


def rust_of(figures: Figures) -> Rows:
    rows = [["what", "µs"]]
    rows += [[f"decision: {case}", show(figures.time("policy", case), 2)] for case in figures.cases("policy")]
    rows += [[f"guarded call: {case}", show(figures.time("rust", case), 1)] for case in figures.cases("rust")]
    return rows


def sandbox_of(figures: Figures) -> Rows:
    rows = [["start and end of `/bin/true`", "ms", "added"]]
    for case in figures.cases("sandbox"):
        time = figures.time("sandbox", case)
        added = "" if case == PLAIN_START else show(figures.start_added(case), 2)
        rows.append([case, show(None if time is None else time / 1000, 2), added])
    return rows


def sections(results: Report) -> list[tuple[str, Rows]]:
    figures = Figures(results)
    parts = [
        ("Goals of the guard", goals_of(figures)),
        ("A guarded function in Python", python_of(figures)),
        ("A decision, and a guarded call in Rust", rust_of(figures)),
        ("A sandbox", sandbox_of(figures)),
    ]
    return [(title, rows) for title, rows in parts if len(rows) > 1]


def conditions(results: Report) -> str:
    facts, commit, rounds = results["machine"], results["commit"], results["rounds"]
    shares = [one["others_busy"] for one in rounds] or [0.0]
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    return (
        f"{results['at']}, commit {commit['id'][:12]}{' with changes' if commit['changed'] else ''}; {versions}. "
        f"{facts['processors']} processors ({facts['processor']}{', virtual' if facts['virtual'] else ''}), {facts['system']}, "
        f"Linux {facts['kernel']}. Medians of {results['settings']['rounds']} rounds, {results['minutes']} minutes in all, at nice "
        f"{results['settings']['nice']}; others used {median(shares):.0%} of the processors before a round (at most {max(shares):.0%})."
    )


def text(results: Report) -> str:
    """All tables for a terminal."""
    parts = [conditions(results)]
    for title, rows in sections(results):
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
        parts.append("\n".join([title, *lines]))
    parts += [f"problem: {problem}" for problem in results["problems"]]
    return "\n\n".join(parts)


def markdown(results: Report) -> str:
    """All tables for the documentation."""
    parts = [conditions(results)]
    for title, rows in sections(results):
        head, *others = rows
        rule = ["---", *("---:" for _ in head[1:])]
        parts.append(f"### {title}")
        parts.append("\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *others)))
    parts += [f"Not measured: {problem}" for problem in results["problems"]]
    return "\n\n".join(parts)


def main() -> int:
    return put_down("guard_table.py", [markdown(json.loads(RESULTS.read_text()))], check="--check" in sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
