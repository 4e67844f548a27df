"""Where the model clients of a program send their calls while a run lasts that wants them to go through a gateway.

The clients read it from the environment as they are made, and the environment is the process's: so is what is set here. It
proxies nothing, and knows a gateway by its address alone.
"""

from __future__ import annotations

import http.client
import os
import threading
import urllib.request
from typing import Optional, Union
from urllib.parse import urlsplit

from seawall.errors import ConfigError

__all__ = ["Routed", "address_of"]

#: Where `seawall up` and `seawall proxy` listen when they are told nothing else.
_DEFAULT = "http://127.0.0.1:8000"
#: The variables that clients read, and the path below the gateway that each wants in it: of the SDKs of OpenAI, Anthropic and
#: Google, and the older name that LangChain and LiteLLM look at.
_VARIABLES = {
    "OPENAI_BASE_URL": "/v1",
    "OPENAI_API_BASE": "/v1",
    "ANTHROPIC_BASE_URL": "",
    "GOOGLE_GEMINI_BASE_URL": "",
}
_SECONDS = 5.0


def address_of(gateway: Union[bool, str, None]) -> Optional[str]:
    """The gateway's address: as it is given, else `$SEAWALL_GATEWAY`, else where one listens by itself. `None` for none."""
    if gateway is None or gateway is False:
        return None
    address = (os.environ.get("SEAWALL_GATEWAY") or _DEFAULT) if gateway is True else str(gateway)
    try:
        parts = urlsplit(address)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        raise ConfigError(f"the gateway {address!r} is no http(s) address", remedy=f"give one such as {_DEFAULT}")
    return address.rstrip("/").removesuffix("/v1")


class Routed:
    """The environment of the process while runs last that send their model calls through one gateway."""

    _lock = threading.Lock()
    _runs = 0
    _address: Optional[str] = None
    _before: dict[str, Optional[str]] = {}

    @classmethod
    def begin(cls, address: str) -> None:
        """Sends calls of clients that are made from now on through the gateway. It has to be there."""
        _look_for(address)
        with cls._lock:
            if cls._runs and cls._address != address:
                raise ConfigError(
                    f"the model calls of this process go through {cls._address} already, not {address}",
                    remedy="use one gateway for runs that overlap",
                )
            if not cls._runs:
                cls._address = address
                cls._before = {name: os.environ.get(name) for name in _VARIABLES}
                os.environ.update({name: address + path for name, path in _VARIABLES.items()})
            cls._runs += 1

    @classmethod
    def end(cls) -> None:
        """One run less. After the last one everything is as it was."""
        with cls._lock:
            cls._runs -= 1
            if cls._runs:
                return
            for name, value in cls._before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


def _look_for(address: str) -> None:
    try:
        # No proxy of the environment stands between a program and its gateway.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        opener.open(f"{address}/health", timeout=_SECONDS).close()
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ConfigError(
            f"no gateway answers at {address}: {error}",
            remedy="start one with `seawall up`, or give its address: run(gateway='http://host:port')",
        ) from error
