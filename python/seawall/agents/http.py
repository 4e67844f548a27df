"""Requests to a server, and its problems as exceptions."""

from __future__ import annotations

import http.client
import json
import urllib.parse
from collections.abc import Mapping
from typing import Any, Optional

from seawall.errors import SeawallError

TIMEOUT_SECONDS = 60.0


class AgentError(SeawallError):
    """The server refuses, or does not answer. `code` is stable, `status` is that of HTTP (0: no answer)."""

    def __init__(self, problem: Mapping[str, Any], status: int) -> None:
        self.code = str(problem.get("code", "UNAVAILABLE"))
        self.remedy = problem.get("remedy")
        self.errors = list(problem.get("errors", ()))
        self.status = status
        super().__init__(f"{self.code}: {problem.get('detail', 'the server gave no reason')}")


class Server:
    """Where requests go. One connection each: any number of threads may use it."""

    def __init__(self, url: str, api_key: Optional[str]) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is no address of a server; write http://HOST:PORT")
        self._is_https = parts.scheme == "https"
        self._host, self._port = parts.hostname, parts.port
        self._headers = {"content-type": "application/json"}
        if api_key is not None:
            self._headers["authorization"] = f"Bearer {api_key}"

    def open(
        self,
        method: str,
        path: str,
        body: Optional[Mapping[str, Any]] = None,
        headers: Optional[Mapping[str, str]] = None,
        timeout: Optional[float] = TIMEOUT_SECONDS,
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        """An answer that is still to be read, with its connection, which is to be closed."""
        connect = http.client.HTTPSConnection if self._is_https else http.client.HTTPConnection
        connection = connect(self._host, self._port, timeout=timeout)
        text = None if body is None else json.dumps(body)
        try:
            connection.request(method, path, text, {**self._headers, **(headers or {})})
            response = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise AgentError({"detail": f"the server does not answer: {error}"}, 0) from error
        if response.status >= 400:
            problem = _problem(response)
            connection.close()
            raise AgentError(problem, response.status)
        return connection, response

    def ask(
        self,
        method: str,
        path: str,
        body: Optional[Mapping[str, Any]] = None,
        headers: Optional[Mapping[str, str]] = None,
        timeout: Optional[float] = TIMEOUT_SECONDS,
    ) -> tuple[int, Any]:
        """The status and the JSON of an answer."""
        connection, response = self.open(method, path, body, headers, timeout)
        try:
            text = response.read()
            return response.status, json.loads(text) if text else None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise AgentError({"detail": f"the answer broke off: {error}"}, 0) from error
        finally:
            connection.close()


def _problem(response: http.client.HTTPResponse) -> Mapping[str, Any]:
    try:
        problem = json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError):
        problem = None
    return problem if isinstance(problem, dict) else {"detail": f"HTTP {response.status} {response.reason}"}


def segment(name: str) -> str:
    """A name as one segment of a path."""
    return urllib.parse.quote(name, safe="")


def query(**values: Any) -> str:
    """A query of what is given."""
    given = {name: value for name, value in values.items() if value is not None}
    return f"?{urllib.parse.urlencode(given)}" if given else ""
