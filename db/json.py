"""JSON as the database stores it: exact decimals in, exact decimals out."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson

# `json.loads` with an argument makes a decoder anew for every value.
_DECODER = json.JSONDecoder(parse_float=Decimal)


def encode(value: Any) -> str:
    """Returns compact JSON; a `Decimal` becomes a number with all its digits."""
    return orjson.dumps(value, default=_default).decode()


def pretty(value: Any) -> str:
    """Returns JSON for people, indented."""
    return orjson.dumps(value, default=_default, option=orjson.OPT_INDENT_2).decode()


def decode(value: str | bytes) -> Any:
    """Returns the value of JSON text; numbers with a fraction become `Decimal`."""
    return _DECODER.decode(value if isinstance(value, str) else value.decode())


def plain(value: Any) -> Any:
    """Returns `value` with every `Decimal` as a whole number, or else as a double."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() and value.adjusted() < 18 else float(value)  # noqa: PLR2004 - what 64 bits hold
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    return value


def alike(one: Any, other: Any) -> bool:
    """Tells whether two values are the same JSON; for Python alone `true` is 1."""
    pending = [(one, other)]
    while pending:
        left, right = pending.pop()
        if isinstance(left, Mapping) and isinstance(right, Mapping):
            if left.keys() != right.keys():
                return False
            pending += [(value, right[key]) for key, value in left.items()]
        elif isinstance(left, list) and isinstance(right, list):
            if len(left) != len(right):
                return False
            pending += zip(left, right, strict=True)
        elif left != right or isinstance(left, bool) != isinstance(right, bool):
            return False
    return True


def _default(value: Any) -> Any:
    if isinstance(value, Decimal) and value.is_finite():
        return orjson.Fragment(str(value))
    if isinstance(value, UUID):  # the driver's own subclass of it
        return str(value)
    raise TypeError(f"{value!r} has no JSON form")
