"""What happens to an agent, as it happens. A connection that breaks is made again, from the last number on."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from seawall.agents.http import AgentError, Server, query

CHANNELS = ("progress", "control", "monitor")

# Longer than the server lets a stream be silent.
SILENCE_SECONDS = 45.0

# So often a connection is tried to be made again without anything new in between.
TRIES = 8


@dataclass(frozen=True)
class Event:
    """One thing that happened."""

    seq: int
    """Its number: who comes back with it goes on after it."""
    channel: str
    type: str
    data: dict[str, Any]
    """Everything that is told of it."""


def follow(server: Server, path: str, channels: Sequence[str], since: int) -> Iterator[Event]:
    """Everything after the number `since`, once each and in order, for as long as it is asked for."""
    failures = 0
    while True:
        try:
            for event in _connection(server, path, channels, since):
                since, failures = event.seq, 0
                yield event
        except AgentError as error:
            if error.status not in (0, 502, 503, 504) or failures >= TRIES:
                raise
        failures += 1
        time.sleep(min(0.05 * 2**failures, 2.0))


def _connection(server: Server, path: str, channels: Sequence[str], since: int) -> Iterator[Event]:
    address = path + query(channels=",".join(channels), since=since)
    connection, response = server.open("GET", address, timeout=SILENCE_SECONDS)
    try:
        for number, data in _messages(response):
            told = json.loads(data)["event"]
            yield Event(number, told["channel"], told["type"], told)
    finally:
        connection.close()


def _messages(response: http.client.HTTPResponse) -> Iterator[tuple[int, str]]:
    """Server-sent events that have a number; what breaks off is no event."""
    number: Optional[int] = None
    data: list[str] = []
    while True:
        try:
            raw = response.readline()
        except (OSError, http.client.HTTPException):
            return
        if not raw:
            return
        line = raw.decode().rstrip("\r\n")
        name, _, value = line.partition(":")
        value = value[1:] if value.startswith(" ") else value
        if not line:
            if number is not None and data:
                yield number, "\n".join(data)
            number, data = None, []
        elif name == "id":
            number = int(value)
        elif name == "data":
            data.append(value)
