"""The simulated provider as a server of its own: the upstream whose counters are the truth."""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from harness.process import serving
from harness.waiting import until

INPUT_USD = Decimal("0.000001")
"""The price of a token that a `sim-*` model reads."""
OUTPUT_USD = Decimal("0.000002")
"""The price of a token that it writes."""


def price(input_tokens: int, output_tokens: int) -> Decimal:
    """What a `sim-*` model costs."""
    return input_tokens * INPUT_USD + output_tokens * OUTPUT_USD


@dataclass(frozen=True)
class Simulator:
    url: str

    def stats(self) -> dict[str, Any]:
        return self._get("/sim/stats")

    def last_request(self) -> dict[str, Any]:
        """The newest request as it arrived, without credentials."""
        return self._get("/sim/requests?last=1")["requests"][-1]

    def wait_idle(self) -> dict[str, Any]:
        """The counters, once nothing is in flight."""

        def idle() -> dict[str, Any] | None:
            stats = self.stats()
            return stats if stats["in_flight"] == 0 else None

        return until("the simulated provider has no request in flight", idle)

    def _get(self, path: str) -> dict[str, Any]:
        with urllib.request.urlopen(self.url + path, timeout=5) as answer:
            return json.load(answer)


@contextmanager
def simulating(folder: Path) -> Iterator[Simulator]:
    """Runs `seawall sim` until the block ends."""
    with serving("sim", "--listen", "127.0.0.1:0", folder=folder) as server:
        yield Simulator(url=server.url)
