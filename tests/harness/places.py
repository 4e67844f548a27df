"""Where things are: the checkout, the tools that tests/setup.sh installed, and the binary under test."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".tools"


def seawall_binary() -> str:
    """The `seawall` under test: $SEAWALL_BIN, else what `make test` builds, else what a developer built."""
    named = os.environ.get("SEAWALL_BIN")
    candidates = [Path(named).absolute()] if named else [ROOT / "target/ci/seawall", ROOT / "target/debug/seawall"]
    for candidate in candidates:
        if candidate.is_file():
            return str(candidate)
    looked_at = ", ".join(str(candidate) for candidate in candidates)
    raise FileNotFoundError(f"no seawall binary at {looked_at}: build one or set SEAWALL_BIN")


def clean_environment(home: Path, **more: str) -> dict[str, str]:
    """An environment without anybody's keys, proxies or settings."""
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": str(home), "LANG": "C.UTF-8"} | more
