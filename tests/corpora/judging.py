"""Asks the real detectors, a whole list at a time, through the example `judge` of the crate."""

import json
import os
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from harness.places import ROOT


@dataclass(frozen=True)
class Found:
    """A match, in characters."""

    kind: str
    start: int
    end: int


def judge_binary() -> Path:
    """$SEAWALL_JUDGE, else what `tests/run.sh corpora` built."""
    named = os.environ.get("SEAWALL_JUDGE")
    path = Path(named) if named else ROOT / "target/ci/examples/judge"
    if not path.is_file():
        raise FileNotFoundError(f"no judge at {path}: cargo build --profile ci -p seawall-detect --example judge")
    return path


class Judge:
    """The detectors, with a folder that paths are judged under."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._binary = judge_binary()

    def ask(self, detector: str, texts: Iterable[str], **more: object) -> list[dict]:
        """An answer for every text, in their order."""
        questions = [json.dumps({"detector": detector, "text": text, **more}) for text in texts]
        done = subprocess.run(
            [self._binary, self.root], input="\n".join(questions) + "\n", capture_output=True, text=True, timeout=60, check=False,
            encoding="utf-8",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(answers) == len(questions), "an answer for every question"
        return answers

    def secrets(self, texts: Iterable[str]) -> list[list[Found]]:
        return self._matches(texts, "SECRET_FOUND")

    def personal_data(self, texts: Iterable[str]) -> list[list[Found]]:
        return self._matches(texts, "PII_FOUND")

    def codes(self, detector: str, texts: Iterable[str], **more: object) -> list[list[str]]:
        return [answer["codes"] for answer in self.ask(detector, texts, **more)]

    def _matches(self, texts: Iterable[str], code: str) -> list[list[Found]]:
        return [
            [Found(one["kind"], one["start"], one["end"]) for one in answer["matches"] if one["code"] == code]
            for answer in self.ask("text", texts)
        ]
