"""Conditions: what is found when they are read, and what they say of facts."""

from datetime import UTC, datetime
from typing import Any

import pytest

from domain.conditions import ConditionError, check, holds

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
