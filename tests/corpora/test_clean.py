"""Texts with nothing to find: at most one false alarm in 100 KB of any of them."""

import re
from collections import defaultdict

import tldextract
from attacks import package
from harness.places import ROOT
from judging import Judge
from labelled import clean
from scoring import Row

MOST_IN_100_KB = 1.0
#: The public list as the package carries it, without asking for a newer one.
SUFFIXES = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
#: Signs of a section or a version, which have four parts as addresses do.
NO_ADDRESS = re.compile(r"(§|version|rfc|section|第|^)\W*$", re.I | re.M)


def is_really_one(kind: str, text: str, start: int, end: int) -> bool:
    """Whether a second opinion agrees: sources name their authors, and chat logs name machines.

    An address of a person ends in a suffix of the public list; one of a machine is none that only counts chapters.
    """
    found = text[start:end]
    if kind == "email":
        return bool(SUFFIXES(found.rsplit("@", 1)[1]).suffix)
    if kind == "ip" and "." in found:
        return max(map(int, found.split("."))) > 9 and not NO_ADDRESS.search(text[max(0, start - 20) : start])
    return kind == "ip"


def test_clean_texts_give_few_alarms(judge: Judge, tell, prose_folder) -> None:
    sources = [clean.packages(package("spacy").parent), clean.repository(ROOT), clean.prose(prose_folder), clean.logs()]
    texts = [text for source in sources for text in source]
    answers = judge.ask("text", [text.text for text in texts])
    sizes: dict[str, int] = defaultdict(int)
    alarms: dict[str, list[str]] = defaultdict(list)
    for text, answer in zip(texts, answers, strict=True):
        sizes[text.group] += len(text.text.encode())
        for one in answer["matches"]:
            if not is_really_one(one["kind"], text.text, one["start"], one["end"]):
                alarms[text.group].append(f"{one['kind']}: {text.text[one['start']:one['end']][:80]}")
        if answer["score"] >= 50:
            alarms[text.group].append(f"injection: {answer['signals']}")
    for group, size in sizes.items():
        rate = len(alarms[group]) / size * 1e5
        tell(Row(f"clean, {group}", size, "alarms in 100 KB", f"{rate:.2f}", f"≤ {MOST_IN_100_KB}"))
    over = {group: found for group, found in alarms.items() if len(found) / sizes[group] * 1e5 > MOST_IN_100_KB}
    assert not over, over
