"""Filters that write dates, times, numbers and money in the recipient's language and zone."""

import re
from collections.abc import Mapping
from copy import copy
from datetime import date, datetime, time, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol

from babel import Locale
from babel.dates import format_date, format_datetime, format_skeleton, format_time
from babel.numbers import format_currency, format_decimal, is_currency, parse_pattern
from liquid.exceptions import FilterArgumentError
from liquid.filter import with_context

from channels.scope import Scope, babel_locale, time_zone
from channels.values import number as exact_number

_NAMED = ("short", "medium", "long", "full")
_SKELETON = re.compile(r"[A-Za-z]*([A-Za-z])(?!\1)[A-Za-z]+")
_PATTERN = re.compile(r"(?:[GyYuUrQqMLlwWdDFgEecabBhHKkmsSAzZOvVXx]|'[^']*'|[^A-Za-z'])+")
_STRFTIME = re.compile(r"%-?[A-Za-z%]")
_DIRECTIVES = {
    "d": "dd", "-d": "d", "e": "d", "m": "MM", "-m": "M", "B": "MMMM", "b": "MMM", "h": "MMM", "Y": "y", "y": "yy",
    "A": "EEEE", "a": "EEE", "H": "HH", "-H": "H", "k": "H", "I": "hh", "-I": "h", "l": "h", "M": "mm", "-M": "m",
    "S": "ss", "-S": "s", "p": "a", "P": "a", "j": "DDD", "-j": "D", "Z": "zzz", "z": "xx", "F": "y-MM-dd",
    "T": "HH:mm:ss", "R": "HH:mm", "%": "%",
}  # fmt: skip
_MOST_DECIMALS = 20


class _Context(Protocol):
    """The part of a rendering's context that these filters read."""

    carillon: Scope


def _conventions(context: _Context, locale: object) -> Locale:
    return babel_locale(str(locale) if locale else context.carillon.locale)


def _zone(context: _Context, zone: object) -> tzinfo:
    return time_zone(str(zone)) if zone else context.carillon.zone


@with_context
def date_filter(
    value: Any, style: object = "medium", *, context: _Context, zone: object = None, locale: object = None
) -> str:
    """Writes a date: `short`, `medium`, `long`, `full`, a strftime format, or a pattern such as `d MMM y`."""
    moment = _moment(value, _zone(context, zone))
    conventions = _conventions(context, locale)
    if style in _NAMED:
        return format_date(moment, str(style), locale=conventions)
    return _custom(moment, str(style), conventions)


@with_context
def time_filter(
    value: Any, style: object = "short", *, context: _Context, zone: object = None, locale: object = None
) -> str:
    """Writes the time of day, with the same styles as `date`."""
    moment = _with_time(_moment(value, _zone(context, zone)), "time")
    conventions = _conventions(context, locale)
    if style in _NAMED:
        return format_time(moment, str(style), tzinfo=moment.tzinfo, locale=conventions)
    return _custom(moment, str(style), conventions)


@with_context
def datetime_filter(
    value: Any, style: object = "medium", *, context: _Context, zone: object = None, locale: object = None
) -> str:
    """Writes date and time, with the same styles as `date`."""
    moment = _with_time(_moment(value, _zone(context, zone)), "datetime")
    conventions = _conventions(context, locale)
    if style in _NAMED:
        return format_datetime(moment, str(style), tzinfo=moment.tzinfo, locale=conventions)
    return _custom(moment, str(style), conventions)


@with_context
def number_filter(value: Any, decimals: object = None, *, context: _Context, locale: object = None) -> str:
    """Writes a number with the language's separators, with a fixed count of decimals where one is given."""
    conventions = _conventions(context, locale)
    exact = _exact(value, "number")
    if decimals is None:
        return format_decimal(exact, locale=conventions, decimal_quantization=False)
    if not isinstance(decimals, int) or not 0 <= decimals <= _MOST_DECIMALS:
        raise FilterArgumentError(f"number: the count of decimals must be 0 to {_MOST_DECIMALS}", token=None)
    pattern = copy(parse_pattern(conventions.decimal_formats[None]))  # babel hands out its own, shared by everybody
    pattern.frac_prec = (decimals, decimals)
    return str(pattern.apply(exact, conventions))


@with_context
def money_filter(value: Any, currency: object = None, *, context: _Context, locale: object = None) -> str:
    """Writes an amount of money; the value is a number with a currency beside it, or an object with both."""
    amount = value
    if isinstance(value, Mapping):
        amount, currency = value.get("amount"), value.get("currency", currency)
    if not isinstance(currency, str) or not is_currency(currency):
        message = "money: give the currency as three letters, as in `total | money: 'INR'`"
        raise FilterArgumentError(message, token=None)
    return format_currency(_exact(amount, "money"), str(currency), locale=_conventions(context, locale))


def _exact(value: Any, name: str) -> int | Decimal:
    if isinstance(value, str):
        try:
            value = Decimal(value.strip())
        except InvalidOperation:
            value = None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise FilterArgumentError(f"{name}: the value is no number", token=None)
    return exact_number(value)


def _moment(value: Any, zone: tzinfo) -> date | datetime:
    if isinstance(value, int) and not isinstance(value, bool):
        return datetime.fromtimestamp(value, tz=zone)
    if isinstance(value, str):
        value = _parsed(value.strip())
    if isinstance(value, datetime):
        return value.replace(tzinfo=zone) if value.tzinfo is None else value.astimezone(zone)
    if isinstance(value, date):
        return value
    raise FilterArgumentError(
        "the value is no date; write it like '2026-01-31' or '2026-01-31T09:00:00+05:30'", token=None
    )


def _parsed(text: str) -> date | datetime | None:
    for parse in (date.fromisoformat, datetime.fromisoformat):
        try:
            return parse(text)
        except ValueError:
            continue
    return None


def _with_time(moment: date | datetime, name: str) -> datetime:
    if not isinstance(moment, datetime):
        raise FilterArgumentError(f"{name}: the value is a date without a time", token=None)
    return moment


def _custom(moment: date | datetime, style: str, locale: Locale) -> str:
    if isinstance(moment, datetime):
        whole, zone = moment, moment.tzinfo
    else:
        whole, zone = datetime.combine(moment, time()), None
    try:
        if "%" in style:
            return format_datetime(whole, _from_strftime(style), tzinfo=zone, locale=locale)
        if _SKELETON.fullmatch(style):
            return format_skeleton(style, whole, tzinfo=zone, fuzzy=False, locale=locale)
        if _PATTERN.fullmatch(style):
            return format_datetime(whole, style, tzinfo=zone, locale=locale)
    except KeyError:
        pass  # the language has no such skeleton
    raise FilterArgumentError("the format is unknown; use 'long', '%d %B %Y', 'd MMM y' or 'yMMMd'", token=None)


def _from_strftime(style: str) -> str:
    """Returns the strftime format as a pattern, so that names of days and months come in the recipient's language."""
    parts, end = [], 0
    for found in _STRFTIME.finditer(style):
        parts += [_quoted(style[end : found.start()]), _directive(found.group())]
        end = found.end()
    return "".join([*parts, _quoted(style[end:])])


def _directive(directive: str) -> str:
    if directive[1:] not in _DIRECTIVES:
        raise FilterArgumentError(f"{directive} is not supported in a date format", token=None)
    return _DIRECTIVES[directive[1:]]


def _quoted(text: str) -> str:
    if not any(character.isalpha() or character == "'" for character in text):
        return text
    return "'" + text.replace("'", "''") + "'"
