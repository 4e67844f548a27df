"""A name that leads elsewhere the second time it is asked for, and answers that lead inside: with a name server of our own, in
a network of our own (namespaces), through the real resolver and a real HTTP client."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

STAGE = Path(__file__).with_name("rebinding_stage.py")


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict:
    own = ["unshare", "--net", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--net", "--mount"]
    folder = tmp_path_factory.mktemp("stage")
    done = subprocess.run([*own, sys.executable, STAGE, folder], capture_output=True, text=True, timeout=60, cwd=folder)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_what_is_public_is_reached(seen: dict) -> None:
    assert seen["told"]["plain"] == "public"
    assert seen["told"]["redirect to a public name"] == "public"


def test_a_name_that_leads_inside_the_second_time_is_refused(seen: dict) -> None:
    assert seen["asked"]["rebinding.test"] >= 2, "the client looks it up itself"
    assert seen["told"]["rebinding"] == "NET_REBINDING"


@pytest.mark.parametrize("name", ["inside", "both", "not given"])
def test_a_name_with_an_address_inside_is_refused(seen: dict, name: str) -> None:
    assert seen["told"][name] == "NET_PRIVATE_ADDRESS"


@pytest.mark.parametrize("target", ["an address", "a name"])
def test_a_redirect_that_leads_inside_is_refused(seen: dict, target: str) -> None:
    assert seen["told"][f"redirect to {target}"] == "NET_PRIVATE_ADDRESS"


def test_a_name_without_an_address_is_refused(seen: dict) -> None:
    assert seen["told"]["unknown"] == "NET_UNRESOLVED"


def test_nothing_inside_was_reached(seen: dict) -> None:
    assert seen["visits"] == 0
