"""One guarded function beside the same function bare, in turns, in the interpreter that runs this: the part of the guard
bench that each library's own environment runs. Prints one JSON document.

Usage: guarded.py LIBRARY POLICY TRACE TOOL BATCHES, in a folder of its own.
"""

import json
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from statistics import median
from typing import Any

Function = Callable[[str, str], Any]
CALLS = 100


def plain(path: str, content: str) -> str:
    """A tool that does nothing: what is measured is the guard alone."""
    return content


def reads(path: str, content: str) -> int:
    """A tool that opens the file that it was given."""
    with open(path, "rb") as file:
        return len(file.read())


TOOLS: dict[str, Function] = {"plain": plain, "reads": reads}


def seawall(policy: str, traced: bool, tool: Function) -> tuple[AbstractContextManager[Any], Callable[[], Function]]:
    from seawall import guard, run

    context = run(policy=policy, sandbox="sandbox", trace="auto" if traced else None, strict=True)
    return context, lambda: guard()(tool)


def failcore(policy: str, traced: bool, tool: Function) -> tuple[AbstractContextManager[Any], Callable[[], Function]]:
    from failcore import guard, run

    named = None if policy == "off" else policy
    context = run(policy=named, sandbox="./sandbox", trace="auto" if traced else None, strict=True)
    # Without a declared effect this peer checks nothing: `../../etc/passwd` passes under fs_safe.
    return context, lambda: guard(effect="fs")(tool) if named else guard()(tool)


def microseconds(call: Function, argument: str) -> float:
    """Of one call, over a batch."""
    began = time.perf_counter_ns()
    for _ in range(CALLS):
        call(argument, "hello")
    return (time.perf_counter_ns() - began) / CALLS / 1000


def refuses(call: Function) -> bool:
    """Whether what is measured is a guard that guards."""
    try:
        call("../../etc/passwd", "hello")
    except Exception:
        return True
    return False


def main() -> None:
    library, policy, trace, tool, batches = sys.argv[1:]
    function = TOOLS[tool]
    begin = {"seawall": seawall, "failcore": failcore}[library]
    context, guarded_function = begin(policy, trace == "traced", function)
    with open("notes.txt", "w") as file:
        file.write("hello")
    with context as run:
        # A library that checks a relative path and does not replace it has the tool read from the working folder.
        with open(f"{getattr(run, 'sandbox', None) or 'sandbox'}/notes.txt", "w") as file:
            file.write("hello")
        guarded = guarded_function()
        guards = refuses(guarded) if policy != "off" else True
        for call in (function, guarded):
            microseconds(call, "notes.txt")
        bare, added = [], []
        for _ in range(int(batches)):
            bare.append(microseconds(function, "notes.txt"))
            added.append(microseconds(guarded, "notes.txt") - bare[-1])
    print(json.dumps({"bare_us": median(bare), "added_us": median(added), "guards": guards}))


if __name__ == "__main__":
    main()
