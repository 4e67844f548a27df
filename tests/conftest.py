"""One simulated provider and one gateway in front of it for each module of tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.gateway import Gateway, assert_books_close, gating
from harness.simulator import Simulator, simulating


@pytest.fixture(scope="module")
def sim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with simulating(tmp_path_factory.mktemp("sim")) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, sim: Simulator) -> Iterator[Gateway]:
    """A gateway with money. When its module is done, its books must agree with what its upstream has served."""
    with gating(tmp_path_factory.mktemp("gateway"), sim.url, "--budget", "10") as gateway:
        yield gateway
        assert_books_close(gateway, sim)


@pytest.fixture
def own_gateway(tmp_path: Path, sim: Simulator) -> Iterator[Gateway]:
    """A gateway of one test, for those whose upstream fails: its breaker would refuse the calls of the next tests."""
    with gating(tmp_path / "own", sim.url, "--budget", "10") as gateway:
        yield gateway


@pytest.fixture(scope="module")
def poor_gateway(tmp_path_factory: pytest.TempPathFactory, sim: Simulator) -> Iterator[Gateway]:
    """A gateway with too little money for any call."""
    with gating(tmp_path_factory.mktemp("poor"), sim.url, "--budget", "0.000001") as gateway:
        yield gateway
