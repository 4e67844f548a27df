"""URLs: none that leads to a special address passes, in whatever notation, and public ones do."""

import ipaddress
import random
import socket
from urllib.parse import urlsplit

from judging import Judge
from labelled import addresses
from labelled.texts import SEED
from scoring import Row
from urllib3.util import parse_url


def test_no_special_address_passes(judge: Judge, tell, keep) -> None:
    texts = keep("addresses", addresses.refused())
    codes = judge.codes("url", [text.text for text in texts])
    passed = [(text.group, text.text) for text, found in zip(texts, codes, strict=True) if not found]
    tell(Row("URLs, special addresses × notations", len(texts), "bypasses", str(len(passed)), "0"))
    assert not passed


def test_public_addresses_pass(judge: Judge, tell, keep) -> None:
    texts = keep("addresses-public", addresses.allowed())
    codes = judge.codes("url", [text.text for text in texts])
    refused = [(text.text, found) for text, found in zip(texts, codes, strict=True) if found]
    tell(Row("URLs, public", len(texts), "refused", str(len(refused)), "0"))
    assert not refused


def hosts_read(url: str) -> set[str]:
    """The host as two libraries read it that are not ours and not the URL standard's."""
    hosts = set()
    for read in (lambda: urlsplit(url).hostname, lambda: parse_url(url).host):
        try:
            hosts.add((read() or "").strip("[]"))
        except ValueError:
            continue
    return hosts - {""}


def is_special(host: str) -> bool:
    """Whether the C library takes the host for an address that is not the internet's."""
    try:
        address = ipaddress.ip_address(socket.inet_aton(host))
    except (OSError, UnicodeEncodeError):
        try:
            address = ipaddress.ip_address(host.split("%")[0])
        except ValueError:
            return host.rstrip(".").lower() in ("localhost", "metadata.google.internal")
    return not address.is_global


def test_what_another_library_would_connect_to_is_what_was_judged(judge: Judge, tell) -> None:
    """Pieces of URLs put together at random: where any reader sees a special host, the URL is refused."""
    rng = random.Random(SEED)
    pieces = ["http://", "https:", "//", "/", "\\", "@", ":", ":80", "#", "?", "127.0.0.1", "0x7f.1", "2130706433", "localhost",
              "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "public.example", "8.8.8.8", "%40", "%2f", "%00", "\t", " ", "user", ".",
              ";", "。", "１", "\n", "&@", "0177.1", "a=b"]  # fmt: skip
    urls = ["http://" + "".join(rng.choices(pieces, k=rng.randint(1, 6))) for _ in range(20_000)]
    special = [url for url in urls if any(is_special(host) for host in hosts_read(url))]
    passed = [(url, hosts_read(url)) for url, codes in zip(special, judge.codes("url", special), strict=True) if not codes]
    tell(Row("URLs, put together, as other readers see them", len(special), "bypasses", str(len(passed)), "0"))
    assert len(special) > 2000 and not passed
