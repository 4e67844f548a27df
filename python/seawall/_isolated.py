"""The program of the confined process: calls one function and ends. It is run as a file, never imported."""

import asyncio
import errno
import importlib
import importlib.machinery
import importlib.util
import inspect
import os
import sys


def main() -> None:
    # What the function prints goes to the errors: the output is for its result.
    output = os.dup(1)
    os.dup2(2, 1)
    here = os.path.dirname(os.path.abspath(__file__))
    wire = _module_of_file("_seawall_wire", os.path.join(here, "_wire.py"))
    sys.path[:] = sys.argv[1:]
    request = wire.decoded(sys.stdin.buffer.read())
    try:
        result = _called(_found(**request["function"]), request["args"], request["kwargs"])
        answer = wire.encoded({"result": result})
    except BaseException as error:
        denied = isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM)
        kind = type(error).__name__
        answer = wire.encoded({"error": kind, "message": str(error), "denied": denied})
    with os.fdopen(output, "wb") as stream:
        stream.write(answer)


def _found(module, file, name, top):
    if module == "__main__":
        found = _module_of_file("__seawall_main__", file)
    else:
        if top is not None:
            sys.meta_path.insert(0, _Finder(module.partition(".")[0], top))
        found = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    guarded = getattr(found, "__seawall__", None)
    return found if guarded is None else guarded.function


class _Finder:
    """Finds the function's package where it is: the folder that it lies in can't be listed here."""

    def __init__(self, name, place):
        self._name, self._place = name, place

    def find_spec(self, name, path=None, target=None):
        if name != self._name:
            return None
        if not os.path.isdir(self._place):
            return importlib.util.spec_from_file_location(name, self._place)
        start = os.path.join(self._place, "__init__.py")
        if os.path.exists(start):
            return importlib.util.spec_from_file_location(name, start, submodule_search_locations=[self._place])
        spec = importlib.machinery.ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [self._place]
        return spec


def _called(function, args, kwargs):
    result = function(*args, **kwargs)
    return asyncio.run(_awaited(result)) if inspect.isawaitable(result) else result


async def _awaited(awaitable):
    return await awaitable


def _module_of_file(name, file):
    spec = importlib.util.spec_from_file_location(name, file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
