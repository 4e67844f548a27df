#!/usr/bin/env python3
"""What a guard, a decision and a sandbox add: to a Python function, beside its peer FailCore; to a call in Rust; to the start
of a process.

All cases take turns, round by round (A B A B), and every round of a Python case is a fresh interpreter in which the bare
and the guarded function take turns again. Prints a table and writes every round to bench/results/guard.json. Exits 1 when a
case could not be run; a peer that is not installed is said and left out.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import guard_table
import machine

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parent / "target" / "release" / "examples"
Report = dict[str, Any]

QUIET_SHARE = 0.15
"""Others may use this share of the processors while we measure; more is waited out, for a while."""

PYTHON = {
    "seawall": HERE / ".work" / "guard" / "bin" / "python",
    "failcore": HERE / ".work" / "failcore" / "bin" / "python",
}

PYTHON_CASES = [
    ("seawall", "off", "untraced", "plain"),
    ("seawall", "off", "traced", "plain"),
    ("seawall", "fs_safe", "untraced", "plain"),
    ("seawall", "fs_safe", "traced", "plain"),
    ("seawall", "safe", "traced", "plain"),
    ("seawall", "fs_safe", "traced", "reads"),
    ("failcore", "off", "untraced", "plain"),
    ("failcore", "off", "traced", "plain"),
    ("failcore", "fs_safe", "traced", "plain"),
    ("failcore", "safe", "traced", "plain"),
]

#: Programs that print lines of a name, a number and its unit.
PROGRAMS = {"policy": "judging", "rust": "calls", "sandbox": "spawn"}
LINE = re.compile(r"^(?P<name>\S.*?)\s{2,}(?P<number>[\d.]+) (?P<unit>ns|µs|ms)\b")
MICROSECONDS = {"ns": 1e-3, "µs": 1.0, "ms": 1e3}


class Bench:
    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.commit = machine.commit()
        self.nice = machine.prefer(os.getpid())
        self.problems: list[str] = []
        self.rounds: list[Report] = []

    def run(self) -> Report:
        began = time.time()
        for _ in range(self.arguments.rounds):
            for case in PYTHON_CASES:
                self.in_turn(lambda case=case: self.python(*case))
            for part, program in PROGRAMS.items():
                self.in_turn(lambda part=part, program=program: self.program(part, program))
        return {
            "bench": "guard",
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(began)),
            "minutes": round((time.time() - began) / 60, 1),
            "commit": self.commit,
            "machine": machine.facts(),
            "versions": {name: version(python, name) for name, python in PYTHON.items()},
            "settings": {"rounds": self.arguments.rounds, "batches": self.arguments.batches, "nice": self.nice},
            "problems": self.problems,
            "rounds": self.rounds,
        }

    def in_turn(self, measure: Callable[[], list[Report]]) -> None:
        share = machine.wait_until_quiet(QUIET_SHARE, self.arguments.patience)
        for report in measure():
            self.rounds.append({"others_busy": round(share, 3), "load_average": os.getloadavg()[0], **report})
            print(guard_table.line(report), flush=True)

    def python(self, library: str, policy: str, trace: str, tool: str) -> list[Report]:
        """One case in a fresh interpreter, in an empty folder."""
        case = {"part": "python", "library": library, "policy": policy, "trace": trace, "tool": tool}
        if not PYTHON[library].exists():
            self.problem(f"{library} is not installed: bench/setup.sh guard")
            return []
        with tempfile.TemporaryDirectory(prefix="bench-guard-") as folder:
            argv = [PYTHON[library], HERE / "guarded.py", library, policy, trace, tool, str(self.arguments.batches)]
            environment = {"PATH": os.environ["PATH"], "HOME": folder, "FAILCORE_PROJECT_ROOT": folder}
            done = subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            self.problem(f"{' '.join(case.values())}: {done.stderr.strip()[-600:]}")
            return []
        report = json.loads(done.stdout)
        if not report.pop("guards"):
            self.problem(f"{' '.join(case.values())}: it lets a way upwards pass")
        return [case | report]

    def program(self, part: str, program: str) -> list[Report]:
        """One of our own programs, with all its cases."""
        done = subprocess.run([EXAMPLES / program], capture_output=True, text=True, check=False)
        found = [LINE.match(line) for line in done.stdout.splitlines()]
        reports = [
            {"part": part, "case": one["name"], "us": float(one["number"]) * MICROSECONDS[one["unit"]]}
            for one in found
            if one
        ]
        if done.returncode != 0 or not reports:
            self.problem(f"{program}: {done.stderr.strip()[-600:]}")
        return reports

    def problem(self, text: str) -> None:
        if text not in self.problems:
            print(f"bench: {text}", file=sys.stderr)
            self.problems.append(text)


def version(python: Path, package: str) -> str:
    code = f"import importlib.metadata as known; print(known.version({package!r}))"
    try:
        return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "none"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", type=int, default=40, help="batches of 100 calls in a round of a Python case")
    parser.add_argument("--patience", type=float, default=60, help="how long a busy machine is waited for, each time")
    parser.add_argument("--out", type=Path, default=guard_table.RESULTS)
    parser.add_argument("--quick", action="store_true", help="one short round of everything")
    parsed = parser.parse_args()
    if parsed.quick:
        parsed.rounds, parsed.batches, parsed.patience = 1, 10, 2
    return parsed


def main() -> int:
    chosen = arguments()
    bench = Bench(chosen)
    results = bench.run()
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps(results, indent=1) + "\n")
    print(guard_table.text(results))
    return 1 if bench.problems else 0


if __name__ == "__main__":
    sys.exit(main())
