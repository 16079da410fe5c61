"""The variables of a template: what they are, and whether given data fits them."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from domain.faults import Fault, escape_pointer


class VariableType(StrEnum):
    """What a variable holds."""

    STRING = "string"
    NUMBER = "number"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    MONEY = "money"
    DATE = "date"
    DATETIME = "datetime"
    URL = "url"
    LIST = "list"
    OBJECT = "object"


class _Absent:
    """The type of `ABSENT`."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = _Absent()
"""Stands for a default or an example that was not given (null is a value)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One variable of a template; `name` may be a path such as `order.total`."""

    name: str
    type: VariableType = VariableType.STRING
    required: bool = True
    default: Any = ABSENT
    example: Any = ABSENT
    description: str = ""


_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z_][A-Za-z0-9_-]*)*")
_LONGEST_NAME = 128
_CURRENCY = re.compile(r"[A-Z]{3}")
_DECIMAL = re.compile(r"-?\d{1,30}(\.\d{1,10})?")


def missing_variables(schema: Sequence[Variable], data: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns the names of required variables that have neither a value nor a default; null counts as missing."""
    return tuple(
        variable.name
        for variable in schema
        if variable.required and variable.default is ABSENT and _lookup(data, variable.name) in (ABSENT, None)
    )


def check_data(schema: Sequence[Variable], data: Mapping[str, Any]) -> tuple[Fault, ...]:
    """Returns what is wrong with the data of a notification: missing variables and values of another type."""
    missing = missing_variables(schema, data)
    faults = [Fault(pointer=_pointer(name), message=f"{name!r} is required by the template") for name in missing]
    for variable in schema:
        value = _lookup(data, variable.name)
        if value is not ABSENT and value is not None and not fits(variable.type, value):
            message = f"{variable.name!r} must be {_EXPECTED[variable.type]}, not {_kind(value)}"
            faults.append(Fault(pointer=_pointer(variable.name), message=message))
    return tuple(faults)


def with_defaults(schema: Sequence[Variable], data: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a copy of the data in which absent (or null) variables have their defaults."""
    filled = dict(data)
    for variable in schema:
        if variable.default is not ABSENT and _lookup(filled, variable.name) in (ABSENT, None):
            _put(filled, variable.name.split("."), variable.default)
    return filled


def check_schema(schema: Sequence[Variable]) -> tuple[Fault, ...]:
    """Returns what is wrong with a schema itself: bad or repeated names, defaults or examples of another type."""
    faults: list[Fault] = []
    seen: set[str] = set()
    for index, variable in enumerate(schema):
        if len(variable.name) > _LONGEST_NAME or not _NAME.fullmatch(variable.name):
            message = (
                f"{variable.name[:_LONGEST_NAME]!r} is no variable name; use letters, digits and '_', dots for paths"
            )
            faults.append(Fault(pointer=f"/{index}/name", message=message))
        if variable.name in seen:
            faults.append(Fault(pointer=f"/{index}/name", message=f"{variable.name!r} is declared twice"))
        seen.add(variable.name)
        for field, value in (("default", variable.default), ("example", variable.example)):
            if value is not ABSENT and not fits(variable.type, value):
                message = f"the {field} of {variable.name!r} must be {_EXPECTED[variable.type]}, not {_kind(value)}"
                faults.append(Fault(pointer=f"/{index}/{field}", message=message))
    return tuple(faults)


def fits(kind: VariableType, value: object) -> bool:
    """Tells whether a JSON value is of the type."""
    return _FITS[kind](value)


def _lookup(data: Mapping[str, Any], name: str) -> Any:
    found: Any = data
    for part in name.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return ABSENT
        found = found[part]
    return found


def _put(data: dict[str, Any], path: list[str], value: object) -> None:
    for part in path[:-1]:
        inner = data.get(part)
        if inner is not None and not isinstance(inner, Mapping):
            return  # the data holds something else here; check_data tells
        data[part] = dict(inner or {})
        data = data[part]
    data[path[-1]] = value


def _pointer(name: str) -> str:
    return "".join(f"/{escape_pointer(part)}" for part in name.split("."))


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return False
    return isinstance(value, int) or Decimal(str(value)).is_finite()


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_money(value: object) -> bool:
    if not isinstance(value, Mapping) or set(value) != {"amount", "currency"}:
        return False
    amount, currency = value["amount"], value["currency"]
    if not isinstance(currency, str) or not _CURRENCY.fullmatch(currency):
        return False
    return bool(_DECIMAL.fullmatch(amount)) if isinstance(amount, str) else _is_number(amount)


def _is_date(value: object) -> bool:
    if isinstance(value, str):
        return _parses(date.fromisoformat, value)
    return isinstance(value, date) and not isinstance(value, datetime)


def _is_datetime(value: object) -> bool:
    if isinstance(value, str):
        return "T" in value.upper().replace(" ", "T") and _parses(datetime.fromisoformat, value)
    return isinstance(value, datetime)


def _parses(parse: Callable[[str], object], text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True


def _is_url(value: object) -> bool:
    if not isinstance(value, str) or any(character.isspace() for character in value):
        return False
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "a boolean"
    for types, name in ((str, "a string"), (int | float | Decimal, "a number"), (Mapping, "an object")):
        if isinstance(value, types):
            return name
    return "null" if value is None else "a list" if isinstance(value, list | tuple) else "something else"


_FITS: dict[VariableType, Callable[[object], bool]] = {
    VariableType.STRING: lambda value: isinstance(value, str),
    VariableType.NUMBER: _is_number,
    VariableType.INTEGER: _is_integer,
    VariableType.BOOLEAN: lambda value: isinstance(value, bool),
    VariableType.MONEY: _is_money,
    VariableType.DATE: _is_date,
    VariableType.DATETIME: _is_datetime,
    VariableType.URL: _is_url,
    VariableType.LIST: lambda value: isinstance(value, list | tuple),
    VariableType.OBJECT: lambda value: isinstance(value, Mapping),
}

_EXPECTED = {
    VariableType.STRING: "a string",
    VariableType.NUMBER: "a number",
    VariableType.INTEGER: "a whole number",
    VariableType.BOOLEAN: "true or false",
    VariableType.MONEY: 'an object like {"amount": "12.50", "currency": "INR"}',
    VariableType.DATE: "a date like '2026-01-31'",
    VariableType.DATETIME: "a date and time like '2026-01-31T09:00:00+05:30'",
    VariableType.URL: "a link that starts with http:// or https://",
    VariableType.LIST: "a list",
    VariableType.OBJECT: "an object",
}
