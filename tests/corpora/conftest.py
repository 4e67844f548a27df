"""What the corpora's tests share: the judge, the table that they fill, and where the lists are."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from harness.places import TOOLS
from judging import Judge
from labelled.texts import Text, write
from scoring import Row, table

KEPT = TOOLS / "corpora-texts"
ROWS = pytest.StashKey[list[Row]]()


@pytest.fixture(scope="session")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Judge:
    return Judge(tmp_path_factory.mktemp("root"))


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[[Row], None]:
    """Puts a row into the table that closes the run."""
    return request.config.stash.setdefault(ROWS, []).append


@pytest.fixture(scope="session")
def wordlists() -> Path:
    """The lists of the fuzzer wfuzz."""
    return TOOLS / "corpora-lists/usr/share/wfuzz/wordlist"


@pytest.fixture(scope="session")
def prose_folder() -> Path:
    """The collections of sayings and the handbooks."""
    return TOOLS / "corpora-lists"


@pytest.fixture(scope="session")
def keep() -> Callable[[str, Iterable[Text]], list[Text]]:
    """Writes a corpus down where it can be looked at, and hands it on."""

    def kept(name: str, texts: Iterable[Text]) -> list[Text]:
        texts = list(texts)
        write(KEPT / f"{name}.jsonl", texts)
        return texts

    return kept


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    rows = terminalreporter.config.stash.get(ROWS, [])
    if rows:
        terminalreporter.section("corpora")
        for line in table(rows):
            terminalreporter.write_line(line)
