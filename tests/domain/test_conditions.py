"""Conditions: what is found when they are read, and what they say of facts."""

from datetime import UTC, datetime
from typing import Any

import pytest

from domain.conditions import LONGEST_LIST, ConditionError, check, holds, value_of

KNOWN = {"data", "heard", "recipient"}
FACTS: dict[str, Any] = {
    "data": {"kind": "a", "n": 2, "due": datetime(2026, 6, 1, tzinfo=UTC)},
    "heard": [{"kind": "reply"}, {"kind": "tap"}],
    "recipient": {"locale": "hi"},
}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("data.kind == 'a'", True),
        ("data.n > 2", False),
        ("heard.exists(h, h.kind == 'tap')", True),
        ("has(data.missing)", False),
        ("has(data.missing) && data.missing == 1", False),
        ("recipient.locale in ['hi', 'en']", True),
        ("data.due < timestamp('2026-07-01T00:00:00Z')", True),
        ("size(heard) == 2", True),
        ("heard.map(h, h.kind).exists(k, k == 'reply')", True),
        ("data.kind == '.all(x, y)'", False),
    ],
)
def test_it_says_whether_a_condition_holds(condition: str, expected: bool) -> None:  # noqa: FBT001 - what is expected
    check(condition, KNOWN)
    assert holds(condition, FACTS) is expected


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("data.kind ==", "line 1, column 13"),
        ("dat.kind == 'a'", "nothing is called 'dat' here; known are data, heard, recipient"),
        ("data.n == 1 && " * 70 + "true", "1,054 characters; 1,000 are possible"),
        ("heard.exists(h, heard.exists(i, i == h))", "stands inside another one"),
        ("heard.filter(h, h.kind == 'a').all(x, heard.map(y, y) == [x])", "stands inside another one"),
        ("(" * 400 + "1" + ")" * 400, ""),
        ("", ""),
        ("data.n == 1 // && false", "comments are not read"),
        ("dat(data.n) == 1", "there is no function 'dat'"),
    ],
    ids=[
        "no CEL",
        "a misspelt name",
        "too long",
        "nested",
        "nested after another",
        "too deep",
        "nothing",
        "a comment",
        "a function",
    ],
)
def test_what_is_wrong_is_found_when_it_is_read(condition: str, message: str) -> None:
    with pytest.raises(ConditionError) as raised:
        check(condition, KNOWN)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("data.missing == 1", "'missing' is not there; guard it with has(…)"),
        ("heard[9].kind == 'reply'", "guard it with size(…)"),
        ("data.n > data.kind", "the types do not fit"),
        ("data.n", "gives int, not true or false"),
        ("data.n / 0 == 1", "division by zero"),
        ("nonsense == 1", "Undefined variable or function: 'nonsense'"),
    ],
)
def test_what_cannot_be_judged_says_why(condition: str, message: str) -> None:
    with pytest.raises(ConditionError) as raised:
        holds(condition, FACTS)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("heard.map(h, heard + heard) != []", "take 'heard' out of it"),
        ('r"\\" != "" && data.n > 1', "plain quotes"),
        ("'''a''' == data.name", "plain quotes"),
        ('b"a" == data.name', "plain quotes"),
    ],
    ids=["a map of other lists", "a raw text", "three quotes", "bytes"],
)
def test_what_could_take_long_or_hide_something_is_refused(condition: str, message: str) -> None:
    with pytest.raises(ConditionError, match=message):
        check(condition, {"heard", "data"})


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("data.n + 1", 3),
        ("data.name", "Asha"),
        ("[1, 2.5, null, true]", [1, 2.5, None, True]),
        ("{'a': {'b': [data.n]}}", {"a": {"b": [2]}}),
        ("timestamp('2026-06-01T04:30:00Z')", "2026-06-01T04:30:00+00:00"),
    ],
)
def test_a_value_is_given_as_json_has_it(expression: str, expected: object) -> None:
    assert value_of(expression, {"data": {"n": 2, "name": "Asha"}}) == expected


@pytest.mark.parametrize(
    "expression",
    ["duration('1h')", "{1: 2}", "bytes('a')", "'\\u0000'", "1.0 / 0.0"],
)
def test_a_value_that_cannot_be_kept_is_told(expression: str) -> None:
    with pytest.raises(ConditionError, match="cannot be kept"):
        value_of(expression, {})


def test_a_macro_looks_through_a_thousand_entries_and_of_what_was_heard_the_last() -> None:
    heard = [{"kind": "reply", "n": n} for n in range(LONGEST_LIST + 1)]
    assert not holds("heard.exists(h, h.n == 0)", {"heard": heard})
    assert holds("heard.exists(h, h.n == 1)", {"heard": heard})
    assert holds("size(heard) == 1001", {"heard": heard})
    many = {"data": {"list": [{"inner": list(range(LONGEST_LIST + 1))}]}}
    with pytest.raises(ConditionError, match="more than 1,000 entries"):
        holds("data.list.exists(x, x.inner.size() > 0)", many)
    assert holds("size(data.list) == 1", many)


@pytest.mark.parametrize(
    "plain",
    ["data.n == 'plan b'", 'data.n == "plan r" || data.n in ["br", "B"]'],
    ids=["single quotes", "double quotes"],
)
def test_a_text_may_end_in_any_letter(plain: str) -> None:
    check(plain, {"data"})
    with pytest.raises(ConditionError, match="plain quotes"):
        check(f"{plain} || data.n == b'a'", {"data"})
