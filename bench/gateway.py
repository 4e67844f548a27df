#!/usr/bin/env python3
"""The gateway beside its peers: throughput, added latency, streams, memory, start.

All servers stand in front of the same fake provider on loopback and get the same requests from the same generator. They
take turns, round by round (A B A B); those that are not measured are paused. Two placements: `apart` (generator and
provider on one processor, the gateway alone on the other) and `together` (all on all). Prints a table and writes every
round of every figure to bench/results/gateway.json. Exits 1 when a server could not be run.
"""

import argparse
import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import bodies
import machine
import table
from servers import GATEWAYS, RELEASE, WORK, Seawall, Server, Unavailable, Upstream

Report = dict[str, Any]

QUIET_SHARE = 0.15
"""Others may use this share of the processors while we measure; more is waited out, for a while."""


class Bench:
    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.commit = machine.commit()
        self.nice = machine.prefer(os.getpid())
        self.problems: list[str] = []
        self.rounds: list[Report] = []
        self.starts: list[Report] = []

    def run(self) -> Report:
        began = time.time()
        for placement in self.arguments.placements:
            self.placement(placement)
        return {
            "bench": "gateway",
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(began)),
            "minutes": round((time.time() - began) / 60, 1),
            "commit": self.commit,
            "machine": machine.facts(),
            "binary": hashlib.sha256(Seawall.binary.read_bytes()).hexdigest(),
            "versions": self.versions(),
            "settings": {"rounds": self.arguments.rounds, "seconds": self.arguments.seconds, "nice": self.nice},
            "problems": self.problems,
            "starts": self.starts,
            "rounds": self.rounds,
        }

    def versions(self) -> dict[str, str]:
        found = {}
        for kind in GATEWAYS:
            try:
                found[kind.name] = kind.version()
            except (Unavailable, OSError, StopIteration) as problem:
                found[kind.name] = f"none ({problem})"
        return found

    def placement(self, placement: str) -> None:
        """Everything under one placement."""
        processors = sorted(os.sched_getaffinity(0))
        generator, gateway = (processors[:1], processors[-1:]) if placement == "apart" else (processors, processors)
        upstream = Upstream(0, generator)
        upstream.start()
        servers: list[Server] = [upstream]
        try:
            for kind in GATEWAYS:
                if kind.name in self.arguments.servers:
                    server = kind(upstream.port, gateway)
                    if self.begin(placement, server):
                        servers.append(server)
            for name, phase in PHASES.items():
                if name in self.arguments.phases:
                    phase(self, placement, servers, generator)
        finally:
            for server in reversed(servers):
                server.stop()

    def begin(self, placement: str, server: Server) -> bool:
        """Starts a server some times over, for how long that takes, and leaves it running, paused."""
        times = 2 if server.name == "litellm" else self.arguments.rounds + 2
        try:
            for number in range(times):
                machine.wait_until_quiet(QUIET_SHARE, self.arguments.patience)
                seconds = server.start()
                time.sleep(0.5)
                start = {"placement": placement, "server": server.name, "seconds": seconds}
                self.starts.append(start | {"resident_kib": resident_kib(server)})
                if number + 1 < times:
                    server.stop()
        except (Unavailable, OSError) as problem:
            self.problem(f"{server.name} can't be run: {problem}")
            return False
        server.pause()
        return True

    def problem(self, text: str) -> None:
        print(f"bench: {text}", file=sys.stderr)
        self.problems.append(text)

    def measure(
        self, phase: str, placement: str, server: Server, generator: Sequence[int], body: Path, shape: Sequence[str], **times: float
    ) -> None:
        """One round of one server."""
        share = machine.wait_until_quiet(QUIET_SHARE, self.arguments.patience)
        server.resume()
        flags = [f"--{name.replace('_', '-')}={value}" for name, value in times.items()]
        watch = [] if isinstance(server, Upstream) else [f"--watch={','.join(map(str, server.pids))}"]
        headers = [f"--header={header}" for header in server.headers]
        argv = ["taskset", "--cpu-list", ",".join(map(str, generator)), str(RELEASE / "load")]
        argv += [f"--target=127.0.0.1:{server.port}", f"--body={body}", *headers, *watch, *flags, *shape]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if not isinstance(server, Upstream):
            server.pause()
        if done.returncode != 0:
            self.problem(f"{phase} {placement} {server.name}: {done.stderr.strip()[-600:]}")
            return
        report = json.loads(done.stdout)
        if report["failed"]:
            self.problem(f"{phase} {placement} {server.name}: {report['failed']} failed: {report['first_failure']}")
        self.rounds.append(
            {
                "phase": phase,
                "placement": placement,
                "server": server.name,
                "others_busy": round(share, 3),
                "load_average": os.getloadavg()[0],
                **report,
            }
        )
        print(f"{phase:9} {placement:9} {server.name:8} {table.line(report)}  (others {share:.0%})", flush=True)

    def turns(self, servers: Sequence[Server], measure: Callable[[Server], None]) -> None:
        for _ in range(self.arguments.rounds):
            for server in servers:
                measure(server)


def resident_kib(server: Server) -> int:
    """Memory of the server's processes."""
    listing = subprocess.run(["ps", "-o", "rss=", "--sid", str(server.pids[0])], capture_output=True, text=True, check=True)
    return sum(map(int, listing.stdout.split()))


def json_phase(bench: Bench, placement: str, servers: Sequence[Server], generator: Sequence[int]) -> None:
    """Throughput: 2 KB of prompt, 1 KB of answer, 32 connections that never wait."""
    body, seconds = bodies.chat(WORK), bench.arguments.seconds
    shape = ["closed", "--connections=32"]
    bench.turns(servers, lambda one: bench.measure("json", placement, one, generator, body, shape, seconds=seconds))


def latency_phase(bench: Bench, placement: str, servers: Sequence[Server], generator: Sequence[int]) -> None:
    """Latency at 200 requests a second, whatever the answers do."""
    body, seconds = bodies.chat(WORK), bench.arguments.seconds * 2
    shape = ["open", "--rate=200"]
    bench.turns(servers, lambda one: bench.measure("latency", placement, one, generator, body, shape, seconds=seconds))


def context_phase(bench: Bench, placement: str, servers: Sequence[Server], generator: Sequence[int]) -> None:
    """100 KB of an agent's context, with tool calls and their results."""
    body, seconds = bodies.context(WORK), bench.arguments.seconds
    shape = ["closed", "--connections=8"]
    bench.turns(servers, lambda one: bench.measure("context", placement, one, generator, body, shape, seconds=seconds))


def streams_phase(bench: Bench, placement: str, servers: Sequence[Server], generator: Sequence[int]) -> None:
    """64 streams of 500 events, 10 ms apart."""
    body = bodies.stream(WORK, events=500, gap_us=10_000)
    shape = ["streams", "--at-once=64", "--events=500", "--apart-us=1156"]
    bench.turns(servers, lambda one: bench.measure("streams", placement, one, generator, body, shape, patience=120))


def open_phase(bench: Bench, placement: str, servers: Sequence[Server], generator: Sequence[int]) -> None:
    """Many streams open at the same time, an event a second on each: what one of them takes, and whether all arrive."""
    if placement != bench.arguments.placements[0]:
        return
    for count in (1_000, 5_000):
        events = 10 + count // 500
        body = bodies.stream(WORK, events=events, gap_us=1_000_000)
        shape = ["streams", f"--at-once={count}", f"--events={events}", "--apart-us=1000"]
        for server in servers[1:]:
            if server.name.endswith("-polling"):
                continue  # What it holds in memory is what it holds without.
            if server.name == "litellm" and count > 1_000:
                continue  # Its processor time for so many streams is minutes; the first thousand tell enough.
            bench.measure(f"open-{count}", placement, server, generator, body, shape, patience=180)


PHASES: dict[str, Callable[[Bench, str, Sequence[Server], Sequence[int]], None]] = {
    "open": open_phase,  # First, while the servers' memory is what they began with.
    "json": json_phase,
    "latency": latency_phase,
    "context": context_phase,
    "streams": streams_phase,
}


def arguments() -> argparse.Namespace:
    names = [kind.name for kind in GATEWAYS]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4, help="how long a round of load lasts")
    parser.add_argument("--patience", type=float, default=60, help="how long a busy machine is waited for, each time")
    parser.add_argument("--servers", nargs="+", default=names, choices=names)
    parser.add_argument("--phases", nargs="+", default=list(PHASES), choices=list(PHASES))
    parser.add_argument("--placements", nargs="+", default=["apart", "together"], choices=["apart", "together"])
    parser.add_argument("--binary", type=Path, default=Seawall.binary, help="another build of Seawall")
    parser.add_argument("--out", type=Path, default=table.RESULTS)
    parser.add_argument("--quick", action="store_true", help="one short round of everything")
    parsed = parser.parse_args()
    if parsed.quick:
        parsed.rounds, parsed.seconds, parsed.patience = 1, 1.5, 2
    return parsed


def main() -> int:
    chosen = arguments()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    Seawall.binary = chosen.binary
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # So that what was started is stopped.
    bench = Bench(chosen)
    results = bench.run()
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps(results, indent=1) + "\n")
    print(table.text(results))
    return 1 if bench.problems else 0


if __name__ == "__main__":
    sys.exit(main())
