"""Tools in a process of their own, which the kernel confines as the run's policy says: `guard(isolate=True)`.

The function is found in the child by its module and its name, its arguments and its result travel as JSON with marks for
what JSON has no form for. Nothing is pickled: a child that has been taken over can send values, and no code.
"""

from __future__ import annotations

import builtins
import inspect
import os
import shutil
import sys
import sysconfig
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Optional

from seawall import _wire
from seawall._paths import library_folders
from seawall.errors import ConfigError, PolicyDenied, ToolTimeout

if TYPE_CHECKING:
    from seawall._seawall import Permit

LAUNCHER = "seawall-sandbox"


def performer(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """What performs the function's calls: takes the permit, the seconds it may take and the arguments, gives the result."""
    place = _Place(function, name)

    def isolated(permit: Permit, seconds: Optional[float], *args: Any, **kwargs: Any) -> Any:
        request = _wire.encoded({"function": place.told(), "args": list(args), "kwargs": kwargs})
        command = [os.path.realpath(sys.executable), "-I", "-S", "-B", _child(), *place.imports()]
        ended = permit.isolated(launcher(), command, request, place.readable(), seconds)
        return _answer(permit, name, ended)

    return isolated


def launcher() -> str:
    """The program that confines: installed beside the interpreter's scripts, with this package."""
    folders = [sysconfig.get_path("scripts"), os.path.dirname(sys.executable)]
    found = shutil.which(LAUNCHER, path=os.pathsep.join(folders)) or shutil.which(LAUNCHER)
    if found is None:
        raise ConfigError(f"{LAUNCHER} is not installed", remedy="install the package from its wheel, which brings it")
    return found


def _child() -> str:
    return os.path.join(os.path.dirname(__file__), "_isolated.py")


class _Place:
    """Where a function is found again."""

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        module = inspect.getmodule(function)
        qualified = getattr(function, "__qualname__", "<unnamed>")
        if module is None or "<" in qualified:
            raise ConfigError(
                f"{name} can't be isolated: it is not found by its module and its name",
                remedy="define it at the top of a module, or as a method of a class there",
            )
        self._name = qualified
        self._module = module.__name__
        self._file = os.path.abspath(module.__file__) if getattr(module, "__file__", None) else None
        if self._module == "__main__" and self._file is None:
            raise ConfigError(f"{name} can't be isolated: it was typed in", remedy="put it into a file")

    def imports(self) -> list[str]:
        return [os.path.abspath(folder or os.getcwd()) for folder in sys.path]

    def told(self) -> dict[str, Any]:
        return {"module": self._module, "file": self._file, "name": self._name, "top": self._top()}

    def _top(self) -> Optional[str]:
        """The function's file, or the folder of the outermost package that it is in."""
        if self._file is None or self._module == "__main__":
            return self._file
        top = self._file
        for _ in range(self._module.count(".") + self._file.endswith("__init__.py")):
            top = os.path.dirname(top)
        return top

    def readable(self) -> list[str]:
        """The interpreter, what is installed, this package, and the function's own package or file; not its neighbours."""
        folders = {sys.prefix, sys.base_prefix, os.path.dirname(os.path.realpath(sys.executable)), *library_folders()}
        folders.update(filter(None, [self._top()]))
        return sorted({os.path.realpath(folder) for folder in folders if os.path.exists(folder)})


def _answer(permit: Permit, name: str, ended: tuple[bytes, bytes, int, bool, bool]) -> Any:
    output, errors, code, timed_out, cut = ended
    if timed_out:
        permit.timed_out()
        raise ToolTimeout(f"{name} took too long, and was ended", remedy="let it do less at once, or give it longer")
    if cut:
        raise PolicyDenied(
            f"{name} gave more than the policy allows, and was ended",
            code="OUTPUT_TOO_LARGE",
            remedy="ask the tool for less at once, or raise limits.output_bytes of the policy",
        )
    try:
        answer = _wire.decoded(output)
    except ValueError:
        said = errors.decode(errors="replace").strip()[-2000:]
        raise PolicyDenied(
            f"{name} ended with code {code} and without a result{': ' + said if said else ''}",
            code="SANDBOX_VIOLATION",
            remedy="open what it needs in the policy, or let it do without",
        ) from None
    if "result" in answer:
        return answer["result"]
    raise _raised(name, answer)


def _raised(name: str, answer: dict[str, Any]) -> Exception:
    """What the function raised. Built-in exceptions keep their type; others can't be made of what may be sent."""
    kind, text = str(answer.get("error")), str(answer.get("message"))
    if answer.get("denied"):
        return PolicyDenied(
            f"the kernel refused what {name} tried: {kind}: {text}",
            code="SANDBOX_VIOLATION",
            remedy="open it in the policy, or let the tool do without",
        )
    known = getattr(builtins, kind, None)
    if isinstance(known, type) and issubclass(known, Exception):
        try:
            return known(text)
        except TypeError:  # Some need more than a message.
            pass
    return RuntimeError(f"{kind}: {text}")
