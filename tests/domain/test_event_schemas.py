"""Schemas of event types: which are taken, what does not fit, and that no judgement is slow."""

from typing import Any

import pytest

from domain.event_schemas import DIALECT, EventSchema, SchemaError


def doubling(levels: int) -> dict[str, Any]:
    """Returns a small schema that is huge with its references written out."""
    parts: dict[str, Any] = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(levels)}
    return {"$ref": "#/$defs/d0", "$defs": {**parts, f"d{levels}": True}}


def nested(levels: int, **inner: Any) -> dict[str, Any]:
    """Returns schemas within schemas."""
    found: dict[str, Any] = {}
    for _ in range(levels):
        found = {"allOf": [found], **inner}
    return found


def chain(length: int) -> dict[str, Any]:
    """Returns references that lead to references."""
    return {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(length)} | {f"d{length}": True}


REFUSED = {
    "another dialect": ({"$schema": "http://json-schema.org/draft-07/schema#"}, "/$schema", "schemas are those of"),
    "no schema": ({"properties": {"a": {"type": "objekt"}}}, "/properties/a/type", "no JSON Schema"),
    "a dialect that is a list": ({"$schema": []}, "/$schema", "schemas are those of"),
    "a dialect that is an object": ({"$schema": {"a": 1}}, "/$schema", "schemas are those of"),
    "another host": ({"items": {"$ref": "http://127.0.0.1/a"}}, "/items/$ref", "its own parts only"),
    "a reference that is no text": ({"$ref": 7}, "/$ref", "its own parts only"),
    "a circle": ({"items": {"$ref": "#"}}, "/items/$ref", "leads back"),
    "a wide circle": ({"$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}}, "/$defs/a/items/$ref", "leads back"),
    "nowhere": ({"$ref": "#/$defs/a"}, "/$ref", "leads nowhere"),
    "past a list": ({"$ref": "#/allOf/1", "allOf": [True]}, "/$ref", "leads nowhere"),
    "into a text": ({"$ref": "#/title/a", "title": "t"}, "/$ref", "leads nowhere"),
    "an anchor": ({"$ref": "#money"}, "/$ref", "leads nowhere"),
    "another base": ({"properties": {"a/b": {"$id": "x"}}}, "/properties/a~1b/$id", "$id is not read"),
    "a dynamic reference": ({"$dynamicRef": "#a"}, "/$dynamicRef", "is not read"),
    "many parts": (doubling(20), "/$defs/d9", "more than 5,000 parts"),
    "what looks again and again": (nested(20, unevaluatedProperties=False), "/allOf/0" * 9, "more than 5,000 parts"),
    "many values": ({"enum": list(range(6000))}, "", "more than 5,000 parts"),
    "deep": (nested(150), "/allOf/0" * 50, "deeper than 100"),
    "a long chain": ({"$defs": chain(200)}, "/$defs/d99/$ref", "deeper than 100"),
    "a late long chain": (
        {"$defs": dict(reversed(chain(90).items())), "not": nested(60, **{"$ref": "#/$defs/d0"})}, "", "deeper than 100"
    ),
    "many patterns": ({"patternProperties": {f"^{n}$": True for n in range(101)}}, "", "100 patterns"),
    "a pattern that looks ahead": ({"pattern": "(?=a)b"}, "/pattern", "regex"),
    "a huge pattern": ({"pattern": "(a{900}){9}"}, "/pattern", "regex"),
    "a pattern of many states": ({"pattern": "[ab]*a[ab]{800}c"}, "/pattern", "regex"),
    "patterns that are no texts": ({"pattern": 7, "patternProperties": []}, "", "no JSON Schema"),
    "a pattern that many refer to": (
        {"allOf": [{"$ref": "#/$defs/a"}] * 1000, "$defs": {"a": {"pattern": "^a$"}}}, "", "more than 1,000 patterns",
    ),
    "a large pattern that some refer to": (
        {"allOf": [{"$ref": "#/$defs/a"}] * 250, "$defs": {"a": {"pattern": "[ab]*a[ab]{100}c"}}}, "", "1,000 patterns",
    ),
    "patterns that are looked at again": (
        {"allOf": [{"$ref": "#/$defs/a"}] * 500, "unevaluatedItems": False, "$defs": {"a": {"pattern": "^a$"}}}, "",
        "more than 1,000 patterns",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("schema", "pointer", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_could_be_slow_or_is_none_is_refused(schema: dict[str, Any], pointer: str, message: str) -> None:
    with pytest.raises(SchemaError, match=message.replace("$", r"\$")) as caught:
        EventSchema(schema)
    assert caught.value.fault.pointer.startswith(pointer)


def test_a_schema_may_refer_to_its_own_parts() -> None:
    found = EventSchema(
        {
            "$schema": DIALECT,
            "$id": "https://example.com/order",
            "allOf": [{"properties": {"a": {"$ref": "#/$defs/a~1b%20c"}, "b": {"$ref": "#/allOf/1"}}}, {"not": False}],
            "$defs": {"a/b c": {"type": "string"}},
            "dependentRequired": {},
        }
    )
    assert [fault.pointer for fault in found.faults({"a": 1})][:1] == ["/a"]


FOUND = {
    "a wrong kind": ({"properties": {"a": {"type": "string"}}}, {"a": 7}, ["/a"], "the value is not of type"),
    "what is missing": ({"required": ["a/b"]}, {}, ["/a~1b"], "missing"),
    "what is too much": (
        {"additionalProperties": False, "properties": {"c": {}}},
        {"a": 1, "b": 2},
        ["/a", "/b"],
        "knows no such member",
    ),
    "what nobody judged": ({"unevaluatedProperties": False}, {"a": 1}, ["/a"], "knows no such member"),
    "within a list": ({"items": {"format": "date"}}, ["2026-01-01", "soon"], ["/1"], "date"),
    "the whole": ({"type": "object"}, [1], [""], "object"),
    "nothing": ({"type": "object"}, {"a": "b" * 100}, [], ""),
}


@pytest.mark.parametrize(("schema", "data", "pointers", "message"), FOUND.values(), ids=FOUND.keys())
def test_what_does_not_fit_is_told_with_its_place(
    schema: dict[str, Any], data: Any, pointers: list[str], message: str
) -> None:
    faults = EventSchema(schema).faults(data)
    assert [fault.pointer for fault in faults] == pointers
    assert all(message in fault.message for fault in faults)


def test_faults_hold_nothing_of_the_data() -> None:
    schema = EventSchema({"properties": {"phone": {"pattern": "^[0-9]+$"}, "kind": {"enum": ["a"]}}})
    told = " ".join(fault.message for fault in schema.faults({"phone": "secret-1", "kind": "secret-2"}))
    assert "secret" not in told


def test_at_most_fifty_faults_are_told_and_of_much_data_the_first() -> None:
    schema = EventSchema({"items": {"type": "string"}})
    assert len(schema.faults([1] * 100)) == 50
    assert len(schema.faults([1] * 50_000)) == 1
    assert schema.faults(["1"] * 50_000) == ()


@pytest.mark.parametrize(
    "data",
    [[1] * 10_000, ["x" * 1_000_000], {"x" * 1_000_000: 1}, {f"k{n}": {} for n in range(10_000)}],
    ids=["many values", "a long text", "a long name", "many members"],
)
def test_what_would_cost_too_much_is_not_judged(data: Any) -> None:
    (fault,) = EventSchema({"allOf": [{"items": {"minimum": 0}}] * 1000}).faults(data)
    assert "more values than are judged" in fault.message


MANY_STATES = {"anyOf": [{"pattern": f"[ab]*a[ab]{{100}}c{n}"} for n in range(90)]}
"""A schema whose patterns are as slow as they can be: 360 units of matching for each character."""


@pytest.mark.parametrize(
    "data",
    ["ab" * 1400, ["ab" * 700, "ab" * 700], {"ab" * 1400: 1}],
    ids=["one text", "several texts", "a name"],
)
def test_patterns_are_not_matched_with_more_text_than_they_are_fast_for(data: Any) -> None:
    (fault,) = EventSchema(MANY_STATES).faults(data)
    assert "more text than is judged" in fault.message


def test_text_is_counted_only_where_there_are_patterns() -> None:
    assert EventSchema({"items": {"maxLength": 2_000_000}}).faults(["x" * 1_500_000]) == ()


@pytest.mark.parametrize(("text", "count"), [("c" * 2000, 1), ("a" * 300 + "c7", 0)], ids=["no fit", "a fit"])
def test_after_much_work_it_is_told_only_whether_data_fits(text: str, count: int) -> None:
    deep: dict[str, Any] = MANY_STATES
    for _ in range(80):
        deep = {"anyOf": [deep]}
    faults = EventSchema(deep).faults(text)
    assert len(faults) == count
    assert all("to be told where" in fault.message for fault in faults)


def test_a_schema_says_how_many_patterns_it_keeps_ready() -> None:
    assert EventSchema(MANY_STATES).patterns == 90
