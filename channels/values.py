"""Data on its way into a template: JSON only, numbers exact and of bearable size."""

import math
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from channels.errors import refused
from domain.faults import escape_pointer

DEEPEST = 32
MOST_DIGITS = 40


def plain(data: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a copy of the data made of plain JSON values, dates and exact decimals.

    Raises:
        TemplateError: A value is no JSON, too deep, not a finite number, too large a number, or broken Unicode.
    """
    if not isinstance(data, Mapping):
        raise refused("the data must be an object", "/data")
    return {_key(key, "/data"): _plain(value, f"/data/{escape_pointer(str(key))}", 1) for key, value in data.items()}


def _plain(value: Any, pointer: str, depth: int) -> Any:
    if depth > DEEPEST:
        raise refused(f"the data is nested deeper than {DEEPEST} levels", pointer)
    if isinstance(value, str):
        return _text(value, pointer)
    if value is None or isinstance(value, bool | datetime | date):
        return value
    if isinstance(value, int | float | Decimal):
        return number(value, pointer)
    if isinstance(value, Mapping):
        inner = ((_key(key, pointer), key, item) for key, item in value.items())
        return {name: _plain(item, f"{pointer}/{escape_pointer(str(key))}", depth + 1) for name, key, item in inner}
    if isinstance(value, list | tuple):
        return [_plain(item, f"{pointer}/{index}", depth + 1) for index, item in enumerate(value)]
    raise refused(f"{type(value).__name__} is no JSON value", pointer)


def number(value: float | Decimal, pointer: str = "") -> int | Decimal:
    """Returns the number as an int or an exact decimal of at most 40 digits on each side of the point.

    Raises:
        TemplateError: The number is not finite or has too many digits.
    """
    exact = value if isinstance(value, int) else _decimal(value)
    if exact is None:
        raise refused("the number is not finite", pointer)
    if isinstance(exact, int):
        fitting = abs(exact) < 10**MOST_DIGITS
    else:
        exponent = exact.as_tuple().exponent
        fitting = isinstance(exponent, int) and abs(exponent) <= MOST_DIGITS and exact.adjusted() < MOST_DIGITS
    if not fitting:
        raise refused(f"the number has more than {MOST_DIGITS} digits", pointer)
    return exact


def _decimal(value: float | Decimal) -> Decimal | None:
    if isinstance(value, Decimal):
        return value if value.is_finite() else None
    return Decimal(repr(float(value))) if math.isfinite(value) else None


def _key(key: object, pointer: str) -> str:
    if not isinstance(key, str):
        raise refused("the names of an object's fields must be texts", pointer)
    return _text(key, pointer)


def _text(value: str, pointer: str) -> str:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise refused("the text holds half of a surrogate pair", pointer) from error
    # a plain str, whatever subclass came in: one that calls itself safe for HTML must not get past the escaping
    return value if type(value) is str else str.__str__(value)
