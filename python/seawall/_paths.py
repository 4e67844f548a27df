"""Which files belong to Python rather than to anybody's data, and what a relative path means."""

from __future__ import annotations

import functools
import os
import shutil
import site
import sys
import sysconfig
from types import FrameType
from typing import Any, Optional

#: Of the folders that modules are imported from, these alone may be read: code, not what lies beside it.
_SOURCES = (".py", ".pyc")

#: What Python's library and its packages read of the system: names of time zones, types and hosts. Nobody's secrets.
_SYSTEM = (
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/os-release",
    "/etc/resolv.conf",
    "/etc/ssl/certs",
    "/etc/timezone",
    "/usr/lib/os-release",
    "/usr/lib/ssl",
    "/usr/share/ca-certificates",
    "/usr/share/locale",
    "/usr/share/mime",
    "/usr/share/zoneinfo",
)


@functools.lru_cache(maxsize=1)
def library_folders() -> tuple[str, ...]:
    """The interpreter's own library and the folders of installed packages, this package's among them."""
    named = {path for name, path in sysconfig.get_paths().items() if name in ("stdlib", "platstdlib", "purelib", "platlib")}
    dynamic = sysconfig.get_config_var("DESTSHARED")
    named.update(site.getsitepackages())
    named.update(filter(None, (dynamic, site.getusersitepackages(), os.path.dirname(__file__))))
    return tuple(sorted({os.path.realpath(path) for path in named if path}))


def is_library(path: str) -> bool:
    """Whether the path leads to Python's library, to code that may be imported, or to what the library asks the system."""
    real = os.path.realpath(path)
    if _is_below(real, library_folders()) or _is_below(real, _SYSTEM):
        return True
    return real.endswith(_SOURCES) and _is_below(real, _importable())


def is_native_library(path: str) -> bool:
    """Whether a module of native code was installed, rather than put somewhere."""
    return _is_below(os.path.realpath(path), library_folders())


def is_cache(path: str) -> bool:
    """Whether the path is where Python keeps what it has compiled, of code that may be imported."""
    if "__pycache__" not in path:
        return False
    in_cache = os.path.basename(path) == "__pycache__" or os.path.basename(os.path.dirname(path)) == "__pycache__"
    return in_cache and _is_below(os.path.realpath(path), (*library_folders(), *_importable()))


def _importable() -> list[str]:
    return [os.path.realpath(folder or os.getcwd()) for folder in sys.path if folder != "/"]


def _is_below(path: str, folders: Any) -> bool:
    return any(path == folder or path.startswith(folder + "/") for folder in folders)


def is_import() -> bool:
    """Whether the import system asks, which lists the folders that modules may be in."""
    frame = _caller()
    return frame is not None and frame.f_code.co_filename.startswith("<frozen importlib")


def _caller() -> Optional[FrameType]:
    """The first frame that is not this package's."""
    frame: Optional[FrameType] = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__package__") == __package__:
        frame = frame.f_back
    return frame


def below_callers_folder(path: str) -> Optional[str]:
    """The path from the root on, when `shutil` or `os` opens it below a folder that they have open.

    `os.open` does not tell its folder; the library's own functions that use one are known by name and ask nothing else.
    """
    frame = _caller()
    if frame is None or frame.f_code.co_filename not in (shutil.__file__, os.__file__):
        return None
    folder = frame.f_locals.get("topfd")
    if not isinstance(folder, int):
        return None
    return os.path.join(os.readlink(f"/proc/self/fd/{folder}"), path)


def absolute(path: str, folder: Optional[int] = None) -> str:
    """The path from the root on. Dots are left as they are: what they mean is for the policy to see."""
    if os.path.isabs(path):
        return path
    base = os.getcwd() if folder is None or folder < 0 else os.readlink(f"/proc/self/fd/{folder}")
    return os.path.join(base, path)
