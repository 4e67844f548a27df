#!/usr/bin/env python3
"""The detectors and the redactor: bytes a second on clean and dirty texts, beside other tools of the kind, and what a screen
adds to the first event of a stream.

Run by .tools/corpora/bin/python, since the texts are those of tests/corpora: sources of installed packages, prose in
eleven languages, drawn logs; and the labelled keys and persons for the dirty ones. Of each case one round after the other
(A B A B), medians. Writes bench/results/detect.json or redactor.json and the tables of docs/performance.md.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import Any

import machine
import stream
from page import conditions, put_down

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
WORK = HERE / ".work" / "texts"
RELEASE = ROOT / "target" / "release"
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "corpora")]

import peers  # noqa: E402
from attacks import package  # noqa: E402
from labelled import clean, credentials, persons  # noqa: E402

Report = dict[str, Any]
MB = 1_000_000
SIZES = {"code": 40 * MB, "prose": 40 * MB, "logs": 20 * MB}
DIRTY = 20 * MB
BETWEEN_MATCHES = 200
"""Bytes of clean text from one labelled line to the next in the dirty text."""
PIECES = (1, 16, 64, 1024)
ROUNDS_OF_PEERS = 1


def repeated(texts: Iterator[str], size: int) -> str:
    """So many bytes of them, from the beginning again where they are fewer."""
    kept, have = [], 0
    for text in cycle(list(texts)):
        kept.append(text)
        have += len(text.encode())
        if have >= size:
            return "\n".join(kept)
    return ""


def labelled() -> list[str]:
    keys = [*credentials.from_forms(), *credentials.from_names()]
    people = [text for text in persons.sentences(package("presidio_evaluator")) if text.labels]
    lines = [text.text.replace("\n", " ") for text in [*keys, *people] if len(text.text) < 400]
    return sorted(lines, key=lambda line: hash_of(line))


def hash_of(line: str) -> int:
    return int.from_bytes(line.encode()[-8:], "little") * 0x9E37_79B9 % 1_000_003


def dirty(text: str, apart: int, size: int) -> str:
    """The text with a labelled line after every so many bytes of it."""
    kept, since, have = [], 0, 0
    found = cycle(labelled())
    for line in text.splitlines():
        kept.append(line[:400])
        since += len(line[:400]) + 1
        if since >= apart:
            kept.append(next(found))
            have += since + len(kept[-1])
            since = 0
        if have >= size:
            break
    return "\n".join(kept)


def arguments_of(text: str) -> str:
    """What a model gives to a tool that writes files: a document a line, with 2 KB of text in each."""
    cuts = range(0, min(len(text), DIRTY), 2000)
    return "\n".join(json.dumps({"path": f"src/part_{at}.py", "content": text[at : at + 2000], "mode": 420}) for at in cuts)


def prepare() -> dict[str, Path]:
    """Writes the texts down, once."""
    clean.MOST_OF_PACKAGES, clean.MOST_OF_A_LANGUAGE, clean.LOG_LINES = SIZES["code"], 4 * MB, 60_000
    makers: dict[str, Callable[[], str]] = {
        "code": lambda: repeated((one.text for one in clean.packages(package("spacy").parent)), SIZES["code"]),
        "prose": lambda: repeated((one.text for one in clean.prose(ROOT / ".tools" / "corpora-lists")), SIZES["prose"]),
        "logs": lambda: repeated((one.text for one in clean.logs()), SIZES["logs"]),
        "clean": lambda: "\n".join(paths[name].read_text() for name in SIZES),
        "mix": lambda: "\n".join(paths[name].read_text()[: DIRTY // 3] for name in SIZES),
        "dirty": lambda: dirty("\n".join(paths[name].read_text()[: DIRTY // 3] for name in SIZES), BETWEEN_MATCHES, DIRTY),
        "dense": lambda: repeated(iter(labelled()), DIRTY // 2),
        "arguments": lambda: arguments_of(paths["mix"].read_text()),
        "dirty arguments": lambda: arguments_of(paths["dirty"].read_text()),
    }
    WORK.mkdir(parents=True, exist_ok=True)
    paths = {name: WORK / f"{name.replace(' ', '-')}.txt" for name in makers}
    for name, make in makers.items():
        if not paths[name].exists():
            paths[name].write_text(make())
    return paths


def measured(path: Path, *flags: str) -> Report:
    argv = ["taskset", "--cpu-list", str(max(os.sched_getaffinity(0))), str(RELEASE / "texts"), str(path), *flags]
    return json.loads(subprocess.run(argv, capture_output=True, text=True, check=True).stdout)


def turns(cases: list[tuple[Report, Path, list[str]]], rounds: int) -> list[Report]:
    found = []
    for number in range(rounds):
        for about, path, flags in cases:
            one = about | {"round": number} | measured(path, *flags)
            found.append(one)
            print(f"{about}: {one['bytes'] / one['seconds'] / MB:,.0f} MB/s", flush=True)
    return found


def detect(paths: dict[str, Path], rounds: int) -> Report:
    cases = [({"text": name, "select": select}, paths[name], ["--work=scan", f"--select={select}"])
             for name in ("clean", *SIZES, "dirty", "dense") for select in ("all", "secrets-pii", "secrets")]  # fmt: skip
    return {"rounds": turns(cases, rounds), "peers": of_peers(paths["dirty"].read_text())}


def of_peers(text: str) -> list[Report]:
    """The other tools, each on as much of the dirty text as it can read in seconds."""
    found = []
    for name, tool, size in (("detect-secrets", peers.detect_secrets, 300_000), ("betterleaks", peers.betterleaks, MB),
                             ("presidio", peers.presidio, 200_000), ("scrubadub", peers.scrubadub, 200_000)):  # fmt: skip
        part = text[:size].splitlines()
        pages = ["\n".join(part[at : at + 50]) for at in range(0, len(part), 50)]
        list(tool(pages[:1]))  # What is loaded once does not count.
        begun = time.perf_counter()
        matches = sum(len(one) for one in tool(pages))
        found.append({"tool": name, "bytes": size, "seconds": time.perf_counter() - begun, "matches": matches})
        print(found[-1], flush=True)
    return found


def redactor(paths: dict[str, Path], rounds: int) -> Report:
    cases = [({"text": name, "work": "redact", "piece": piece}, paths[name], ["--work=redact", f"--piece={piece}"])
             for name in ("mix", "dirty", "dense", "arguments", "dirty arguments") for piece in PIECES]  # fmt: skip
    cases += [({"text": name, "work": "json", "piece": 0}, paths[name], ["--work=json"])
              for name in ("arguments", "dirty arguments")]  # fmt: skip
    return {"rounds": turns(cases, rounds), "first": stream.first_events(RELEASE / "seawall", WORK)}


def row(rounds: list[Report], **about: object) -> list[Report]:
    return [one for one in rounds if all(one[name] == value for name, value in about.items())]


def speed(rounds: list[Report]) -> float:
    return median(one["bytes"] / one["seconds"] / MB for one in rounds)


def detect_tables(results: Report) -> list[str]:
    names = {"clean": "100 MB clean: the next three", "code": "source code", "prose": "prose", "logs": "logs", "dirty": "dirty", "dense": "dense"}
    lines = ["| text | bytes to a match | all | secrets and persons | secrets |", "| --- | ---: | ---: | ---: | ---: |"]
    for text, title in names.items():
        one = row(results["rounds"], text=text, select="all")[0]
        speeds = [f"{speed(row(results['rounds'], text=text, select=select)):,.0f}" for select in ("all", "secrets-pii", "secrets")]
        lines.append(f"| {title} | {one['bytes'] / max(one['matches'], 1):,.0f} | {' | '.join(speeds)} |")
    others = ["| tool, on the dirty text | MB/s | Seawall is faster by |", "| --- | ---: | ---: |"]
    own = speed(row(results["rounds"], text="dirty", select="all"))
    for one in results["peers"]:
        theirs = one["bytes"] / one["seconds"] / MB
        others.append(f"| {one['tool']} | {theirs:.3f} | {own / theirs:,.0f} × |")
    return ["MB/s of one processor, medians:", "\n".join(lines), "\n".join(others)]


def redactor_tables(results: Report) -> list[str]:
    names = {"mix": "clean text", "dirty": "dirty text", "dense": "dense text",
             "arguments": "arguments of tools, clean", "dirty arguments": "arguments of tools, dirty"}  # fmt: skip
    heads = [f"{piece} B" for piece in PIECES]
    lines = [f"| text | bytes to a match | {' | '.join(heads)} | whole document | held at most |", f"| --- | ---: {'| ---: ' * (len(heads) + 2)}|"]
    for text, title in names.items():
        found = row(results["rounds"], text=text, work="redact")
        speeds = [f"{speed(row(found, piece=piece)):,.0f}" for piece in PIECES]
        whole = row(results["rounds"], text=text, work="json")
        held = max(one["held_most"] for one in found)
        apart = found[0]["bytes"] / max(found[0]["matches"], 1)
        lines.append(f"| {title} | {apart:,.0f} | {' | '.join(speeds)} | {f'{speed(whole):,.0f}' if whole else '–'} | {held:,} B |")
    first = results["first"]
    seen = ["| stream of 40 events, 10 ms apart | direct | screened | added |", "| --- | ---: | ---: | ---: |"]
    for what, title in (("first_ms", "first text after the request"), ("last_ms", "last event after the request")):
        direct, screened = (median(one[what] for one in first if one["way"] == way) for way in ("direct", "screened"))
        seen.append(f"| {title} | {direct:.2f} ms | {screened:.2f} ms | {screened - direct:.2f} ms |")
    return ["MB/s of one processor by the length of the pieces, medians:", "\n".join(lines), "\n".join(seen)]


BENCHES = {"detect": (detect, detect_tables), "redactor": (redactor, redactor_tables)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("bench", choices=[*BENCHES, "prepare"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--patience", type=float, default=60, help="how long a busy machine is waited for")
    parser.add_argument("--tables", action="store_true", help="only the tables, from the results that are there")
    chosen = parser.parse_args()
    paths = prepare()
    if chosen.bench == "prepare":
        return
    run, tables = BENCHES[chosen.bench]
    kept = HERE / "results" / f"{chosen.bench}.json"
    if not chosen.tables:
        about = {"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "machine": machine.facts(), "commit": machine.commit(),
                 "rounds_each": chosen.rounds, "others_busy": machine.wait_until_quiet(0.15, chosen.patience)}  # fmt: skip
        machine.prefer(os.getpid())
        kept.write_text(json.dumps(about | run(paths, chosen.rounds), indent=1) + "\n")
    results = json.loads(kept.read_text())
    sys.exit(put_down(f"texts.py {chosen.bench}", [conditions(results), *tables(results)]))


if __name__ == "__main__":
    main()
