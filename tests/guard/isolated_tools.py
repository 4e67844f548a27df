"""Functions that tests run in a confined process."""

import ctypes
import os
import socket
import sqlite3
import subprocess
import time
from pathlib import Path


def echo(value):
    return value


def read(path):
    return Path(path).read_text()


def write(path: str, content: str):
    Path(path).write_text(content)
    return os.getcwd()


def connect():
    socket.create_connection(("127.0.0.1", 9), 1)


def by_ctypes(path: str):
    """Opens a file below everything that Python sees."""
    libc = ctypes.CDLL(None, use_errno=True)
    return libc.open(path.encode(), os.O_RDONLY), ctypes.get_errno()


def by_extension(name: str):
    """SQLite opens files in C."""
    try:
        sqlite3.connect(f"file:{name}?mode=ro", uri=True).execute("select * from sqlite_master")
    except sqlite3.Error as error:
        return str(error)
    return "opened"


def shell(line: str):
    return subprocess.run(line, shell=True, capture_output=True, text=True).stdout


def slow():
    time.sleep(60)


def fails():
    raise KeyError("mine")


async def later(n: int):
    return n + 1
