"""Personal data that has a form: how much of each kind is found, and what is taken for it."""

import pytest
from attacks import package
from judging import Judge
from labelled import persons
from peers import PRESIDIO, SCRUBADUB, presidio, scrubadub
from scoring import Row, percent, score

LEAST_RECALL = {"email": 1.0, "card": 1.0, "iban": 1.0, "ssn": 1.0, "cn_id": 1.0, "ip": 1.0, "phone": 0.7}
PEERS = [("presidio", presidio, set(PRESIDIO.values())), ("scrubadub", scrubadub, set(SCRUBADUB.values()))]


@pytest.fixture(scope="module")
def corpus(keep):
    return keep("persons", persons.sentences(package("presidio_evaluator")))


@pytest.fixture(scope="module")
def judged(judge: Judge, corpus):
    plain = [text.text for text in corpus]
    return judge.personal_data(plain), [(name, tool(plain), kinds) for name, tool, kinds in PEERS]


def of_kind(found, kind: str):
    return [[one for one in findings if one.kind == kind] for findings in found]


@pytest.mark.parametrize("kind", LEAST_RECALL)
def test_personal_data_is_found(tell, corpus, judged, kind: str) -> None:
    ours, others = judged
    texts = [type(text)(text.text, text.group, tuple(label for label in text.labels if label.kind == kind)) for text in corpus]
    mine = score(texts, of_kind(ours, kind), same_kind=True)
    theirs = [(name, score(texts, of_kind(found, kind), same_kind=True)) for name, found, kinds in others if kind in kinds]
    for measure, figure in [("recall", lambda one: percent(one.recall)), ("precision", lambda one: percent(one.precision))]:
        bound = f"≥ {percent(LEAST_RECALL[kind])}" if measure == "recall" else ""
        tell(Row(f"persons, {kind}", mine.labels, measure, figure(mine), bound, tuple((name, figure(one)) for name, one in theirs)))
    assert mine.recall >= LEAST_RECALL[kind], mine.missed[:20]


def test_sentences_give_no_false_alarms(tell, corpus, judged) -> None:
    ours, others = judged
    mine = score(corpus, ours)
    tell(Row("persons, all kinds", len(corpus), "false alarms", str(mine.false_alarms), "0", tuple((name, str(score(corpus, found).false_alarms)) for name, found, _ in others)))
    assert not mine.alarms


def test_what_is_nobodys_is_left_alone(judge: Judge, tell, keep) -> None:
    texts = keep("persons-harmless", persons.harmless())
    plain = [text.text for text in texts]
    mine = score(texts, judge.personal_data(plain))
    others = tuple((name, str(score(texts, tool(plain)).false_alarms)) for name, tool, _ in PEERS)
    tell(Row("persons, look-alikes", len(texts), "false alarms", str(mine.false_alarms), "0", others))
    assert not mine.alarms
