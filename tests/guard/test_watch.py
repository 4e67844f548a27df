"""What a guarded call does, beyond what it was called with: refused by code and remedy, and the host goes on."""

import asyncio
import concurrent.futures
import ctypes
import importlib
import multiprocessing
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from seawall import PolicyDenied, run

from .conftest import denied


def read_passwd() -> str:
    return Path("/etc/passwd").read_text()


def call_within(act, policy="safe", **options):
    with run(policy=policy, sandbox="sb", **options) as ctx:
        ctx.tool(act, name="tool")
        return ctx.call("tool")


def in_a_thread():
    caught = []

    def work():
        try:
            caught.append(read_passwd())
        except BaseException as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if isinstance(caught[0], BaseException):
        raise caught[0]


def in_a_pool():
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        return pool.submit(read_passwd).result()


def in_a_task():
    async def main():
        return await asyncio.create_task(asyncio.to_thread(read_passwd))

    return asyncio.run(main())


@pytest.mark.parametrize("act, code", [
    (read_passwd, "FS_OUTSIDE_ROOT"),
    (in_a_thread, "FS_OUTSIDE_ROOT"),
    (in_a_pool, "FS_OUTSIDE_ROOT"),
    (in_a_task, "FS_OUTSIDE_ROOT"),
    (lambda: os.open("/etc/passwd", os.O_RDONLY), "FS_OUTSIDE_ROOT"),
    (lambda: os.listdir("/root"), "FS_OUTSIDE_ROOT"),
    (lambda: os.remove("/etc/nothing"), "FS_OUTSIDE_ROOT"),
    (lambda: os.rename("/etc/a", "/etc/b"), "FS_OUTSIDE_ROOT"),
    (lambda: os.mkdir("/etc/made"), "FS_OUTSIDE_ROOT"),
    (lambda: os.symlink("/etc", "/tmp/link"), "FS_OUTSIDE_ROOT"),
    (lambda: os.link("/etc/passwd", "passwd"), "FS_OUTSIDE_ROOT"),
    (lambda: sqlite3.connect("/etc/x.db"), "FS_OUTSIDE_ROOT"),
    (lambda: open("/proc/self/environ"), "FS_DEVICE"),
    (lambda: socket.create_connection(("127.0.0.1", 9), 1), "NET_PRIVATE_ADDRESS"),
    (lambda: socket.create_connection(("169.254.169.254", 80), 1), "NET_METADATA_SERVICE"),
    (lambda: socket.socket().connect(("10.0.0.1", 80)), "NET_PRIVATE_ADDRESS"),
    (lambda: socket.getaddrinfo("localhost", 80), "NET_PRIVATE_ADDRESS"),
    (lambda: subprocess.run(["cat", "/etc/passwd"]), "CMD_NOT_ALLOWED"),
    (lambda: subprocess.run("cat /etc/passwd", shell=True), "CMD_NOT_ALLOWED"),
    (lambda: os.system("cat /etc/passwd"), "CMD_NOT_ALLOWED"),
    (lambda: os.execv("/bin/sh", ["sh"]), "CMD_NOT_ALLOWED"),
    (lambda: os.posix_spawn("/bin/sh", ["sh"], {}), "CMD_NOT_ALLOWED"),
    (lambda: os.fork(), "CMD_NOT_ALLOWED"),
    (lambda: os.kill(1, 0), "CMD_FORBIDDEN"),
    (lambda: multiprocessing.get_context("spawn").Process(target=read_passwd).start(), "CMD_NOT_ALLOWED"),
    (lambda: ctypes.CDLL("libc.so.6"), "TOOL_NOT_ALLOWED"),
    (lambda: ctypes.CDLL(None).system(b"true"), "TOOL_NOT_ALLOWED"),
])
def test_what_the_policy_closes_is_closed_to_what_the_tool_does(act, code):
    with pytest.raises(PolicyDenied) as caught:
        call_within(act)
    assert caught.value.code == code and caught.value.remedy


def test_native_code_that_was_not_installed_is_not_imported(home):
    (home / "sb").mkdir()
    (home / "sb/planted.abi3.so").write_bytes(b"\x7fELF")
    sys.path.insert(0, str(home / "sb"))
    try:
        with denied("TOOL_NOT_ALLOWED"):
            call_within(lambda: importlib.import_module("planted"))
    finally:
        sys.path.remove(str(home / "sb"))


def test_what_the_policy_opens_is_open(home):
    def work():
        os.makedirs(f"{sandbox}/a/b")
        Path(sandbox, "a/b/c.txt").write_text("x")
        assert os.listdir(f"{sandbox}/a") == ["b"]
        os.rename(f"{sandbox}/a/b/c.txt", f"{sandbox}/a/d.txt")
        shutil.rmtree(f"{sandbox}/a")
        with open(os.devnull, "w") as null:
            null.write("x")
        sqlite3.connect(":memory:").close()
        import wave  # of the library, and not imported before

        return wave.__name__

    sandbox = str(home / "sb")
    sys.modules.pop("wave", None)
    assert call_within(work) == "wave" and not (home / "sb/a").exists()


def test_listed_commands_may_run(home):
    (home / "p.yaml").write_text("version: 1\nname: p\nextends: [fs_safe]\ncommands: { allow: ['echo *'] }\n")
    assert call_within(lambda: subprocess.check_output(["echo", "hi"], cwd="/"), policy="p.yaml") == b"hi\n"
    with denied("CMD_NOT_ALLOWED"):
        call_within(lambda: subprocess.check_output(["cat", "/etc/passwd"]), policy="p.yaml")


def test_a_listed_host_may_be_connected_to_and_no_other(home):
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    (home / "p.yaml").write_text("version: 1\nname: p\nnetwork: { hosts: ['127.0.0.1'], private: deny }\n")
    call_within(lambda: socket.create_connection(("127.0.0.1", port), 5).close(), policy="p.yaml")
    with pytest.raises(PolicyDenied):
        call_within(lambda: socket.create_connection(("127.0.0.2", port), 5), policy="p.yaml")
    server.close()


def test_the_host_is_not_watched(home):
    def host():
        assert read_passwd()
        assert subprocess.check_output(["echo", "hi"]) == b"hi\n"

    with run(policy="safe", sandbox="sb") as ctx:
        ctx.tool(lambda: 1, name="tool")
        ctx.call("tool")
        host()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            ctx.tool(lambda: pool.submit(int, "1").result(), name="pooled")
            assert ctx.call("pooled") == 1
            # The pool's thread was started by the tool; what the host has it do is the host's.
            pool.submit(host).result()
    host()


def test_what_a_call_started_may_do_nothing_once_the_call_is_over():
    caught, go = [], threading.Event()

    def late():
        go.wait()
        try:
            caught.append(read_passwd())
        except PolicyDenied as error:
            caught.append(error.code)

    def tool():
        thread = threading.Thread(target=late)
        thread.start()
        return [thread]

    thread = call_within(lambda: tool())[0]
    go.set()
    thread.join()
    assert caught == ["TOOL_NOT_ALLOWED"]


def test_a_tool_can_not_widen_its_rights_by_a_run_of_its_own():
    def tool():
        with run(policy=None) as inner:
            inner.tool(read_passwd)
            return inner.call("read_passwd")

    with denied("FS_OUTSIDE_ROOT"):
        call_within(tool, data_dir="sb/state")


def test_a_relative_path_below_an_unknown_folder_does_not_climb(home):
    (home / "sb/a").mkdir(parents=True)
    (home / "secret").write_text("x")

    def tool():
        folder = os.open(home / "sb", os.O_RDONLY)
        return os.open("../secret", os.O_RDONLY, dir_fd=folder)

    os.chdir(home / "sb/a")
    with run(policy="safe", sandbox=home / "sb", allow_outside_root=True) as ctx, pytest.raises(PolicyDenied):
        ctx.tool(tool)
        ctx.call("tool")


def test_a_folder_outside_is_not_removed(home):
    (home / "kept/a").mkdir(parents=True)
    with denied("FS_OUTSIDE_ROOT"):
        call_within(lambda: shutil.rmtree(home / "kept"))
    assert (home / "kept/a").exists()


def test_temporary_files_need_a_place_that_is_open():
    with denied("FS_OUTSIDE_ROOT"):
        call_within(lambda: tempfile.mkstemp(dir="/var/tmp"))
