"""Paths: no line of any list leads out of the folder, and no real name of a file is refused."""

import os

import pytest
from attacks import package
from judging import Judge
from labelled import roads
from scoring import Row


def bypasses(judge: Judge, texts) -> list:
    """What was let through to a place outside, or to one that is another for a program that decodes."""
    answers = judge.ask("path", [text.text for text in texts])
    inside = os.path.realpath(judge.root)
    passed = [(text.text, answer["resolved"]) for text, answer in zip(texts, answers, strict=True) if not answer["codes"]]
    return [(text, resolved) for text, resolved in passed if not resolved.startswith(inside) or leads_out(text)]


def leads_out(text: str) -> bool:
    """Whether two names of dots stand in it, in any spelling that the lists use."""
    plain = text.lower()
    for spelling in ["%2e", "%252e", "%c0%ae", "0x2e", "&#46;", "&#x2e;", "\uff0e", "%uff0e", "\u2024"]:
        plain = plain.replace(spelling, ".")
    return ".." in plain


@pytest.mark.parametrize("source", ["published", "generated"])
def test_no_traversal_passes(judge: Judge, tell, keep, wordlists, source: str) -> None:
    texts = keep(f"paths-{source}", roads.generated() if source == "generated" else roads.published(wordlists))
    assert len(texts) > 2000
    passed = bypasses(judge, texts)
    tell(Row(f"paths, {source}", len(texts), "bypasses", str(len(passed)), "0"))
    assert not passed


def test_real_names_pass(judge: Judge, tell) -> None:
    folder = package("spacy").parent
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))
    refused = [name for name, codes in zip(names, judge.codes("path", names), strict=True) if codes]
    tell(Row("paths, real names", len(names), "refused", str(len(refused)), "0"))
    assert len(names) > 5000 and not refused
