#!/usr/bin/env python3
"""Tables from the results of the gateway bench: for the terminal, and for docs/performance.md, where what stands between
the markers is always made from bench/results/gateway.json. `--check` only says whether it is.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Any

from page import put_down

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "gateway.json"
SERVERS = ("direct", "nginx", "haproxy", "haproxy-polling", "seawall", "seawall-polling", "seawall-bare", "litellm", "portkey")
OVERLOADED_US = 1_000_000
"""A queue that has grown to a second goes on growing: how long it is says only how long the round was."""
Report = dict[str, Any]


def line(report: Report) -> str:
    """One round in a line, while the bench runs."""
    parts = [f"{report['per_second']:>9,.0f}/s"]
    for name, key in (("latency", "latency_us"), ("first", "first_event_us"), ("event", "event_us")):
        if report[key]:
            parts.append(f"{name} {report[key]['p50']:,.0f}/{report[key]['p99']:,.0f} µs")
    parts.append(f"cpu {report['cpu_us_per_event' if report['events'] else 'cpu_us_per_request']:,.1f} µs")
    parts.append(f"rss {report['resident_kib_most'] / 1024:,.0f} MB")
    return "  ".join(parts)


class Figures:
    """Medians over the rounds of one run of the bench."""

    def __init__(self, results: Report) -> None:
        self.results = results

    def rounds(self, phase: str, placement: str, server: str) -> list[Report]:
        wanted = (phase, placement, server)
        return [one for one in self.results["rounds"] if (one["phase"], one["placement"], one["server"]) == wanted]

    def value(self, phase: str, placement: str, server: str, *keys: str) -> float | None:
        return middle(dig(one, keys) for one in self.rounds(phase, placement, server))

    def added(self, phase: str, placement: str, server: str, *keys: str) -> float | None:
        """What the server adds to the direct way, round against round."""
        pairs = zip(self.rounds(phase, placement, server), self.rounds(phase, placement, "direct"), strict=False)
        return middle(dig(one, keys) - dig(direct, keys) for one, direct in pairs if dig(one, keys) and dig(direct, keys))

    def ratio(self, phase: str, placement: str, other: str, *keys: str) -> float | None:
        """Seawall by another, round by round."""
        pairs = zip(self.rounds(phase, placement, "seawall"), self.rounds(phase, placement, other), strict=False)
        return middle(dig(one, keys) / dig(base, keys) for one, base in pairs if dig(base, keys))

    def failed(self, server: str, phase: str = "") -> int:
        own = (one for one in self.results["rounds"] if one["server"] == server and one["phase"].startswith(phase))
        return sum(one["failed"] for one in own)

    def start(self, server: str, key: str) -> float | None:
        return middle(one[key] for one in self.results["starts"] if one["server"] == server)

    def open_streams(self, server: str, phase: str) -> list[Report]:
        return [one for one in self.results["rounds"] if one["phase"] == phase and one["server"] == server]

    def kib_per_stream(self, server: str, phase: str) -> float | None:
        """Memory above that of the idle server, by stream."""
        idle = self.start(server, "resident_kib")
        if idle is None:
            return None
        rounds = self.open_streams(server, phase)
        return middle((one["resident_kib_most"] - idle) / one["open_most"] for one in rounds if one["open_most"])


def dig(report: Report, keys: Iterable[str]) -> Any:
    value: Any = report
    for key in keys:
        value = value[key] if value else None
    return value


def middle(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def show(value: float | None, digits: int = 0) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"


def figures_of(figures: Figures, placement: str) -> list[list[str]]:
    """One row for each server under one placement."""
    head = ["server", "JSON req/s", "CPU µs/req", "added p50 µs", "added p99 µs", "CPU µs/req of 100 KB"]
    head += ["event added p50 µs", "event added p99 µs", "first token added p50 µs", "CPU µs/event", "failed"]
    rows = [head]
    for server in SERVERS:
        if not figures.rounds("json", placement, server):
            continue
        # The generator does not watch the provider: what it uses stands in the other rows as the same for all.
        own = server != "direct"
        per_request = ("cpu_us_per_request",)
        rows.append(
            [
                server,
                show(figures.value("json", placement, server, "per_second")),
                show(figures.value("json", placement, server, *per_request), 1) if own else "–",
                *(added(figures, "latency", placement, server, "latency_us", quantile) for quantile in ("p50", "p99")),
                show(figures.value("context", placement, server, *per_request), 1) if own else "–",
                *(added(figures, "streams", placement, server, "event_us", quantile) for quantile in ("p50", "p99")),
                added(figures, "streams", placement, server, "first_event_us", "p50"),
                show(figures.value("streams", placement, server, "cpu_us_per_event"), 1) if own else "–",
                str(figures.failed(server)),
            ]
        )
    return rows


def added(figures: Figures, phase: str, placement: str, server: str, *keys: str) -> str:
    if server == "direct":
        return f"({show(figures.value(phase, placement, server, *keys))})"
    value = figures.added(phase, placement, server, *keys)
    return "overloaded" if value is not None and value > OVERLOADED_US else show(value)


def resources_of(figures: Figures) -> list[list[str]]:
    head = ["server", "version", "start to first answer ms", "idle MB"]
    head += ["1,000 streams KB each", "failed", "5,000 streams KB each", "failed"]
    rows = [head]
    for server in SERVERS[1:]:
        seconds, idle = figures.start(server, "seconds"), figures.start(server, "resident_kib")
        if seconds is None:
            continue  # It was not asked for, or could not be run: then that is said below.
        rows.append(
            [
                server,
                figures.results["versions"].get(server, "–"),
                show(seconds * 1000 if seconds else None, 1),
                show(idle / 1024 if idle else None, 1),
                *streams_of(figures, server, "open-1000"),
                *streams_of(figures, server, "open-5000"),
            ]
        )
    return rows


def streams_of(figures: Figures, server: str, phase: str) -> tuple[str, str]:
    if not figures.open_streams(server, phase):
        return "–", "–"
    return show(figures.kib_per_stream(server, phase), 1), str(figures.failed(server, phase))


def goals_of(figures: Figures) -> list[list[str]]:
    """What was set out to be reached, and what was."""
    rows = [["what", "goal", "measured", ""]]

    def goal(
        what: str, value: float | None, at_least: float | None, at_most: float | None, unit: str, noise: float = 0
    ) -> None:
        wanted = f"≥ {at_least:g}{unit}" if at_least is not None else f"≤ {at_most:g}{unit}"
        reached = value is not None and (value >= at_least if at_least is not None else value <= (at_most or 0))
        digits = 2 if at_least is not None and at_least < 10 else 0 if (at_most or at_least or 0) >= 100 else 1
        verdict = "not measured" if value is None else "met" if reached else "short"
        if at_most is not None and noise > at_most:
            verdict = f"lost in noise: the direct way has {noise:,.0f}{unit}"
        rows.append([what, wanted, show(value, digits) + (unit if value is not None else ""), verdict])

    for other, least in (("nginx", 0.5), ("litellm", 50), ("portkey", 10)):
        goal(f"throughput against {other}", figures.ratio("json", "apart", other, "per_second"), least, None, " ×")
    context = figures.value("context", "apart", "seawall", "cpu_us_per_request")
    goal("processor time of a request of 100 KB", context, None, 500, " µs")
    for server, how in (("seawall", ""), ("seawall-polling", ", polling")):
        if how and not figures.rounds("streams", "apart", server):
            continue
        for quantile, most in (("p50", 120), ("p99", 1_000)):
            value = figures.added("latency", "apart", server, "latency_us", quantile)
            direct = figures.value("latency", "apart", "direct", "latency_us", quantile) or 0
            goal(f"added latency, {quantile}{how}", value, None, most, " µs", direct)
        for quantile, most in (("p50", 20), ("p99", 300)):
            value = figures.added("streams", "apart", server, "event_us", quantile)
            goal(f"added to an event, {quantile}{how}", value, None, most, " µs")
        first = figures.added("streams", "apart", server, "first_event_us", "p50")
        goal(f"added to the first token, p50{how}", first, None, 300, " µs")
    goal("memory of one of 5,000 streams", figures.kib_per_stream("seawall", "open-5000"), None, 40, " KB")
    failed = figures.failed("seawall", "open") if figures.open_streams("seawall", "open-5000") else None
    goal("failures among them", failed, None, 0, "")
    seconds, idle = figures.start("seawall", "seconds"), figures.start("seawall", "resident_kib")
    goal("start to first answer", seconds * 1000 if seconds else None, None, 50, " ms")
    goal("memory when idle", idle / 1024 if idle else None, None, 30, " MB")
    return rows


TITLES = {
    "apart": "Generator and provider on one processor, the gateway alone on the other",
    "together": "Generator, provider and gateway on both processors",
}


def sections(results: Report) -> list[tuple[str, list[list[str]]]]:
    figures = Figures(results)
    parts = [("Goals", goals_of(figures))]
    parts += [(title, figures_of(figures, placement)) for placement, title in TITLES.items()]
    parts.append(("Start and memory", resources_of(figures)))
    return [(title, rows) for title, rows in parts if len(rows) > 1]


def conditions(results: Report) -> str:
    facts, commit = results["machine"], results["commit"]
    shares = [one["others_busy"] for one in results["rounds"]]
    loads = [one["load_average"] for one in results["rounds"]]
    kind = "virtual machine" if facts["virtual"] else "machine"
    text = (
        f"{results['at']}, commit {commit['id'][:12]}{' with changes' if commit['changed'] else ''}. {kind.capitalize()} with "
        f"{facts['processors']} processors ({facts['processor']}), {facts['memory_gib']} GiB, {facts['system']}, Linux "
        f"{facts['kernel']}. {results['settings']['rounds']} rounds of {results['settings']['seconds']:g} s, "
        f"{results['minutes']} minutes in all, at nice {results['settings']['nice']}; others used {median(shares):.0%} of the processors before a round "
        f"(at most {max(shares):.0%}), load average with our own load {min(loads):.1f} to {max(loads):.1f}."
    )
    return text


def text(results: Report) -> str:
    """All tables for a terminal."""
    parts = [conditions(results)] if results["rounds"] else []
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
    return put_down("table.py", [markdown(json.loads(RESULTS.read_text()))], check="--check" in sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
