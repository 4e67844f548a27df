"""From the arguments of a call to what is judged, and back to a call with what the judgement put in their place."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

_PLAIN = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)

Arguments = dict[str, Any]


class Parameters:
    """The parameters of one function. The first parameter of a method is its object and is not judged."""

    __slots__ = ("_defaults", "_is_plain", "_object", "_places", "_positional", "_signature", "_surplus", "names")

    def __init__(self, function: Callable[..., Any]) -> None:
        self._signature = _signature(function)
        parameters = list(self._signature.parameters.values())
        is_method = bool(parameters) and parameters[0].name in ("self", "cls")
        self._object = parameters[0].name if is_method else None
        self._is_plain = all(parameter.kind in _PLAIN for parameter in parameters)
        self.names = tuple(self._signature.parameters)
        self._positional = tuple(p.name for p in parameters if p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD)
        self._places = {name: place for place, name in enumerate(self._positional)}
        self._defaults = {p.name: p.default for p in parameters if p.default is not inspect.Parameter.empty}
        self._surplus = next((p.name for p in parameters if p.kind is inspect.Parameter.VAR_KEYWORD), None)

    def judged(self, args: tuple[Any, ...], kwargs: Arguments) -> Arguments:
        """Every argument by its parameter's name, defaults included: they reach the tool just as well.

        A wrong number of arguments is a `TypeError`, as without a guard.
        """
        if self._is_plain and len(args) <= len(self._positional):
            # Binding by the signature takes longer than all the rest of the call. What is missing or named twice fails
            # in the call itself, with Python's own words.
            arguments = {**self._defaults, **dict(zip(self._positional, args)), **kwargs}
        else:
            bound = self._signature.bind(*args, **kwargs)
            bound.apply_defaults()
            arguments = dict(bound.arguments)
            if self._surplus is not None:
                arguments = {**arguments.pop(self._surplus), **arguments}
        if self._object is not None:
            arguments.pop(self._object, None)
        return arguments

    def replaced(
        self, args: tuple[Any, ...], kwargs: Arguments, changed: Arguments
    ) -> tuple[tuple[Any, ...], Arguments]:
        """The call with these arguments in the place of those of the same names, which are names that `judged` gave."""
        if self._is_plain and len(args) <= len(self._positional):
            return self._replaced_plainly(args, kwargs, changed)
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        for name, value in changed.items():
            if name in bound.arguments and name != self._surplus:
                bound.arguments[name] = value
            elif self._surplus is not None:
                bound.arguments[self._surplus][name] = value
        return bound.args, bound.kwargs

    def _replaced_plainly(
        self, args: tuple[Any, ...], kwargs: Arguments, changed: Arguments
    ) -> tuple[tuple[Any, ...], Arguments]:
        # What was given by its place stays there, and a replaced default is given by name. An argument that was given
        # twice still is, so that the call fails as it does without a guard.
        by_place, by_name = list(args), dict(kwargs)
        for name, value in changed.items():
            place = self._places.get(name, len(by_place))
            if place < len(by_place):
                by_place[place] = value
            if place >= len(by_place) or name in kwargs:
                by_name[name] = value
        return tuple(by_place), by_name


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        # Some built-in functions don't tell theirs.
        surplus = [
            inspect.Parameter("args", inspect.Parameter.VAR_POSITIONAL),
            inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD),
        ]
        return inspect.Signature(surplus)
