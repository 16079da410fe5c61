"""Reads values out of callbacks whose shape nobody promises."""

import hashlib
import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

_LONGEST_KEY = 300
_MILLISECONDS_FROM = 100_000_000_000
_LATEST = 253_402_300_799  # the last second of the year 9999
_MOST_DIGITS = 20


def objects(value: Any) -> list[dict[str, Any]]:
    """Returns the objects of a list, or nothing for what is no list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text_of(source: Mapping[str, Any], name: str) -> str | None:
    """Returns a text that is there and not empty; a whole number is read as its digits."""
    value = source.get(name)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**_MOST_DIGITS:
        return str(value)
    return value if isinstance(value, str) and value else None


def inner(source: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Returns an object inside an object, empty where there is none."""
    value = source.get(name)
    return value if isinstance(value, dict) else {}


def whole_of(value: Any) -> int | None:
    """Returns a whole number that is written as one, as its digits, or as a float."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _MOST_DIGITS:
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def instant(*candidates: Any) -> datetime:
    """Returns the first Unix time among the candidates, in seconds or milliseconds, or the present where none is."""
    for candidate in candidates:
        seconds = whole_of(candidate)
        if seconds is not None and seconds >= _MILLISECONDS_FROM:
            seconds //= 1000
        if seconds is not None and 0 < seconds <= _LATEST:
            return datetime.fromtimestamp(seconds, UTC)
    return datetime.now(UTC)


def digest(value: Any) -> str:
    """Returns a short digest of bytes or of JSON, the same for every order of its members."""
    content = value if isinstance(value, bytes) else json.dumps(value, sort_keys=True).encode()
    return hashlib.sha256(content).hexdigest()[:32]


def bounded_key(key: str) -> str:
    """Returns an event key of bounded length: a long one keeps its beginning and ends with a digest of the whole."""
    return key if len(key) <= _LONGEST_KEY else f"{key[:100]}…{digest(key)}"
