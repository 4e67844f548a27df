"""What a figure depends on besides the program: the machine, its kernel, and how busy others keep it."""

import contextlib
import os
import platform
import subprocess
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
# What decides what is built, from the root of the checkout.
DECIDE = [":/" + part for part in ("crates", "profile", "scripts/release.sh", ".cargo", "Cargo.toml", "Cargo.lock")]


def facts() -> dict[str, object]:
    """The machine, for the record."""
    return {
        "processor": _field("/proc/cpuinfo", "model name"),
        "processors": os.cpu_count(),
        "memory_gib": round(int(_field("/proc/meminfo", "MemTotal").split()[0]) / 2**20, 1),
        "kernel": platform.release(),
        "system": _field("/etc/os-release", "PRETTY_NAME", "=").strip('"'),
        "virtual": "hypervisor" in _field("/proc/cpuinfo", "flags").split(),
    }


def commit() -> dict[str, object]:
    """Of which source the figures are, and whether there were changes that are in no commit."""
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", *DECIDE)
    return {"id": _git("rev-parse", "HEAD"), "changed": bool(changed)}


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=HERE, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _field(path: str, name: str, separator: str = ":") -> str:
    for line in Path(path).read_text().splitlines():
        key, found, value = line.partition(separator)
        if found and key.strip() == name:
            return value.strip()
    return ""


def prefer(pid: int) -> int:
    """Asks for the highest priority that there is for a process and those it starts; neighbours then count for little. The
    kernel may schedule by session first: then it is the session's priority that counts. Without the right to it things stay
    as they are. Gives the priority that holds."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, -20)
        Path(f"/proc/{pid}/autogroup").write_text("-20")
    return os.getpriority(os.PRIO_PROCESS, pid)


def busy(seconds: float = 0.3) -> float:
    """The share of all processors that is in use, looked at for a while; 1.0 is all of them."""
    before = _ticks()
    time.sleep(seconds)
    after = _ticks()
    idle, total = (late - early for early, late in zip(before, after, strict=True))
    return 1 - idle / total if total else 0.0


def _ticks() -> tuple[int, int]:
    """Idle and total ticks since the machine began. The guest fields are in the others already."""
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return fields[3] + fields[4], sum(fields)


def wait_until_quiet(most: float, patience: float) -> float:
    """Waits until others use at most this share of the processors; gives the share when it stopped waiting."""
    deadline = time.monotonic() + patience
    while (share := busy()) > most and time.monotonic() < deadline:
        time.sleep(1)
    return share
