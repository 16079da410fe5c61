"""The filters of templates: the usual ones of Liquid, exact with decimals, and bounded before they grow anything."""

import html
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import nh3
from liquid import Markup, soft_str
from liquid.builtin.filters import array, misc, string
from liquid.exceptions import FilterArgumentError
from liquid.filter import with_context
from liquid.undefined import is_undefined

from channels import formats
from channels.errors import TemplateError
from channels.values import number

HEAVIEST = 256 * 1024
"""Characters and items that a filter takes, and that it returns."""
_MOST_DECIMALS = 20
_MOST_TAGS = 5_000
"""The parser behind it takes quadratic time over nested elements."""


def weigh(value: object) -> int:
    """Returns how many characters and items a value holds, counted no further than is needed to refuse it."""
    total, rest = 0, [value]
    while rest and total <= HEAVIEST:
        item = rest.pop()
        if isinstance(item, str):
            total += len(item)
        elif isinstance(item, range):
            total += max(item.stop - item.start, 0)
        elif isinstance(item, list | tuple):
            total += len(item)
            if total <= HEAVIEST:
                rest.extend(item)
        else:
            total += 1
    return total


def exact(value: object, name: str) -> int | Decimal:
    """Returns a number, also one written as text, as an exact number."""
    if isinstance(value, str):
        try:
            value = Decimal(value.strip())
        except InvalidOperation:
            value = None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise FilterArgumentError(f"{name} needs a number", token=None)
    try:
        return number(value)
    except TemplateError as error:
        raise FilterArgumentError(f"{name}: {error.faults[0].message}", token=None) from error


def _arithmetic(name: str, compute: Callable[[Any, Any], Any]) -> Callable[[object, object], int | Decimal]:
    def apply(value: object, other: object) -> int | Decimal:
        try:
            return exact(compute(exact(value, name), exact(other, name)), name)
        except ArithmeticError as error:
            raise FilterArgumentError(f"{name}: the result is no number", token=None) from error

    return apply


def _divided(left: Decimal | int, right: Decimal | int) -> Decimal | int:
    if isinstance(left, int) and isinstance(right, int):
        return left // right
    return _rounded(Decimal(left) / Decimal(right), _MOST_DECIMALS)


def _times(left: Decimal | int, right: Decimal | int) -> Decimal | int:
    product = left * right
    return product if isinstance(product, int) else _rounded(product, _MOST_DECIMALS)


def _rounded(value: Decimal, decimals: int) -> Decimal:
    exponent = value.as_tuple().exponent
    return value if isinstance(exponent, int) and exponent >= -decimals else round(value, decimals)


def _round(value: object, decimals: object = 0) -> int | Decimal:
    digits = int(exact(decimals, "round"))
    if not 0 <= digits <= _MOST_DECIMALS:
        raise FilterArgumentError(f"round: the count of decimals must be 0 to {_MOST_DECIMALS}", token=None)
    rounded = round(Decimal(exact(value, "round")), digits)
    return rounded if digits else int(rounded)


def _sum(items: object, key: object = None) -> int | Decimal:
    total: int | Decimal = 0
    for item in _list(items, "sum"):
        value = item.get(str(key)) if key is not None and isinstance(item, Mapping) else item
        total += exact(value, "sum")
    return exact(total, "sum")


def _join(items: object, separator: object = " ") -> str:
    parts = [text(item) for item in _list(items, "join")]
    glue = soft_str(separator)
    _refuse_over("join", sum(map(len, parts)) + len(glue) * len(parts))
    return glue.join(parts)


def _replace(value: str, old: object, new: object = "") -> str:
    return _substitute("replace", value, soft_str(old), soft_str(new), -1)


def _replace_first(value: str, old: object, new: object = "") -> str:
    return _substitute("replace_first", value, soft_str(old), soft_str(new), 1)


def _substitute(name: str, value: str, old: str, new: str, count: int) -> str:
    if not old:
        raise FilterArgumentError(f"{name} needs a text to look for", token=None)
    # Markup escapes what is put into it, which makes it at most six times as long
    _refuse_over(name, len(value) + 6 * len(new) * (value.count(old) if count < 0 else 1))
    return value.replace(old, new, count)


def _uniq(items: object, key: object = None) -> list[Any]:
    found: dict[str, Any] = {}
    for item in _list(items, "uniq"):
        value = item.get(str(key)) if key is not None and isinstance(item, Mapping) else item
        found.setdefault(f"{type(value).__name__}:{value}", item)
    return list(found.values())


def _strip_html(value: str) -> str:
    _refuse_crowd("strip_html", value)
    return html.unescape(nh3.clean(value, tags=set()))


@with_context
def _sanitize_html(value: object, *, context: Any) -> str:
    """Keeps harmless HTML (paragraphs, emphasis, lists, links) of a value; plain texts get its words only."""
    if context.autoescape:
        _refuse_crowd("sanitize_html", text(value))
        return Markup(nh3.clean(text(value)))
    return _strip_html(text(value))


def _refuse_crowd(name: str, value: str) -> None:
    if value.count("<") > _MOST_TAGS:
        raise FilterArgumentError(f"{name}: more than {_MOST_TAGS:,} tags", token=None)


def _list(items: object, name: str) -> Sequence[Any]:
    if not isinstance(items, list | tuple | range):
        raise FilterArgumentError(f"{name} needs a list", token=None)
    return items


def _refuse_over(name: str, size: int) -> None:
    if size > HEAVIEST:
        raise FilterArgumentError(f"{name}: more than {HEAVIEST:,} characters or items", token=None)


def text(value: object) -> str:
    """Returns a value as it is written into a text.

    Raises:
        FilterArgumentError: The value is a list, an object or null, which no reader would want to see.
    """
    if isinstance(value, str) or is_undefined(value):
        return value if isinstance(value, str) else str(value)  # the latter raises the error that knows the name
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return text(Decimal(repr(value))) if math.isfinite(value) else "NaN"
    if isinstance(value, Decimal):
        return format(value, "f")
    if value is None:
        raise FilterArgumentError("there is no value here; add `| default: …` or test it with `if`", token=None)
    if isinstance(value, list | tuple | range):
        raise FilterArgumentError("a list cannot be written as text; use a loop or `| join: ', '`", token=None)
    if isinstance(value, Mapping):
        raise FilterArgumentError("an object cannot be written as text; name one of its fields", token=None)
    return str(value)


TEXT_FILTERS: dict[str, Callable[..., Any]] = {
    "append": string.append,
    "base64_decode": string.base64_decode,
    "base64_encode": string.base64_encode,
    "capitalize": string.capitalize,
    "downcase": string.downcase,
    "escape": string.escape,
    "escape_once": string.escape_once,
    "lstrip": string.lstrip,
    "newline_to_br": string.newline_to_br,
    "prepend": string.prepend,
    "remove": string.remove,
    "remove_first": string.remove_first,
    "replace": _replace,
    "replace_first": _replace_first,
    "rstrip": string.rstrip,
    "sanitize_html": _sanitize_html,
    "split": string.split,
    "squish": string.squish,
    "strip": string.strip,
    "strip_html": _strip_html,
    "strip_newlines": string.strip_newlines,
    "truncate": string.truncate,
    "truncatewords": string.truncatewords,
    "upcase": string.upcase,
    "url_decode": string.url_decode,
    "url_encode": string.url_encode,
}
"""Filters that work on text: numbers are written out first, lists and objects refused."""

OTHER_FILTERS: dict[str, Callable[..., Any]] = {
    "abs": lambda value: abs(exact(value, "abs")),
    "at_least": _arithmetic("at_least", max),
    "at_most": _arithmetic("at_most", min),
    "ceil": lambda value: math.ceil(exact(value, "ceil")),
    "compact": array.compact,
    "concat": array.concat,
    "date": formats.date_filter,
    "datetime": formats.datetime_filter,
    "default": misc.default,
    "divided_by": _arithmetic("divided_by", _divided),
    "find": array.find,
    "first": array.first,
    "floor": lambda value: math.floor(exact(value, "floor")),
    "has": array.has,
    "join": _join,
    "last": array.last,
    "map": array.map_,
    "minus": _arithmetic("minus", operator.sub),
    "modulo": _arithmetic("modulo", operator.mod),
    "money": formats.money_filter,
    "number": formats.number_filter,
    "plus": _arithmetic("plus", operator.add),
    "reject": array.reject,
    "reverse": array.reverse,
    "round": _round,
    "size": misc.size,
    "slice": string.slice_,
    "sort": array.sort,
    "sort_natural": array.sort_natural,
    "sum": _sum,
    "time": formats.time_filter,
    "times": _arithmetic("times", _times),
    "uniq": _uniq,
    "where": array.where,
}
"""Filters that work on numbers, dates, lists, or on anything."""

FILTERS = TEXT_FILTERS | OTHER_FILTERS
