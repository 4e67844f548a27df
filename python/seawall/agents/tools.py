"""Python functions as tools of agents: a small server of this process answers the calls.

Calls come with a key that is the same for every attempt (`Idempotency-Key`); a function that takes a parameter called
`idempotency_key` is given it. What running a function twice does is said by its attribute `seawall_effect`, or by
`effect(...)`; nothing is known of others, so they are never run again blindly.
"""

from __future__ import annotations

import inspect
import json
import secrets
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Optional, TypeVar, Union, get_args, get_origin, get_type_hints

EFFECTS = ("pure", "idempotent", "keyed", "unsafe")
KEY = "idempotency_key"
LONGEST_BODY = 32 * 1024 * 1024

F = TypeVar("F", bound=Callable[..., Any])

_TYPES: dict[Any, str] = {str: "string", int: "integer", float: "number", bool: "boolean", dict: "object", list: "array"}


def effect(name: str) -> Callable[[F], F]:
    """Says what running a function twice does: `pure`, `idempotent`, `keyed`, or `unsafe`."""
    if name not in EFFECTS:
        raise ValueError(f"{name!r} is no effect; use one of {', '.join(EFFECTS)}")

    def mark(function: F) -> F:
        function.seawall_effect = name  # type: ignore[attr-defined]
        return function

    return mark


def schema(function: Callable[..., Any]) -> dict[str, Any]:
    """The JSON Schema of a function's parameters, from its annotations."""
    hints = get_type_hints(function)
    properties: dict[str, Any] = {}
    required: list[str] = []
    for name, parameter in inspect.signature(function).parameters.items():
        if name == KEY:
            continue
        if parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
            raise TypeError(f"{function.__name__} takes any number of arguments; a tool's parameters have names")
        properties[name] = _type(hints.get(name, Any))
        if parameter.default is inspect.Parameter.empty:
            required.append(name)
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _type(hint: Any) -> dict[str, Any]:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Union:
        kinds = [_type(kind) for kind in arguments if kind is not type(None)]
        return kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
    if origin in (list, tuple, set):
        return {"type": "array", "items": _type(arguments[0]) if arguments else {}}
    if origin is not None and str(origin) == "typing.Literal":
        return {"enum": list(arguments)}
    name = _TYPES.get(origin or hint)
    return {"type": name} if name else {}


class Host:
    """Answers calls of functions. On loopback, at a path that nobody guesses."""

    def __init__(self) -> None:
        self._functions: dict[str, Callable[..., Any]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._path = f"/{secrets.token_urlsafe(24)}/"
        threading.Thread(target=self._server.serve_forever, name="seawall-tools", daemon=True).start()

    def add(self, function: Callable[..., Any]) -> dict[str, Any]:
        """Takes a function in; its declaration for a template."""
        name = function.__name__
        if self._functions.setdefault(name, function) is not function:
            raise ValueError(f"there are two functions called {name}; a tool's name is its function's")
        port = self._server.server_address[1]
        return {
            "name": name,
            "description": inspect.getdoc(function) or name,
            "parameters": schema(function),
            "url": f"http://127.0.0.1:{port}{self._path}{name}",
            "effect": getattr(function, "seawall_effect", "unsafe"),
        }

    def close(self) -> None:
        """Answers no more calls."""
        self._server.shutdown()
        self._server.server_close()

    def _call(self, path: str, body: bytes, key: Optional[str]) -> tuple[int, Any]:
        function = self._functions.get(path[len(self._path) :]) if path.startswith(self._path) else None
        if function is None:
            return 404, {"error": "there is no such tool in this process"}
        try:
            arguments = dict(json.loads(body)["arguments"])
        except (ValueError, TypeError, KeyError):
            return 400, {"error": 'this is no call: send JSON like {"arguments": {"name": "value"}}'}
        if KEY in inspect.signature(function).parameters:
            arguments[KEY] = key
        try:
            return 200, function(**arguments)
        except Exception as error:  # noqa: BLE001  whatever the function raises is its answer
            return 500, {"error": f"{type(error).__name__}: {error}"}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        host = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # noqa: N802  the name is the standard library's
                length = self.headers.get("content-length", "0")
                if not length.isdecimal() or int(length) > LONGEST_BODY:
                    self.send_error(413 if length.isdecimal() else 400)
                    return
                body = self.rfile.read(int(length))
                status, answer = host._call(self.path, body, self.headers.get("idempotency-key"))
                text = json.dumps(answer, default=str).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the name is the standard library's
                """Says nothing: the agent's log has every call."""

        return Handler
