"""The proxy with a server that it starts and one that speaks HTTP, both of them the same program."""

import sys
from collections.abc import Iterator

import pytest

from mcp_proxy import SERVER, Proxy, http_server, proxying


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("proxy")
    with http_server(folder, sys.executable, str(SERVER)) as url:
        local = {"command": [sys.executable, str(SERVER)], "env": {"TOKEN": "for the server"}}
        with proxying(folder, {"files": local, "web": {"url": url}}) as proxy:
            yield proxy
