"""What an object holds beside its declared fields is judged, replaced and bound like them: a tool can read it just as well."""

import dataclasses
import json
import subprocess
from pathlib import Path

import pydantic
import pytest
from harness.places import seawall_binary
from seawall import ApprovalRequired, PolicyDenied, guard, run


class Order(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")

    where: str = "a.txt"
    _aside: str = pydantic.PrivateAttr("")


class Frozen(Order):
    model_config = pydantic.ConfigDict(extra="allow", frozen=True)


class Shared(Order):
    def __copy__(self):
        return self


@dataclasses.dataclass
class Plain:
    where: str = "a.txt"


def with_aside(place: str) -> Order:
    order = Order()
    order._aside = place
    return order


def beside(place: str) -> Plain:
    plain = Plain()
    plain.path = place
    return plain


@guard
def read(order: object) -> object:
    return order


@pytest.mark.parametrize(
    "order",
    [
        Order(path="/etc/passwd"),
        Order(other={"deep": ["/etc/passwd"]}),
        # Read as attributes, these are methods of the model.
        Order(copy="/etc/passwd"),
        Order(**{"json": "/etc/passwd"}),
        Frozen(path="/etc/passwd"),
        with_aside("/etc/passwd"),
        beside("/etc/passwd"),
        [Order(path="/etc/passwd")],
    ],
    ids=repr,
)
def test_what_was_not_declared_is_judged(order):
    with run(policy="fs_safe", sandbox="sb"), pytest.raises(PolicyDenied) as caught:
        read(order)
    assert caught.value.code == "FS_OUTSIDE_ROOT"


@pytest.mark.parametrize("kind", [Order, Frozen])
def test_what_was_not_declared_is_replaced_wherever_a_tool_reads_it(kind):
    order = kind(path="b.txt", size=5)
    with run(policy="fs_safe", sandbox="sb") as ctx:
        given = read(order)
        expected = f"{ctx.sandbox}/b.txt"
    assert given.path == given.model_extra["path"] == given.model_dump()["path"] == expected
    assert (given.size, given.where, type(given)) == (5, "a.txt", kind)
    assert order.model_dump() == {"where": "a.txt", "path": "b.txt", "size": 5}, "the caller's own stays as it is"


def test_an_attribute_beside_the_fields_of_a_dataclass_is_replaced():
    plain = beside("b.txt")
    with run(policy="fs_safe", sandbox="sb") as ctx:
        assert read(plain).path == f"{ctx.sandbox}/b.txt"
    assert plain.path == "b.txt"


def test_what_shares_its_extras_with_its_copy_is_refused():
    order = Shared(path="b.txt")
    with run(policy="fs_safe", sandbox="sb"), pytest.raises(PolicyDenied, match="made anew"):
        read(order)
    assert order.path == "b.txt"


@pytest.mark.parametrize(
    ("allowed", "other"),
    [
        (Order(amount=5), Order(amount=50_000)),
        (Order(amount=5), Order()),
        (with_aside("x"), with_aside("y")),
        (beside("x"), beside("y")),
    ],
    ids=repr,
)
def test_an_approval_is_bound_to_what_was_not_declared(home: Path, allowed, other):
    (home / "policy.yaml").write_text("version: 1\ntools: [{ name: read, verdict: ask }]\n")
    with run(policy="policy.yaml"):
        with pytest.raises(ApprovalRequired) as caught:
            read(allowed)
        decided = [seawall_binary(), "approvals", "allow", caught.value.approval_id, "--json"]
        assert json.loads(subprocess.check_output(decided))["state"] == "allowed"
        with pytest.raises(ApprovalRequired):
            read(other)
        assert read(allowed) is allowed
