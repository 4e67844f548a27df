"""Watching what a guarded call really does, by Python's audit events (PEP 578).

The hook is there from the first run on and looks away outside of guarded calls. It sees what Python's own library does in
the threads and tasks of a call; what native code does by itself it can't see, nor can it hold code that means harm to the
interpreter: that is what `guard(isolate=True)` is for.
"""

from __future__ import annotations

import functools
import os
import re
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Optional

from seawall import _threads
from seawall._context import WATCHES
from seawall._paths import absolute, below_callers_folder, is_cache, is_import, is_library, is_native_library

if TYPE_CHECKING:
    from seawall._seawall import Permit

_installed = False
_installing = threading.Lock()

#: Set while we ourselves do on a call's behalf what was judged already.
_LOOKS_AWAY: ContextVar[bool] = ContextVar("seawall_looks_away", default=False)


def install() -> None:
    """Begins to watch. A hook can't be taken away again, so there is one for the life of the process."""
    global _installed
    with _installing:
        if _installed:
            return
        _installed = True
        _threads.carry_watches()
        _watch_forks()
        socket.getaddrinfo = _looked_up(socket.getaddrinfo)
        sys.addaudithook(_hook)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    # Most events are none of ours, and most of ours happen outside of any guarded call: both must cost next to nothing.
    handler = _HANDLERS.get(event)
    if handler is not None and WATCHES.get() and not _LOOKS_AWAY.get():
        token = _LOOKS_AWAY.set(True)
        try:
            handler(*arguments)
        finally:
            _LOOKS_AWAY.reset(token)


@contextmanager
def _looking_away() -> Iterator[None]:
    token = _LOOKS_AWAY.set(True)
    try:
        yield
    finally:
        _LOOKS_AWAY.reset(token)


def _judge(judge: Callable[[Permit], None]) -> None:
    for permit in WATCHES.get():
        judge(permit)


# Files

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

#: Devices without content of their own, which Python's library uses too.
_HARMLESS = frozenset((os.devnull, "/dev/zero", "/dev/random", "/dev/urandom"))


def _opened(path: Any, mode: Optional[str], flags: int) -> None:
    if isinstance(path, int):
        return  # A descriptor: it was judged when it was opened.
    writes = bool(flags & _WRITING) or (mode is not None and any(letter in mode for letter in "wax+"))
    written = _text(path)
    if mode is None and not os.path.isabs(written):
        # `os.open` may mean another folder than the working one, which the event does not tell.
        written = below_callers_folder(written) or _without_climbing(written)
    _file("fs_write" if writes else "fs_read", written)


def _without_climbing(path: str) -> str:
    # Below an unknown folder `..` could lead anywhere; written like this it is refused as what it is.
    return path if ".." not in path.split("/") else "/" + path


def _file(effect: str, path: Any, folder: int = -1) -> None:
    if isinstance(path, int) or path is None:
        return
    path = absolute(_text(path), folder)
    if path in _HARMLESS:
        return
    if effect == "fs_write" and is_cache(path):
        # Importing goes on without its cache, and only where it is told so by an OSError.
        raise PermissionError(f"{path} is not written during a guarded call")
    # Asked first, since it is the usual case and quicker than finding out what belongs to Python.
    if all(permit.lets_pass(effect, path) for permit in WATCHES.get()):
        return
    if effect == "fs_read" and is_library(path):
        return
    _judge(lambda permit: permit.saw_file(effect, path))


def _listed(path: Any = None) -> None:
    if not is_import():
        _file("fs_read", "." if path is None else path)


def _text(path: Any) -> str:
    return os.fsdecode(path)


def _renamed(source: Any, target: Any, source_folder: int = -1, target_folder: int = -1) -> None:
    _file("fs_delete", source, source_folder)
    _file("fs_write", target, target_folder)


def _linked(source: Any, target: Any, source_folder: int = -1, target_folder: int = -1) -> None:
    # Who has a second name of a file can write to it.
    _file("fs_write", source, source_folder)
    _file("fs_write", target, target_folder)


def _database(name: Any) -> None:
    """SQLite opens its files by itself; ATTACH is not told, so that only a confined process holds it."""
    text = _text(name)
    if text in ("", ":memory:") or "mode=memory" in text or text.startswith("file::memory:"):
        return
    _file("fs_write", re.sub(r"^file:(//(?=/))?|\?.*$", "", text) if text.startswith("file:") else text)


# Network

def _connected(_: Any, address: Any) -> None:
    if isinstance(address, tuple) and len(address) >= 2:
        host, port = address[0], address[1]
        _judge(lambda permit: permit.saw_connection(_text(host), int(port)))
    elif isinstance(address, (str, bytes)):
        # A service of this machine, by the path of its socket; one without a path stands in no folder.
        path = _text(address)
        _file("fs_write", path if path and path[0] != "\0" else "/abstract-socket")


def _sent(_: Any, address: Any) -> None:
    if address is not None:
        _connected(_, address)


def _resolved(host: Any, *_: Any) -> None:
    """A name that is looked up without our `getaddrinfo`."""
    if host is None:
        return
    name = _text(host)
    # What it leads to is looked up once more by the policy, and remembered for the connection that follows.
    _judge(lambda permit: permit.saw_name(name))


def _looked_up(look_up: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(look_up)
    def getaddrinfo(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host is None or not WATCHES.get() or _LOOKS_AWAY.get():
            return look_up(host, port, *args, **kwargs)
        name = _text(host)
        with _looking_away():
            _judge(lambda permit: permit.saw_name(name))
            found = look_up(host, port, *args, **kwargs)
            # A second look-up may give other addresses: those that the tool gets are the ones that count.
            addresses = sorted({str(entry[4][0]) for entry in found})
            _judge(lambda permit: permit.saw_addresses(name, addresses))
        return found

    return getaddrinfo


# Programs and native code

def _command(program: Any, arguments: Any = ()) -> None:
    if isinstance(arguments, (str, bytes, os.PathLike)):
        arguments = (arguments,)
    words = [_text(word) for word in arguments]
    argv = words or [_text(program)]
    _judge(lambda permit: permit.saw_command(argv))


def _shell(line: Any) -> None:
    _command("sh", ("sh", "-c", _text(line)))


def _process(executable: Any, arguments: Any, *_: Any) -> None:
    _command(executable, arguments)


def _watch_forks() -> None:
    """`multiprocessing` starts its processes by a function that tells of no event."""
    import _posixsubprocess

    fork_exec = _posixsubprocess.fork_exec

    def watched(arguments: Any, *rest: Any) -> Any:
        if WATCHES.get() and not _LOOKS_AWAY.get():
            with _looking_away():
                _command("fork", arguments)
        return fork_exec(arguments, *rest)

    _posixsubprocess.fork_exec = watched


def _forked(*_: Any) -> None:
    _command("fork")


def _signalled(process: int, signal: int, *_: Any) -> None:
    _command("kill", ("kill", f"-{signal}", str(process)))


def _native(what: Any) -> None:
    named = _text(what)
    _judge(lambda permit: permit.saw_native(named))


def _loaded(library: Any) -> None:
    # Without a name it is the interpreter itself, as `import ctypes` does it; its functions are asked for one by one.
    if library is not None:
        _native(library)


def _imported(module: str, file: Optional[str], *_: Any) -> None:
    # Only modules of native code have a file here; those of the library were there before the tool.
    if file is not None and not is_native_library(absolute(_text(file))):
        _native(file)


def _began_thread(function: Any, *_: Any) -> None:
    # `threading` carries the watch along; a thread that is started below it would go unwatched.
    if not isinstance(getattr(function, "__self__", None), threading.Thread):
        _native("a thread that is started without `threading`")


def _each(effect: str) -> Callable[..., None]:
    def handler(path: Any, *more: Any) -> None:
        # The folder, where the event tells one, comes last.
        folder = more[-1] if more and isinstance(more[-1], int) else -1
        _file(effect, path, folder)

    return handler


def _first_only(effect: str) -> Callable[..., None]:
    return lambda path=None, *_: _file(effect, "." if path is None else path)


_HANDLERS: dict[str, Callable[..., None]] = {
    "open": _opened,
    "os.listdir": _listed,
    "os.scandir": _first_only("fs_read"),
    "os.chdir": _first_only("fs_read"),
    "os.getxattr": _first_only("fs_read"),
    "os.listxattr": _first_only("fs_read"),
    "os.truncate": _first_only("fs_write"),
    "os.setxattr": _first_only("fs_write"),
    "os.removexattr": _first_only("fs_write"),
    "os.chflags": _first_only("fs_write"),
    "os.chmod": _each("fs_write"),
    "os.chown": _each("fs_write"),
    "os.utime": _each("fs_write"),
    "os.mkdir": _each("fs_write"),
    "os.remove": _each("fs_delete"),
    "os.rmdir": _each("fs_delete"),
    "os.rename": _renamed,
    "os.link": _linked,
    "os.symlink": lambda _target, link, folder=-1: _file("fs_write", link, folder),
    "sqlite3.connect": _database,
    "sqlite3.enable_load_extension": lambda _connection, enabled: enabled and _native("an extension of SQLite"),
    "sqlite3.load_extension": lambda _connection, path: _native(path),
    "socket.connect": _connected,
    "socket.sendto": _sent,
    "socket.sendmsg": _sent,
    "socket.getaddrinfo": _resolved,
    "socket.gethostbyname": _resolved,
    "socket.gethostbyaddr": _resolved,
    "subprocess.Popen": _process,
    "os.system": _shell,
    "os.exec": _process,
    "os.posix_spawn": _process,
    "os.spawn": lambda _mode, path, arguments, _environment: _command(path, arguments),
    "os.fork": _forked,
    "os.forkpty": _forked,
    "pty.spawn": lambda arguments: _command("pty", arguments),
    "os.kill": _signalled,
    "os.killpg": _signalled,
    "ctypes.dlopen": _loaded,
    "ctypes.dlsym": lambda _library, name: _native(name),
    "ctypes.dlsym/handle": lambda _library, name: _native(name),
    "ctypes.call_function": lambda *_: _native("a function by its address"),
    "import": _imported,
    "_thread.start_new_thread": _began_thread,
    "_thread.start_joinable_thread": _began_thread,
}
