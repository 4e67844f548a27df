"""Policies that are made once and given to any number of runs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Optional, Union

from seawall import _seawall

__all__ = ["Policy", "fs_safe_policy", "net_safe_policy", "safe_policy"]

PathLike = Union[str, "os.PathLike[str]"]


@dataclass(frozen=True)
class Policy:
    """What tools may do: a preset or a policy file, with the sandbox that it is meant for, if any.

    Made by `Policy.load`, `Policy.preset` or one of the functions beside it, all of which refuse what is not a policy.
    """

    source: str
    sandbox: Optional[str] = None

    @classmethod
    def load(cls, file: PathLike, *, sandbox_root: Optional[PathLike] = None) -> Policy:
        """The policy of a YAML, TOML or JSON file."""
        return cls._checked(os.path.abspath(os.fspath(file)), sandbox_root)

    @classmethod
    def preset(cls, name: str, *, sandbox_root: Optional[PathLike] = None) -> Policy:
        """A built-in policy: `safe`, `strict`, `fs_safe`, `net_safe`, `readonly` or `off`."""
        return cls._checked(name, sandbox_root)

    @classmethod
    def _checked(cls, source: str, sandbox_root: Optional[PathLike]) -> Policy:
        _seawall.check_policy(source)
        return cls(source, None if sandbox_root is None else os.path.abspath(os.fspath(sandbox_root)))


def safe_policy(sandbox_root: Optional[PathLike] = None) -> Policy:
    """Files under the sandbox, public hosts, and no command that destroys the machine or hands it to somebody else."""
    return Policy.preset("safe", sandbox_root=sandbox_root)


def fs_safe_policy(sandbox_root: Optional[PathLike] = None) -> Policy:
    """Files under the sandbox only, of at most 50 MB."""
    return Policy.preset("fs_safe", sandbox_root=sandbox_root)


def net_safe_policy(sandbox_root: Optional[PathLike] = None) -> Policy:
    """Public hosts over HTTP and HTTPS only."""
    return Policy.preset("net_safe", sandbox_root=sandbox_root)
