"""Texts with nothing in them to find: sources, prose in many languages, logs.

Sources and prose are other people's, as packages carry them; where one of them really holds an address of a person, that
is for the test to say. Logs are drawn.
"""

import gzip
import hashlib
import random
import uuid
from collections.abc import Iterator
from pathlib import Path

from .texts import Text, randomness

#: So much of the sources of packages is read, in bytes, chosen by the hash of their names.
MOST_OF_PACKAGES = 3_000_000
MOST_OF_A_LANGUAGE = 300_000
LOG_LINES = 4_000
#: Packages that are made of attacks, or of what detectors look for.
ABOUT_ATTACKS = {"garak", "spikee", "bastioncorpus", "betterleaks", "detect_secrets", "scrubadub", "presidio_analyzer", "stdnum", "faker"}
SOURCES = {".py", ".pyi", ".js", ".ts", ".c", ".h", ".rs", ".toml", ".json", ".md", ".yaml", ".sh"}


def packages(folder: Path) -> Iterator[Text]:
    """The sources of installed packages, without their tests and their metadata, which names authors."""
    def fits(path: Path) -> bool:
        parts = set(path.parts)
        about_people = any(part.endswith(".dist-info") for part in parts) or "AUTHORS" in path.name
        return path.suffix in SOURCES and not about_people and not parts & ({"tests", "test", "testing"} | ABOUT_ATTACKS)

    files = sorted((path for path in folder.rglob("*") if fits(path.relative_to(folder))),
                   key=lambda path: hashlib.sha256(str(path.relative_to(folder)).encode()).digest())  # fmt: skip
    size = 0
    for path in files:
        text = path.read_text(encoding="utf-8", errors="ignore")
        # One table of data would be the whole corpus.
        if 0 < len(text) < 200_000:
            yield Text(text, "sources of packages")
            size += len(text)
        if size > MOST_OF_PACKAGES:
            return


def repository(root: Path) -> Iterator[Text]:
    """The sources of this repository, without tests and without the detectors themselves, which are full of examples."""
    for path in sorted(root.rglob("*.rs")):
        parts = path.relative_to(root).parts
        if parts[0] in ("target", ".tools") or "tests" in parts or "detect" in parts:
            continue
        yield Text(path.read_text(encoding="utf-8").split("#[cfg(test)]")[0], "sources of this repository")


def prose(folder: Path) -> Iterator[Text]:
    """What people wrote, a language a text: collections of sayings, and a handbook."""
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.is_symlink():
            continue
        inside = path.relative_to(folder).as_posix()
        if inside.endswith(".txt.gz"):
            text = gzip.decompress(path.read_bytes()).decode("utf-8", "ignore")
        elif "games/fortunes" in inside and path.suffix in ("", ".fortunes"):
            text = path.read_text(encoding="utf-8", errors="ignore")
        else:
            continue
        yield Text(text[:MOST_OF_A_LANGUAGE], "prose")


def _hex(rng: random.Random, length: int) -> str:
    return "".join(rng.choices("0123456789abcdef", k=length))


def _line(rng: random.Random) -> str:
    at = f"2026-11-21T{rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}.{rng.randrange(10**6):06}Z"
    request = uuid.UUID(int=rng.getrandbits(128), version=4)
    return rng.choice([
        f"{at} INFO request={request} span={_hex(rng, 16)} took={rng.randrange(10**6)}us bytes={rng.randrange(10**9)}",
        f"127.0.0.1 - - [21/Nov/2026:10:24:03 +0000] \"GET /v1/items/{rng.randrange(10**9)}?page={rng.randrange(99)} HTTP/1.1\" 200 {rng.randrange(10**6)}",
        f"Nov 21 10:24:03 node-{rng.randrange(99)} kubelet[{rng.randrange(10**5)}]: I1121 10:24:03.{rng.randrange(10**6):06} {rng.randrange(10**6)} pod_workers.go:965 pod \"api-{_hex(rng, 10)}-{_hex(rng, 5)}\" container {_hex(rng, 64)}",
        f"{{\"ts\":{1_767_323_045_000 + rng.randrange(10**9)},\"level\":\"warn\",\"trace\":\"{_hex(rng, 32)}\",\"msg\":\"retry {rng.randrange(9)} after {rng.random():.12f}s\"}}",
        f"   Compiling serde_json v1.{rng.randrange(200)}.{rng.randrange(20)} (checksum {_hex(rng, 64)})",
        f"commit {_hex(rng, 40)} (tag: v{rng.randrange(9)}.{rng.randrange(99)}.{rng.randrange(99)}, origin/release-2026-11)",
        f"\tat com.acme.billing.Ledger$Entry.settle(Ledger.java:{rng.randrange(2000)}) ~[billing-{rng.randrange(9)}.{rng.randrange(99)}.jar!/:?]",
        f"{rng.randrange(10**10)}\t{rng.uniform(-1e6, 1e6):.8f}\t{rng.uniform(0, 1):.17f}\t{rng.randrange(1 << 63)}\tOK",
        f"[{rng.random() * 1e5:12.6f}] eth0: rx_bytes={rng.randrange(10**12)} csum=0x{_hex(rng, 8)} irq={rng.randrange(256)} state=UP",
        f"Step {rng.randrange(10**5)}/{10**5} - loss: {rng.random():.9f} - lr: {rng.random() * 1e-3:.3e} - tokens: {rng.randrange(10**9)}",
    ])  # fmt: skip


def logs() -> Iterator[Text]:
    """What machines write: times, identifiers, hashes, measures."""
    rng = randomness("logs")
    yield Text("\n".join(_line(rng) for _ in range(LOG_LINES)), "logs")
