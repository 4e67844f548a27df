"""Starting and stopping servers, the binary under test above all."""

import select
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.places import clean_environment, seawall_binary

START_SECONDS = 20
STOP_SECONDS = 10


@dataclass(frozen=True)
class Server:
    """A server that accepts connections."""

    url: str
    """Scheme, host and port, without a slash at the end."""
    run: str


@contextmanager
def serving(*arguments: str, folder: Path) -> Iterator[Server]:
    """Runs `seawall ARGUMENTS` in `folder` until the block ends."""
    argv = [seawall_binary(), *arguments]
    with running(argv, folder=folder, log=f"{arguments[0]}.log", ready="seawall ready ") as facts:
        yield Server(url=facts["listen"], run=facts["run"])


@contextmanager
def running(argv: Sequence[str], *, folder: Path, log: str, ready: str) -> Iterator[dict[str, str]]:
    """Runs a server until the block ends. Once it has printed a line that begins with `ready`, gives the facts
    (`name=value`) of that line. `log` gets what it writes to standard error."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / log).open("wb") as errors:
        process = subprocess.Popen(
            argv,
            cwd=folder,
            env=clean_environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            bufsize=0,  # So that no line waits in a buffer that `select` does not see.
        )
    try:
        yield _ready_facts(process, ready, folder / log)
    finally:
        _stop(process)


def _ready_facts(process: subprocess.Popen[bytes], ready: str, log: Path) -> dict[str, str]:
    deadline = time.monotonic() + START_SECONDS
    while True:
        readable, _, _ = select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))
        line = process.stdout.readline().decode() if readable else ""
        if line.startswith(ready):
            return dict(fact.split("=", 1) for fact in line.removeprefix(ready).split())
        if not line:
            wrote = log.read_text(errors="replace")[-4000:]
            raise AssertionError(f"{process.args} did not get ready; it wrote:\n{wrote}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    finally:
        process.stdout.close()


def command(*arguments: str, folder: Path, expect: int = 0) -> str:
    """What `seawall ARGUMENTS` prints. It must exit with `expect`."""
    done = subprocess.run(
        [seawall_binary(), *arguments],
        cwd=folder,
        env=clean_environment(folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == expect, f"{done.args} exited {done.returncode}: {done.stderr.decode(errors='replace')}"
    return done.stdout.decode()
