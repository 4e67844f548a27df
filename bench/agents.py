#!/usr/bin/env python3
"""What durable agents carry: turns a second on three stores, durable steps beside Restate and DBOS, memory and resuming.

All cases take turns, round by round (A B A B), each on a new store. PostgreSQL is started here, in a temporary folder, with its
usual settings, and stopped at the end. Prints a line a case and writes every round to bench/results/agents.json. Peers that are
not installed are said and left out.
"""

import argparse
import contextlib
import json
import os
import resource
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import agents_table
import machine

HERE = Path(__file__).resolve().parent
PROGRAM = HERE.parent / "target" / "release" / "agents"
Report = dict[str, Any]

TURNS = [(1, 200), (50, 40), (1000, 4)]
"""Agents at the same time, and turns of each."""

STEPS = [1, 8, 64]
"""Workflows of ten steps at the same time, each a new agent, as each is a new one for the peers; as long as theirs, too."""

SECONDS = float(os.environ.get("SEAWALL_BENCH_SECONDS", "5"))
"""How long steps are counted, ours and those of peers."""


class Postgres:
    """A PostgreSQL of this bench, and a new database in it for every case."""

    def __init__(self, folder: Path) -> None:
        self.data, self.programs = folder / "data", sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres")
        self._run("initdb", "-D", self.data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C")
        options = f"-c listen_addresses=127.0.0.1 -p {self.port} -k {folder}"
        self._run("pg_ctl", "-D", self.data, "-l", folder / "log", "-o", options, "-w", "start")
        self.databases = 0

    def new(self) -> str:
        """The address of an empty database."""
        self.databases += 1
        name = f"bench{self.databases}"
        self._run("createdb", "-h", "127.0.0.1", "-p", self.port, "-U", "postgres", name)
        return f"postgres://postgres@127.0.0.1:{self.port}/{name}"

    def stop(self) -> None:
        self._run("pg_ctl", "-D", self.data, "-m", "immediate", "-w", "stop")

    def _run(self, name: str, *arguments: object) -> None:
        as_somebody = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        command = [*as_somebody, str(self.programs / name), *map(str, arguments)]
        subprocess.run(command, cwd="/", check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Bench:
    def __init__(self, arguments: argparse.Namespace, folder: Path) -> None:
        self.arguments, self.folder = arguments, folder
        self.rounds: list[Report] = []
        self.made = 0
        self.postgres: Postgres | None = None
        with contextlib.suppress(IndexError, subprocess.CalledProcessError):
            home = folder / "postgres"
            home.mkdir(mode=0o700)
            self.postgres = Postgres(home)
        if self.postgres is None:
            print("PostgreSQL is left out: install the Debian package postgresql")

    def stores(self) -> Iterator[tuple[str, Callable[[], str]]]:
        """Where agents can be kept, each as an address of an empty store."""
        yield "sqlite", lambda: f"sqlite:{self._new()}.db"
        yield "json", lambda: f"json:{self._new()}"
        if self.postgres:
            yield "postgres", self.postgres.new

    def _new(self) -> Path:
        self.made += 1
        return self.folder / f"store{self.made}"

    def ours(self, part: str, store: str, address: str, *arguments: object) -> Report:
        command = [str(PROGRAM), "--store", address, "--folder", str(self._new()), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            words = " / ".join(done.stderr.splitlines()[-8:]) or "no word"
            raise SystemExit(f"{' '.join(command)} ended with {done.returncode}: {words}")
        report = {"part": part, "name": "seawall", "store": store, **json.loads(done.stdout)}
        self.rounds.append(report)
        print(agents_table.line(report), flush=True)
        return report

    def turns(self) -> None:
        for agents, turns in TURNS:
            for store, address in self.stores():
                self.ours("turns", store, address(), "turns", "--agents", agents, "--turns", self._some(turns))

    def steps(self) -> None:
        for at_once in STEPS:
            for store, address in self.stores():
                self.ours("steps", store, address(), "steps", "--at-once", at_once, "--seconds", 1 if self.arguments.quick else SECONDS)

    def memory(self) -> None:
        agents = 1_000 if self.arguments.quick else 10_000
        empty = self.ours("memory", "sqlite", f"sqlite:{self._new()}.db", "memory", "--agents", 0)
        address = f"sqlite:{self._new()}.db"
        seed = [str(PROGRAM), "--store", address, "--folder", str(self._new()), "seed", "--agents", str(agents)]
        subprocess.run(seed, check=True, stdout=subprocess.DEVNULL)
        self.ours("resume", "sqlite", address, "resume", "--agents", min(agents, 1_000))
        parked = self.ours("memory", "sqlite", address, "memory", "--agents", agents)
        parked["parked_bytes_each"] = (parked["resident_bytes"] - empty["resident_bytes"]) / agents

    def peers(self) -> None:
        script = HERE / "peers" / "steps.sh"
        done = subprocess.run(["bash", str(script)], stdout=subprocess.PIPE, text=True, check=False)
        for text in done.stdout.splitlines():
            with contextlib.suppress(ValueError):
                report = {"part": "peers", **json.loads(text)}
                self.rounds.append(report)
                print(agents_table.line(report), flush=True)

    def _some(self, turns: int) -> int:
        return max(1, turns // 4) if self.arguments.quick else turns

    def run(self) -> Report:
        begun = time.time()
        for number in range(1 if self.arguments.quick else self.arguments.rounds):
            print(f"round {number + 1}; others use {machine.busy():.0%} of the processors", flush=True)
            self.turns()
            self.steps()
            if not self.arguments.alone:
                self.peers()
        self.memory()
        return {
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(begun)),
            "minutes": (time.time() - begun) / 60,
            "machine": machine.facts(),
            "commit": machine.commit(),
            "rounds": self.rounds,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description="What durable agents carry.")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="too short to be quoted")
    parser.add_argument("--alone", action="store_true", help="without peers")
    parser.add_argument("--out", type=Path, default=agents_table.RESULTS)
    arguments = parser.parse_args()
    machine.prefer(os.getpid())
    # An agent at work has files of its trace open: two each.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        bench = Bench(arguments, Path(folder))
        try:
            results = bench.run()
        finally:
            if bench.postgres:
                bench.postgres.stop()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
