"""JSON bodies: what any reader, any template and PostgreSQL understand alike, and nothing else."""

import json
import re
from decimal import Decimal
from itertools import accumulate
from typing import Any, NoReturn

from api.problem_types import Kind
from api.problems import Problem

DEEPEST = 64
_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_BRACKETS = re.compile(r"[\[\]{}]")
_STEP = {"[": 1, "{": 1, "]": -1, "}": -1}
# What an escape can smuggle in: a NUL, or one half of a surrogate pair.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_LARGEST_INTEGER = 2**63 - 1
_LONGEST_NUMBER = 64
_LARGEST_EXPONENT = 308


def parse(body: bytes) -> Any:
    """Returns the value of a JSON body; numbers with a fraction or exponent become `Decimal`.

    Raises:
        Problem: The body is not UTF-8, not JSON, too deep, or holds what not every reader reads alike.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _refused(f"byte {error.start} is not valid UTF-8; send the body in UTF-8") from error
    _check_depth(text)
    try:
        value = json.loads(
            text, parse_float=_number, parse_int=_integer, parse_constant=_constant, object_pairs_hook=_object
        )
    except json.JSONDecodeError as error:
        raise _refused(f"{error.msg.removesuffix(' at')} (line {error.lineno}, column {error.colno})") from error
    if "\\u" in text:
        _check_characters(value)
    return value


def _check_depth(text: str) -> None:
    if text.count("[") + text.count("{") <= DEEPEST:
        return
    steps = (_STEP[bracket] for bracket in _BRACKETS.findall(_STRINGS.sub("", text)))
    if max(accumulate(steps), default=0) > DEEPEST:
        raise _refused(f"it is nested more than {DEEPEST} levels deep; send it flatter")


def _check_characters(value: Any) -> None:
    pending = [value]
    while pending:
        found = pending.pop()
        if isinstance(found, dict):
            pending += [*found.keys(), *found.values()]
        elif isinstance(found, list):
            pending += found
        elif isinstance(found, str) and _UNSTORABLE.search(found):
            raise _refused("a string holds a NUL character or half a surrogate pair; remove it")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]  # add() returns None on purpose
        raise _refused(f"the key {twice[:64]!r} stands twice in one object; send it once")
    return value


def _number(text: str) -> Decimal:
    value = Decimal(text)
    if len(text) > _LONGEST_NUMBER or (value and abs(value.adjusted()) > _LARGEST_EXPONENT):
        raise _refused("a number is larger, smaller or longer than a double can hold; send it as a string")
    return value


def _integer(text: str) -> int:
    if len(text) > _LONGEST_NUMBER or abs(value := int(text)) > _LARGEST_INTEGER:
        raise _refused("an integer needs more than 64 bits; send it as a string")
    return value


def _constant(text: str) -> NoReturn:
    raise _refused(f"{text} is not JSON; send null or a number")


def _refused(what: str) -> Problem:
    return Problem(Kind.MALFORMED_JSON, f"The body cannot be used: {what}.")
