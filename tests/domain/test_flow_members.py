"""What expressions of a flow name and no event has: what is told, and where a schema leaves it open."""

from collections.abc import Iterable
from typing import Any

import pytest

from domain.flow_members import MOST_JUDGED, Placed, doubts
from domain.schema_members import MOST_KNOWN, nearest

MONEY = {"type": "object", "properties": {"amount": {}, "currency": {}}, "additionalProperties": False}
ORDER: dict[str, Any] = {
    "type": "object",
    "properties": {
        "order": {"type": "string"},
        "customer_id": {"type": ["string", "null"]},
        "total": {"$ref": "#/$defs/money", "description": "With taxes."},
        "items": {"type": "array", "items": {"$ref": "#/$defs/money"}},
        "gone": False,
        "anything": True,
    },
    "additionalProperties": False,
    "$defs": {"money": {"$ref": "#/$defs/a~1b%20c"}, "a/b c": MONEY, "round": {"$ref": "#/$defs/round"}},
}
OPEN = {name: said for name, said in ORDER.items() if name != "additionalProperties"}


def told(expression: str, *schemas: dict[str, Any]) -> list[tuple[str, str | None]]:
    """Returns what is told of an expression, given schemas of as many types."""
    named = {f"order.{number}": one for number, one in enumerate(schemas)}
    return [(one.path, one.near) for one in doubts([Placed(pointer="/key", expression=expression)], named)]


@pytest.mark.parametrize(
    ("expression", "doubted"),
    [
        ("event.data.ordr", [("event.data.ordr", "event.data.order")]),
        ("event.data.customerId", [("event.data.customerId", "event.data.customer_id")]),
        ("event.data.colour", [("event.data.colour", None)]),
        ("event.data.gone", [("event.data.gone", None)]),
        ("event.data['to pay']", [("event.data['to pay']", None)]),
        ("event.data.order.first", [("event.data.order.first", None)]),
        ("event.data.total.amuont > 1", [("event.data.total.amuont", "event.data.total.amount")]),
        ("event.data.items[0].curency", [("event.data.items[].curency", "event.data.items[].currency")]),
        ("event.data.items.exists(i, i.amonut > 1)", [("event.data.items[].amonut", "event.data.items[].amount")]),
        ("event.data.ordr == '' || event.data.ordr == 'x'", [("event.data.ordr", "event.data.order")]),
        ("data.ordr", [("data.ordr", "data.order")]),
        ("data.colour", []),
        ("event.data.order + event.data.total.amount + event.data.anything.whatever", []),
        ("event.data[data.order].x", []),
        ("event.data", []),
        ("event.subject + recipient.name + series.key", []),
    ],
)
def test_what_a_closed_schema_does_not_have_is_told(expression: str, doubted: list[Any]) -> None:
    assert told(expression, ORDER) == doubted


def test_of_an_open_schema_only_what_is_nearly_a_name_is_told() -> None:
    assert told("event.data.ordr == event.data.colour", OPEN) == [("event.data.ordr", "event.data.order")]


@pytest.mark.parametrize(
    "schema",
    [
        {"additionalProperties": True}, {"additionalProperties": {"type": "string"}}, {"unevaluatedProperties": True},
        {"patternProperties": {"^o": {}}}, {"anyOf": [{}]}, {"allOf": [{}]}, {"if": {}}, {"dependentSchemas": {}},
        {"$ref": "#/$defs/money", "type": "object"}, {"$ref": "#/$defs/round", "properties": {}},
    ],
    ids=", ".join,
)  # fmt: skip
def test_what_a_schema_leaves_open_is_not_told(schema: dict[str, Any]) -> None:
    assert told("event.data.ordr", {**OPEN, **schema}) == []


@pytest.mark.parametrize(
    "reference", ["#/$defs/round", "#/$defs/none", "#/$defs/deep/er", "elsewhere.json", "#"], ids=str
)
def test_a_reference_that_leads_nowhere_says_nothing(reference: str) -> None:
    schema = {**ORDER, "properties": {"order": {"$ref": reference}}, "$defs": {**ORDER["$defs"], "deep": True}}
    assert told("event.data.order.x", schema) == []


def test_a_schema_that_says_nothing_of_members_says_nothing() -> None:
    assert told("event.data.x", {"type": "object"}) == []
    assert told("event.data.x", {}) == []
    assert told("event.data.x", {"unevaluatedProperties": False}) == [("event.data.x", None)]
    assert told("event.data.x", {"type": "array"}) == [("event.data.x", None)]


def test_a_member_that_one_of_the_types_has_is_right() -> None:
    other = {"properties": {"reason": {}}, "additionalProperties": False}
    assert told("event.data.reason", ORDER, other) == []
    assert told("event.data.resaon", ORDER, other) == [("event.data.resaon", "event.data.reason")]
    assert told("event.data.total.sum", ORDER, other) == [("event.data.total.sum", None)]


def test_without_schemas_nothing_is_told() -> None:
    assert told("event.data.ordr") == []


def test_the_message_names_some_types_and_what_is_meant() -> None:
    (one,) = doubts([Placed(pointer="/key", expression="event.data.ordr")], {"order.placed": ORDER})
    assert (one.pointer, one.message) == (
        "/key", "by the schema of order.placed: event.data has no member 'ordr'; did you mean 'order'?",
    )  # fmt: skip
    named = {f"order.{number}": ORDER for number in range(5)}
    (many,) = doubts([Placed(pointer="/key", expression="event.data.colour")], named)
    assert many.message == "by the schema of order.0, order.1, order.2 and 2 more: event.data has no member 'colour'"


def test_each_member_is_looked_up_once_and_no_more_than_so_many() -> None:
    asked: list[str] = []

    def near(name: str, known: Iterable[str]) -> str | None:
        asked.append(name)
        return nearest(name, known)

    often = [Placed(pointer=f"/steps/{place}", expression="event.data.ordr + event.data.ordr") for place in range(500)]
    assert len(list(doubts(often, {"order": ORDER}, near=near))) == 500
    assert asked == ["ordr"]
    asked.clear()
    many = [Placed(pointer="/key", expression=f"event.data.none{number}") for number in range(MOST_JUDGED + 50)]
    assert len(list(doubts(many, {"order": ORDER}, near=near))) == len(asked) == MOST_JUDGED


def test_a_near_name_is_looked_for_among_so_many_and_not_among_very_long_ones() -> None:
    names = [f"a{number:05}" for number in range(MOST_KNOWN)]
    assert nearest("costumer", [*names[1:], "customer"]) == "customer"
    assert nearest("costumer", [*names, "customer"]) is None
    assert nearest("o" * 101, ["o" * 100]) == "o" * 100
    assert nearest("o" * 101, ["o" * 102]) is None
