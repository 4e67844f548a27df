"""A network of our own: loopback, and nothing else."""

import ctypes
import errno
import fcntl
import os
import socket
import struct
from pathlib import Path

NEW_NETWORK, NEW_USERS = 0x40000000, 0x10000000  # Python knows them from 3.12 on.


def keep_loopback_only() -> None:
    """From now on this process, and all that it starts, reach nothing but each other. There is no way back."""
    user, group = os.geteuid(), os.getegid()
    try:
        _unshare(NEW_NETWORK)
    except PermissionError:  # Who may not has to be in a namespace of users too, as the same user.
        _unshare(NEW_NETWORK | NEW_USERS)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, 0x8914, struct.pack("<16sH14x", b"lo", 0x1 | 0x40))  # SIOCSIFFLAGS: up, running


def _unshare(what: int) -> None:
    if ctypes.CDLL(None, use_errno=True).unshare(what) != 0:
        number = ctypes.get_errno()
        kind = PermissionError if number == errno.EPERM else OSError
        raise kind(number, f"no network of our own ({os.strerror(number)}): it takes root or namespaces of users")
