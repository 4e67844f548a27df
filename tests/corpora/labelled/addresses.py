"""URLs that lead to what is not the internet's, in every notation that some program reads.

The ranges are those of the IANA registries of special-purpose addresses, written down here a second time, so that the
detector is not judged by its own list.
"""

import ipaddress
import random
from collections.abc import Iterator
from urllib.parse import quote

from .texts import Text, randomness

RANGES_V4 = [
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/29",
    "192.0.0.170/31", "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4",
    "240.0.0.0/4", "255.255.255.255/32",
]  # fmt: skip
RANGES_V6 = [
    "::/128", "::1/128", "64:ff9b:1::/48", "100::/64", "2001:db8::/32", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10",
    "fec0::/10", "ff00::/8",
]  # fmt: skip
METADATA = ["169.254.169.254", "169.254.170.2", "100.100.100.200", "fd00:ec2::254", "192.0.0.192"]
EACH_RANGE = 6
EACH_NOTATION = 3


def _drawn(rng: random.Random, network) -> list:
    inside = [network[0], network[-1]]
    inside += [network[rng.randrange(network.num_addresses)] for _ in range(EACH_RANGE - 2)]
    return inside


def notations_v4(address: ipaddress.IPv4Address, rng: random.Random) -> dict[str, str]:
    """The address as hosts of URLs write it."""
    a, b, c, d = address.packed
    number = int(address)
    full = str.maketrans("0123456789.", "０１２３４５６７８９．")
    circled = str.maketrans("123456789", "①②③④⑤⑥⑦⑧⑨")
    hexadecimal = f"{number:08x}"
    return {
        "dotted": str(address),
        "dot at the end": f"{address}.",
        "one number": str(number),
        "hexadecimal": f"0x{number:x}",
        "hexadecimal, padded": f"0x{number:016x}",
        "hexadecimal, upper": f"0X{number:X}",
        "octal": f"0{number:o}",
        "octal parts": f"0{a:o}.0{b:o}.0{c:o}.0{d:o}",
        "padded octal parts": f"000{a:o}.000{b:o}.000{c:o}.000{d:o}",
        "hexadecimal parts": f"0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}",
        "mixed parts": f"0x{a:x}.0{b:o}.{c}.0x{d:x}",
        "three parts": f"{a}.{b}.{c * 256 + d}",
        "two parts": f"{a}.{number & 0xFFFFFF}",
        "wide digits": str(address).translate(full),
        "circled digits": str(address).translate(circled),
        "ideographic dots": str(address).replace(".", "。"),
        "encoded": "".join(f"%{ord(one):02x}" for one in str(address)),
        "encoded digit": quote(str(address)).replace(str(a)[0], f"%{ord(str(a)[0]):02x}", 1),
        "mapped": f"[::ffff:{address}]",
        "mapped, hexadecimal": f"[::ffff:{hexadecimal[:4]}:{hexadecimal[4:]}]",
        "mapped, written out": f"[0:0:0:0:0:ffff:{hexadecimal[:4]}:{hexadecimal[4:]}]",
        "compatible": f"[::{address}]",
        "translated": f"[::ffff:0:{address}]",
        "nat64": f"[64:ff9b::{address}]",
        "6to4": f"[2002:{hexadecimal[:4]}:{hexadecimal[4:]}::1]",
        "teredo": f"[2001:0:{hexadecimal[:4]}:{hexadecimal[4:]}::1]",
        "isatap": f"[2606:4700::5efe:{address}]",
        "name that says it": f"{address}.nip.io",
        "name that says it, dashes": f"{str(address).replace('.', '-')}.sslip.io",
        "name that says it, within": f"app.{address}.nip.io",
        "name that says it, hexadecimal": f"{hexadecimal}.nip.io",
    }


#: How a URL leads to the host beside the plain way.
WAYS = [
    "http://{}/", "https://{}/latest/meta-data/", "http://{}:80/", "HTTP://{}/", "http://{}?x=1", "http://{}#a",
    "ws://{}/socket", "ftp://{}/a", "http://public.example@{}/", "http://user:pass@{}/", "http://{}\\@public.example/",
    "http:\\\\{}\\", "http:/{}/", "http:{}/", "http:///{}/", " http://{}/", "http://{}/ ", "ht\ttp://{}/", "http://\t{}/",
    "http://public.example#@{}/", "http://public.example\\@{}/",
]  # fmt: skip
#: In these the address is behind the host for some readers and the host for others.
AMBIGUOUS = {"http://public.example#@{}/"}

NAMES = [
    "localhost", "LOCALHOST", "localhost.", "foo.localhost", "localhost.localdomain", "metadata.google.internal",
    "metadata.goog", "instance-data", "kubernetes.default.svc", "db.internal", "printer.local", "router.lan", "nas.home.arpa",
    "localtest.me", "lvh.me", "ip6-localhost", "host.docker.internal", "ｌｏｃａｌｈｏｓｔ", "loc%61lhost", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
]  # fmt: skip


def refused() -> Iterator[Text]:
    """Each leads, for some program, to what no agent is to reach."""
    rng = randomness("addresses")
    addresses = [address for network in RANGES_V4 for address in _drawn(rng, ipaddress.ip_network(network))]
    addresses += [ipaddress.ip_address(one) for one in METADATA if ":" not in one]
    for address in addresses:
        for notation, host in notations_v4(address, rng).items():
            for way in rng.sample([way for way in WAYS if way not in AMBIGUOUS], EACH_NOTATION):
                yield Text(way.replace("{}", host), notation)
    hosts = [str(address) for network in RANGES_V6 for address in _drawn(rng, ipaddress.ip_network(network))]
    hosts += [one for one in METADATA if ":" in one]
    for host in hosts:
        address = ipaddress.IPv6Address(host)
        for written in {host, address.exploded, address.exploded.upper(), f"{host}%25eth0"}:
            for way in rng.sample([way for way in WAYS if way not in AMBIGUOUS], EACH_NOTATION):
                yield Text(way.replace("{}", f"[{written}]"), "version 6")
    for name in NAMES:
        for way in WAYS[:8]:
            yield Text(way.replace("{}", name), "names")


def allowed() -> Iterator[Text]:
    """Public addresses, those right beside the special ranges included, and public names."""
    rng = randomness("public")
    special = [ipaddress.ip_network(one) for one in [*RANGES_V4, "192.0.0.0/24", "192.88.99.0/24", "192.31.196.0/24"]]
    beside = [one for network in special for one in (int(network[0]) - 1, int(network[-1]) + 1) if 0 < one < 1 << 32]
    drawn = [rng.randrange(1 << 24, 224 << 24) for _ in range(200)]
    for number in beside + drawn:
        address = ipaddress.IPv4Address(number)
        if not any(address in network for network in special) and str(address) not in METADATA:
            yield Text(f"https://{address}/a?b=c", "public addresses")
    for _ in range(100):
        yield Text(f"https://[2a0{rng.randrange(9)}:{rng.randrange(1, 1 << 16):x}::{rng.randrange(1, 1 << 16):x}]/", "public addresses")
    for name in ["docs.python.org", "api.acme.dev:8443", "bücher.example", "例え.jp", "münchen.de", "a.b.c.d.example.com", "xn--bcher-kva.example"]:
        for path in ["", "/", "/a/b?c=d#e", "/%7Euser/@handle", "/a;b=c?x=http://b.example/"]:
            yield Text(f"https://{name}{path}", "public names")
