"""Runs in network and mount namespaces of its own: a name server whose second answer is another one, a public address, and a
server on either side of the wall. Prints one JSON object: what came of each fetch, and what the inner server saw.
"""

import fcntl
import http.server
import json
import socket
import socketserver
import struct
import subprocess
import sys
import tempfile
import threading
import urllib.request
from pathlib import Path

import seawall

PUBLIC, PRIVATE = "93.184.216.34", "127.0.0.1"
"""The public one is an address of our own loopback interface in here: nothing leaves the namespace."""
NAMES = {
    "outside.test": [[PUBLIC]],
    "rebinding.test": [[PUBLIC], [PRIVATE]],
    "inside.test": [[PRIVATE]],
    "both.test": [[PUBLIC, PRIVATE]],
}
"""The addresses of each name: of the first look-up, of the second, and the last again and again."""


def bring_up() -> None:
    """Loopback, with the public address beside its own (netdevice(7))."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        address = struct.pack("<16sHH4s8x", b"lo:1", socket.AF_INET, 0, socket.inet_aton(PUBLIC))
        fcntl.ioctl(control, 0x8914, struct.pack("<16sH14x", b"lo", 0x1 | 0x40))  # SIOCSIFFLAGS: up, running
        fcntl.ioctl(control, 0x8916, address)  # SIOCSIFADDR


def use_name_server(folder: Path) -> None:
    config = folder / "resolv.conf"
    config.write_text(f"nameserver {PRIVATE}\noptions attempts:1 timeout:5\n")
    subprocess.run(["mount", "--bind", str(config), "/etc/resolv.conf"], check=True)


class NameServer(socketserver.BaseRequestHandler):
    """Answers questions for A records from NAMES; of other kinds there are none (RFC 1035)."""

    asked: dict[str, int] = {}

    def handle(self) -> None:
        question, reply = self.request
        labels, at = [], 12
        while length := question[at]:
            labels.append(question[at + 1 : at + 1 + length].decode())
            at += length + 1
        name, kind = ".".join(labels).lower(), question[at + 1 : at + 3]
        found = self.addresses(name) if kind == b"\0\1" else []
        head = question[:2] + b"\x81\x80" + struct.pack(">HHHH", 1, len(found), 0, 0)
        records = b"".join(b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4" + socket.inet_aton(address) for address in found)
        reply.sendto(head + question[12 : at + 5] + records, self.client_address)

    def addresses(self, name: str) -> list[str]:
        answers = NAMES.get(name)
        if answers is None:
            return []
        times = self.asked.get(name, 0)
        self.asked[name] = times + 1
        return answers[min(times, len(answers) - 1)]


class Outside(http.server.BaseHTTPRequestHandler):
    """What anybody may reach. `/to/URL` leads to the URL."""

    def do_GET(self) -> None:
        target = self.path.removeprefix("/to/")
        if target == self.path:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"public")
            return
        self.send_response(302)
        self.send_header("location", target)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class Inside(Outside):
    """What nobody may reach from a tool."""

    visits = 0

    def handle(self) -> None:
        Inside.visits += 1
        super().handle()


def serve(server: socketserver.BaseServer) -> None:
    threading.Thread(target=server.serve_forever, daemon=True).start()


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.read().decode()


def look_up_and_fetch(name: str) -> str:
    """Is given no URL at all."""
    return fetch("http://" + name + "/")


def outcome(ctx: seawall.RunContext, tool: str, **arguments: str) -> str:
    try:
        return ctx.call(tool, **arguments)
    except seawall.PolicyDenied as denied:
        return denied.code


def main() -> None:
    folder = Path(tempfile.mkdtemp(dir=sys.argv[1]))
    bring_up()
    use_name_server(folder)
    serve(socketserver.ThreadingUDPServer((PRIVATE, 53), NameServer))
    serve(http.server.ThreadingHTTPServer((PUBLIC, 80), Outside))
    serve(http.server.ThreadingHTTPServer((PRIVATE, 80), Inside))
    with seawall.run(policy="net_safe", sandbox=str(folder), data_dir=str(folder / "data")) as ctx:
        ctx.tool(fetch)
        ctx.tool(look_up_and_fetch, effects={"name": "ignore"})
        told = {
            "plain": outcome(ctx, "fetch", url="http://outside.test/"),
            "rebinding": outcome(ctx, "fetch", url="http://rebinding.test/"),
            "inside": outcome(ctx, "fetch", url="http://inside.test/"),
            "both": outcome(ctx, "fetch", url="http://both.test/"),
            "redirect to an address": outcome(ctx, "fetch", url=f"http://outside.test/to/http://{PRIVATE}/"),
            "redirect to a name": outcome(ctx, "fetch", url="http://outside.test/to/http://inside.test/"),
            "redirect to a public name": outcome(ctx, "fetch", url="http://outside.test/to/http://outside.test/"),
            "not given": outcome(ctx, "look_up_and_fetch", name="inside.test"),
            "unknown": outcome(ctx, "fetch", url="http://nowhere.test/"),
        }
    print(json.dumps({"told": told, "visits": Inside.visits, "asked": NameServer.asked}))


if __name__ == "__main__":
    main()
