"""The page of the documentation that the benches put their tables in, each between two marks of its own."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "performance.md"


def put_down(maker: str, made: Sequence[str], check: bool = False) -> int:
    """Puts the parts between the marks of `maker`, or only says whether they stand there. What a program exits with."""
    begin, end = (f"<!-- made by bench/{maker}: {edge} -->" for edge in ("begin", "end"))
    document = DOCUMENT.read_text()
    before, begins, rest = document.partition(begin)
    _, ends, after = rest.partition(end)
    if not begins or not ends:
        print(f"{DOCUMENT.name} has no place for the tables of {maker}", file=sys.stderr)
        return 1
    wanted = before + "\n\n".join([begin, *made, end]) + after
    if check:
        if wanted != document:
            print(f"{DOCUMENT.name} is not what the results say: run bench/{maker}", file=sys.stderr)
        return int(wanted != document)
    DOCUMENT.write_text(wanted)
    return 0


def conditions(results: dict[str, Any]) -> str:
    """When, where and of which source the figures are."""
    facts, commit = results["machine"], results["commit"]
    return (
        f"{results['at']}, commit {commit['id'][:12]}{' with changes' if commit['changed'] else ''}. {facts['processors']} processors "
        f"({facts['processor']}), {facts['system']}, Linux {facts['kernel']}; medians of {results['rounds_each']} rounds; others used "
        f"{results['others_busy']:.0%} of the processors before them."
    )
