"""How well found things fit labels, and the rows that say so."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from judging import Found
from labelled.texts import Label, Text


@dataclass
class Score:
    """Of labels: how many were met. Of findings: how many met none."""

    labels: int = 0
    met: int = 0
    false_alarms: int = 0
    #: Labels that were met and not covered to their ends: what a redactor would leave behind.
    uncovered: list[tuple[str, Label]] = field(default_factory=list)
    missed: list[tuple[str, Label]] = field(default_factory=list)
    alarms: list[tuple[str, Found]] = field(default_factory=list)

    @property
    def recall(self) -> float:
        return self.met / self.labels if self.labels else 1.0

    @property
    def precision(self) -> float:
        return self.met / (self.met + self.false_alarms) if self.met + self.false_alarms else 1.0


def score(texts: Sequence[Text], found: Sequence[Sequence[Found]], same_kind: bool = False) -> Score:
    """A label is met by a finding that overlaps it; with `same_kind`, of its kind."""
    result = Score()
    for text, findings in zip(texts, found, strict=True):
        def meets(one: Found, label: Label) -> bool:
            return one.start < label.end and label.start < one.end and (not same_kind or one.kind == label.kind)

        for label in text.labels:
            result.labels += 1
            met = [one for one in findings if meets(one, label)]
            result.met += bool(met)
            if not met:
                result.missed.append((text.text, label))
            elif not any(one.start <= label.start and label.end <= one.end for one in met):
                result.uncovered.append((text.text, label))
        for one in findings:
            if not any(meets(one, label) for label in text.labels):
                result.false_alarms += 1
                result.alarms.append((text.text, one))
    return result


@dataclass(frozen=True)
class Row:
    """A line of the table: a list, what is counted in it, our figure, and the others'."""

    corpus: str
    cases: int
    measure: str
    ours: str
    bound: str = ""
    peers: tuple[tuple[str, str], ...] = ()


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def table(rows: Sequence[Row]) -> list[str]:
    """The rows for people, with a column for every tool that some row names."""
    names = list(dict.fromkeys(name for row in rows for name, _ in row.peers))
    lines = [["corpus", "cases", "measure", "seawall", "bound", *names]]
    for row in rows:
        peers = dict(row.peers)
        lines.append([row.corpus, str(row.cases), row.measure, row.ours, row.bound, *(peers.get(name, "") for name in names)])
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    rule = ["-" * width for width in widths]
    return ["| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in [lines[0], rule, *lines[1:]]]
