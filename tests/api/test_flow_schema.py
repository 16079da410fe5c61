"""The JSON Schema of flow files refuses what the reader refuses, and takes what it takes."""

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema_rs import Draft202012Validator as Judge

from api.flow_files import read
from api.flow_schema import flow_schema
from tests.api.flow_documents import BAD, GOOD, MEANING

SCHEMA = flow_schema()
JUDGE = Judge(SCHEMA)

# What a schema cannot say: sums, calendars, what stands elsewhere in the file, and expressions.
BEYOND_SHAPE = (
    "longer than ten years", "never comes", "this is no calendar rule", "this is no moment", "is called", "steps; ",
    "at most 7776000 seconds", "nothing is called", "condition", "there is no function", "macro", "Failed to parse",
    "plain quotes", "what `map`", "nested too deeply", "comments", "expecting", "line 1, column",
    "`spread` is at most 12h", "this is quiet always",
)  # fmt: skip


def judged(document: Any) -> tuple[bool, bool, str]:
    """Returns what the schema and what the reader say of a document, and what the reader found."""
    found, misprints = read(json.dumps(document, ensure_ascii=False))
    return JUDGE.is_valid(document), found is not None, "; ".join(one.message for one in misprints)


def test_the_schema_is_one_itself() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("document", GOOD.values(), ids=GOOD.keys())
def test_both_take_what_is_right(document: Any) -> None:
    assert judged(document) == (True, True, "")
    assert Draft202012Validator(SCHEMA).is_valid(document)


@pytest.mark.parametrize("document", BAD.values(), ids=BAD.keys())
def test_both_refuse_what_is_wrong(document: Any) -> None:
    assert judged(document)[:2] == (False, False)
    assert not Draft202012Validator(SCHEMA).is_valid(document)


@pytest.mark.parametrize("document", MEANING.values(), ids=MEANING.keys())
def test_only_the_reader_sees_what_is_no_matter_of_shape(document: Any) -> None:
    by_schema, by_reader, told = judged(document)
    assert (by_schema, by_reader) == (True, False)
    assert any(one in told for one in BEYOND_SHAPE), told


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yields the path of everything within a document."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


def put(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Returns a document with something else at a place."""
    if not path:
        return value
    changed = copy.deepcopy(document)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return changed


PIECES = [(document, path) for document in GOOD.values() for path in places(document)]
MEMBERS = sorted({path[-1] for _, path in PIECES if path and isinstance(path[-1], str)})
WORDS = st.sampled_from(
    ["", "a", "A", "3d", "-3d", "0s", "30s", "P1D", "09:00", "25:00", "reply", "tap:x", "event:a.*", "a.*", "due_at",
     "*", "FREQ=DAILY", "FREQ=WEEKLY;BYDAY=MO", "2026-06-01T09:00Z", "email", "mon", "skip", "now", "once", "true",
     "data.a"]
)  # fmt: skip
VALUES = st.one_of(
    WORDS, st.none(), st.booleans(), st.integers(-2, 20_000), st.lists(WORDS, max_size=3),
    st.dictionaries(st.sampled_from(["send", "wait", "wait_for", "id", "until", "next", "at", "to", "phone", "when"]),
                    WORDS, max_size=3),
)  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(PIECES), VALUES, st.sampled_from(["put", "remove", "add"]), st.data())
def test_both_judge_alike_what_somebody_changed(
    piece: tuple[Any, tuple[Any, ...]], value: Any, change: str, data: st.DataObject
) -> None:
    document, path = piece
    inner = document
    for key in path:
        inner = inner[key]
    if change == "add" and isinstance(inner, dict):
        changed = put(document, path, {**inner, data.draw(st.sampled_from(MEMBERS)): value})
    elif change == "remove" and isinstance(inner, dict) and inner:
        gone = data.draw(st.sampled_from(sorted(inner)))
        changed = put(document, path, {key: one for key, one in inner.items() if key != gone})
    else:
        changed = put(document, path, value)
    by_schema, by_reader, told = judged(changed)
    is_beyond = by_schema and any(one in told for one in BEYOND_SHAPE)
    assert by_schema == by_reader or is_beyond, (changed, told)


async def test_editors_get_the_schema_without_a_key(open_client: Callable[..., httpx.AsyncClient]) -> None:
    bare = open_client(None)
    answer = await bare.get("/v1/flows/schema")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/schema+json")
    assert answer.json() == SCHEMA
    again = await bare.get("/v1/flows/schema", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
