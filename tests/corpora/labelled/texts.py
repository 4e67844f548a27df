"""A text and its labels, and how a corpus is kept: one JSON object a line."""

import json
import random
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

SEED = 20261121


@dataclass(frozen=True)
class Label:
    """What stands from `start` to `end`, counted in characters."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True)
class Text:
    text: str
    #: Which part of the corpus it belongs to: a row of the table.
    group: str
    #: Everything that is to be found; nothing in a text that only looks like it.
    labels: tuple[Label, ...] = field(default=())


def randomness(name: str) -> random.Random:
    """Of each corpus its own, so that one can grow without changing the others."""
    return random.Random(f"{SEED}/{name}")


def placed(group: str, template: str, kind: str, value: str) -> Text:
    """The template with the value in the place of `{}`, labelled."""
    before, after = template.split("{}", 1)
    label = Label(kind, len(before), len(before) + len(value))
    return Text(before + value + after, group, (label,))


def write(path: Path, texts: Iterable[Text]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for text in texts:
            file.write(json.dumps(asdict(text)) + "\n")
