"""The gateway under test, its trace and its books."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from harness.process import command, serving
from harness.simulator import Simulator
from harness.waiting import until

ENDS = ("action.settled", "action.abandoned")


@dataclass(frozen=True)
class Call:
    """One model call as the trace tells it: how it was let in, and how it ended."""

    action: str
    actor: dict[str, str]
    admitted: dict[str, Any]
    ended: dict[str, Any]

    @property
    def status(self) -> int:
        return int(self.ended["status"])

    @property
    def cost_usd(self) -> Decimal:
        return Decimal(self.ended["cost_usd"])

    @property
    def tokens(self) -> tuple[int, int]:
        """Read and written."""
        usage = self.ended["usage"]
        return usage["input_tokens"], usage["output_tokens"]

    @property
    def is_estimated(self) -> bool:
        return self.ended["usage"]["estimated"]


@dataclass(frozen=True)
class Gateway:
    url: str
    run: str
    data_dir: Path

    def events(self) -> list[dict[str, Any]]:
        """The trace of its run, as `seawall trace show` prints it."""
        lines = self.seawall("trace", "show", self.run).splitlines()
        return [json.loads(line) for line in lines]

    def seawall(self, *arguments: str, expect: int = 0) -> str:
        """What a command of the binary prints about this gateway's state."""
        return command(
            *arguments, "--json", "--data-dir", str(self.data_dir), folder=self.data_dir.parent, expect=expect
        )

    def from_now(self) -> "Record":
        """The calls that are made from now on."""
        return Record(self, datetime.now(UTC))


@dataclass(frozen=True)
class Record:
    """The calls since some moment."""

    gateway: Gateway
    since: datetime

    def one(self) -> Call:
        """The only call there was, once it has ended."""
        return self.calls(1)[0]

    def calls(self, count: int) -> list[Call]:
        """The `count` calls there were, once all of them have ended: each admitted once and ended once."""
        calls = self.at_least(count)
        assert len(calls) == count, calls
        return calls

    def at_least(self, count: int) -> list[Call]:
        """All the calls there were, once all of them and at least `count` have ended."""
        return until(f"{count} calls are admitted and ended in the trace", lambda: self._ended(count))

    def denied(self) -> dict[str, Any]:
        """The data of the only refusal there was."""
        events = until("a refusal is in the trace", lambda: self._model_calls("action.denied"))
        assert len(events) == 1, events
        assert not self._model_calls("action.admitted")
        return events[0]["data"]

    def _ended(self, count: int) -> list[Call] | None:
        events = self._model_calls(*ENDS, "action.admitted")
        admitted = [event for event in events if event["kind"] == "action.admitted"]
        actions = {event["action"] for event in admitted}
        # What is not among them is the end of an earlier call.
        ended = [event for event in events if event["kind"] in ENDS and event["action"] in actions]
        if len(ended) < count or len(ended) < len(admitted):
            return None
        by_action = {event["action"]: event["data"] for event in ended}
        assert len(admitted) == len(ended) == len(by_action), events
        return [Call(event["action"], event["actor"], event["data"], by_action[event["action"]]) for event in admitted]

    def _model_calls(self, *kinds: str) -> list[dict[str, Any]]:
        """The events of these kinds about model calls."""
        return [
            event
            for event in self.gateway.events()
            if event["kind"] in kinds
            and event["data"].get("kind") == "model_call"
            and datetime.fromisoformat(event["ts"]) >= self.since
        ]


@contextmanager
def gating(folder: Path, upstream: str, *flags: str) -> Iterator[Gateway]:
    """Runs `seawall proxy` in front of `upstream` until the block ends."""
    data_dir = folder / "data"
    arguments = ["proxy", "--listen", "127.0.0.1:0", "--upstream", upstream, "--data-dir", str(data_dir), *flags]
    with serving(*arguments, folder=folder) as server:
        until("the trace has the run", lambda: list(data_dir.glob(f"runs/*/{server.run}/trace.jsonl")))
        yield Gateway(url=server.url, run=server.run, data_dir=data_dir)


def assert_told(gateway: Gateway, headers: Mapping[str, str], call: Call) -> None:
    """The answer's headers name the run, the action and the verdict that the trace has."""
    assert headers["x-seawall-run"] == gateway.run
    assert headers["x-seawall-action"] == call.action
    assert headers["x-seawall-verdict"] == "allow"
    assert headers["x-request-id"]


def assert_books_close(gateway: Gateway, upstream: Simulator) -> None:
    """Whatever happened: every call that was admitted has ended once, nothing is held, what is spent is the sum of what
    was settled and no less than what the upstream has served, and the trace is whole."""
    truth = Decimal(upstream.wait_idle()["cost_usd"])
    total = until("no money is held", lambda: _unheld_total(gateway))
    events = gateway.events()
    admitted = sorted(event["action"] for event in events if event["kind"] == "action.admitted")
    ended = sorted(event["action"] for event in events if event["kind"] in ENDS)
    assert admitted == ended
    settled = sum(Decimal(event["data"].get("cost_usd", 0)) for event in events if event["kind"] in ENDS)
    spent = Decimal(total["spent_usd"])
    assert spent == settled
    assert spent >= truth, f"{truth} USD were served and only {spent} are in the books"
    assert json.loads(gateway.seawall("trace", "verify", gateway.run))["ok"] is True


def _unheld_total(gateway: Gateway) -> dict[str, Any] | None:
    budgets = json.loads(gateway.seawall("budget", "show"))["budgets"]
    assert all(Decimal(budget["held_usd"]) >= 0 for budget in budgets)
    (total,) = [budget for budget in budgets if (budget["scope"], budget["window"]) == ("global", "total")]
    return total if total["holds"] == 0 and Decimal(total["held_usd"]) == 0 else None
