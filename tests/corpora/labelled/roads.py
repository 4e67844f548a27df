"""Paths that lead out of a folder, in every spelling that some program reads."""

import itertools
from collections.abc import Iterator
from pathlib import Path

from .texts import Text, randomness

#: What stands for the file in the published lists.
TARGET = "etc/passwd"

DOTS = [
    "..", "%2e%2e", "%2E%2E", ".%2e", "%2e.", "%252e%252e", "%25252e%25252e", "%c0%ae%c0%ae", "%e0%80%ae%e0%80%ae",
    "%25c0%25ae%25c0%25ae", "%u002e%u002e", "%uff0e%uff0e", "0x2e0x2e", "&#46;&#46;", "&#x2e;&#x2e;", "\uff0e\uff0e",
    "\u2024\u2024", "%%32%65%%32%65", ".\u200b.", ". .", ".. ", "+AC4-+AC4-", "..;", "....", "\u2025", "%e2%80%a4%e2%80%a4",
]  # fmt: skip
SEPARATORS = [
    "/", "\\", "%2f", "%2F", "%5c", "%252f", "%255c", "%c0%af", "%c1%9c", "%e0%80%af", "%25c0%25af", "%u2215", "%u2216",
    "%%32%66", "0x2f", "0x5c", "//", "/./", "\\/", "\u2215", "\uff0f", "\u2044", "&#47;", "%ef%bc%8f",
]  # fmt: skip
BEFORE = ["", "/", "./", "a/", "docs/readme.md/", "%2f", "\\"]
AFTER = ["", "%00", "%00.png", "\x00.png", ";index.html", "?x", "#a", " "]
DEPTHS = [1, 2, 7]


def generated() -> Iterator[Text]:
    """Every dot with every separator, at every depth, between drawn beginnings and ends."""
    rng = randomness("roads")
    for dots, separator, depth in itertools.product(DOTS, SEPARATORS, DEPTHS):
        for _ in range(2):
            way = (dots + separator) * depth
            target = TARGET.replace("/", separator if rng.random() < 0.5 else "/")
            yield Text(rng.choice(BEFORE) + way + target + rng.choice(AFTER), "generated")


def published(folder: Path) -> Iterator[Text]:
    """The lists of a fuzzer. Lines that begin with `#` are about the list."""
    names = ["vulns/dirTraversal.txt", "vulns/dirTraversal-nix.txt", "vulns/dirTraversal-win.txt", "Injections/Traversal.txt"]
    for name in names:
        for line in (folder / name).read_text(encoding="latin-1").splitlines():
            if line.strip() and not line.startswith("# "):
                yield Text(line.replace("{FILE}", TARGET), name)
