"""Secrets: how many of each corpus are found, and how often something harmless is called one."""

import pytest
from attacks import package
from judging import Judge
from labelled import credentials
from peers import betterleaks, detect_secrets
from scoring import Row, percent, score

#: What must hold. Rules by name are another tool's own heuristics and are measured only.
LEAST_RECALL = {"by form": 1.0, "by name": 0.97, "rules, by form": 0.5, "rules, by name": None}


@pytest.fixture(scope="module")
def corpus(keep):
    library = package("betterleaks") / "libbetterleaks.so"
    sources = [credentials.from_forms(), credentials.from_names(), credentials.from_rules(library)]
    return keep("secrets", [text for source in sources for text in source])


@pytest.mark.parametrize("group", LEAST_RECALL)
def test_secrets_are_found_and_covered(judge: Judge, tell, corpus, group: str) -> None:
    texts = [text for text in corpus if text.group == group]
    plain = [text.text for text in texts]
    ours = score(texts, judge.secrets(plain))
    others = [(name, score(texts, tool(plain))) for name, tool in [("betterleaks", betterleaks), ("detect-secrets", detect_secrets)]]
    least = LEAST_RECALL[group]
    bound = "" if least is None else f"≥ {percent(least)}"
    tell(Row(f"secrets, {group}", ours.labels, "recall", percent(ours.recall), bound, tuple((name, percent(one.recall)) for name, one in others)))
    assert least is None or ours.recall >= least, ours.missed[:20]
    if least is not None and not group.startswith("rules"):
        assert not ours.uncovered, "what is found is found whole, since the redactor takes out nothing more"


def test_what_only_looks_like_a_secret_is_left_alone(judge: Judge, tell, keep) -> None:
    texts = keep("secrets-harmless", credentials.harmless())
    plain = [text.text for text in texts]
    ours = score(texts, judge.secrets(plain))
    others = [(name, score(texts, tool(plain))) for name, tool in [("betterleaks", betterleaks), ("detect-secrets", detect_secrets)]]
    tell(Row("secrets, look-alikes", len(texts), "false alarms", str(ours.false_alarms), "0", tuple((name, str(one.false_alarms)) for name, one in others)))
    assert not ours.alarms
