#!/usr/bin/env python3
"""What a call is paid from and written down by: the ledger under contention, the trace's writer and its verification.

Runs the examples `reserve` and `append` by turns (A B A B), medians over the rounds. Writes bench/results/ledger.json and the
tables of docs/performance.md. A budget that was overspent ends the bench with 1.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import machine
from page import conditions, put_down

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parent / "target" / "release" / "examples"
RESULTS = HERE / "results" / "ledger.json"
Report = dict[str, Any]

CLIENTS = (1, 2, 64)
PRODUCERS = (1, 2)
TRACE_LINE = re.compile(r"^(?P<what>append|verify) +(?P<events>[\d.]+) events/s +(?P<mb>[\d.]+) MB/s")

RESERVATIONS_GOAL, EVENTS_GOAL, VERIFY_GOAL = 100_000, 200_000, 500


def output(*argv: object) -> str:
    """What a program prints, run in an empty folder of the disk that the checkout is on."""
    with tempfile.TemporaryDirectory(prefix="ledger-", dir=HERE / ".work") as folder:
        environment = os.environ | {"TMPDIR": folder}
        done = subprocess.run([str(one) for one in argv], cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def ledger(calls: int) -> list[Report]:
    rows = [line.split() for line in output(EXAMPLES / "reserve", calls).splitlines()[1:]]
    return [
        {"part": "ledger", "kept": kept, "clients": int(clients), "per_second": float(rate), "over_tokens": int(over)}
        for kept, clients, rate, _, over in rows
    ]


def trace(events: int, producers: int) -> list[Report]:
    text = output(EXAMPLES / "append", events, producers)
    if "ok: true" not in text or " 0 dropped" not in text:
        sys.exit(f"the trace is not what was written: {text}")
    found = [TRACE_LINE.match(line) for line in text.splitlines()]
    return [
        {"part": one["what"], "producers": producers, "per_second": float(one["events"]), "mb": float(one["mb"])}
        for one in found
        if one
    ]


def measured(chosen: argparse.Namespace) -> Report:
    (HERE / ".work").mkdir(exist_ok=True)
    rounds: list[Report] = []
    busy = machine.wait_until_quiet(0.15, chosen.patience)
    about = {"bench": "ledger", "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "machine": machine.facts(),
             "commit": machine.commit(), "rounds_each": chosen.rounds, "others_busy": busy}  # fmt: skip
    machine.prefer(os.getpid())
    for number in range(chosen.rounds):
        found = ledger(chosen.calls) + [one for producers in PRODUCERS for one in trace(chosen.events, producers)]
        rounds += [{"round": number} | one for one in found]
        print(f"round {number + 1}: {found}", flush=True)
    return about | {"rounds": rounds}


def figure(results: Report, key: str, **about: object) -> float:
    rows = [one for one in results["rounds"] if all(one.get(name) == value for name, value in about.items())]
    return median(one[key] for one in rows)


def overspent(results: Report) -> int:
    return max(one.get("over_tokens", 0) for one in results["rounds"])


def tables(results: Report) -> list[str]:
    def goal(what: str, wanted: str, value: str, met: bool) -> str:
        return f"| {what} | {wanted} | {value} | {'met' if met else 'short'} |"

    journal = figure(results, "per_second", part="ledger", kept="journal", clients=64)
    appended = figure(results, "per_second", part="append", producers=1)
    verified = figure(results, "mb", part="verify", producers=1)
    over = overspent(results)
    goals = [
        "| what | goal | measured |  |", "| --- | ---: | ---: | ---: |",
        goal("reservations of 64 clients from one budget, journalled", f"≥ {RESERVATIONS_GOAL:,}/s", f"{journal:,.0f}/s",
             journal >= RESERVATIONS_GOAL),
        goal("spent over that budget", "0", f"{over} tokens", over == 0),
        goal("trace, `group`: events written", f"≥ {EVENTS_GOAL:,}/s", f"{appended:,.0f}/s", appended >= EVENTS_GOAL),
        goal("trace: verified", f"≥ {VERIFY_GOAL} MB/s", f"{verified:,.0f} MB/s", verified >= VERIFY_GOAL),
    ]  # fmt: skip
    made = ["| reserved and settled a second | in memory | journalled |", "| --- | ---: | ---: |"]
    for clients in CLIENTS:
        rates = (figure(results, "per_second", part="ledger", kept=kept, clients=clients) for kept in ("memory", "journal"))
        made.append(f"| {clients} client{'s' * (clients > 1)} | {' | '.join(f'{rate:,.0f}' for rate in rates)} |")
    kept = ["| trace | written, events/s | MB/s | verified, events/s | MB/s |", "| --- | ---: | ---: | ---: | ---: |"]
    for producers in PRODUCERS:
        cells = (f"{figure(results, key, part=part, producers=producers):,.0f}"
                 for part in ("append", "verify") for key in ("per_second", "mb"))  # fmt: skip
        kept.append(f"| {producers} thread{'s' * (producers > 1)} | {' | '.join(cells)} |")
    return ["\n".join(goals), "\n".join(made), "\n".join(kept)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=400_000)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--patience", type=float, default=60, help="how long a busy machine is waited for")
    parser.add_argument("--tables", action="store_true", help="only the tables, from the results that are there")
    chosen = parser.parse_args()
    if not chosen.tables:
        RESULTS.write_text(json.dumps(measured(chosen), indent=1) + "\n")
    results = json.loads(RESULTS.read_text())
    return put_down("ledger.py", [conditions(results), *tables(results)]) or int(overspent(results) > 0)


if __name__ == "__main__":
    sys.exit(main())
