"""Cron expressions of five fields, read strictly: what is wrong is said, nothing is guessed."""

from dataclasses import dataclass
from datetime import date, time
from functools import lru_cache

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_LONGEST = 200
_HOURS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """The values that each field takes; weekdays count from Monday, which is 0.

    Attributes:
        times: The times of day, in order.
        is_hourly: Whether it takes every hour, so that it follows the clock and not the day.
    """

    times: tuple[time, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    is_hourly: bool

    def takes(self, day: date) -> bool:
        """Tells whether there are runs on a day."""
        return day.month in self.months and day.day in self.days and day.weekday() in self.weekdays


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    name: str
    lowest: int
    highest: int
    words: tuple[str, ...] = ()
    first_word: int = 0


_MINUTE = _Field(name="minute", lowest=0, highest=59)
_HOUR = _Field(name="hour", lowest=0, highest=23)
_DAY = _Field(name="day of the month", lowest=1, highest=31)
_MONTH = _Field(name="month", lowest=1, highest=12, words=_MONTHS, first_word=1)
_WEEKDAY = _Field(name="weekday", lowest=0, highest=7, words=_DAYS)
_FIELDS = (_MINUTE, _HOUR, _DAY, _MONTH, _WEEKDAY)


@lru_cache(maxsize=1024)
def parse(text: str) -> Cron:
    """Returns what an expression means.

    Raises:
        ValueError: It is no cron expression of five fields, or one that is read differently in different places.
    """
    parts = text.split()
    if len(text) > _LONGEST or len(parts) != len(_FIELDS):
        raise ValueError(
            f"{text[:60]!r} has {len(parts)} fields; write five: minute, hour, day of the month, month, weekday"
        )
    minutes, hours, days, months, weekdays = (_values(part, one) for part, one in zip(parts, _FIELDS, strict=True))
    if len(days) < _DAY.highest and len(weekdays) < _WEEKDAY.highest:
        raise ValueError(
            f"{text!r} names days of the month and weekdays, which some read as 'or' and some as 'and'; "
            "write two expressions, or leave weekdays out by `except`"
        )
    found = Cron(
        times=tuple(time(hour, minute) for hour in sorted(hours) for minute in sorted(minutes)),
        days=days,
        months=months,
        weekdays=frozenset((day - 1) % 7 for day in weekdays),
        is_hourly=len(hours) == _HOURS,
    )
    if not any(day <= _longest(month) for day in days for month in months):
        raise ValueError(f"{text!r} never comes: no such month has such a day")
    return found


def _values(text: str, one: _Field) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        found |= _range(part, one)
    return frozenset(value % 7 if one is _WEEKDAY else value for value in found)


def _range(part: str, one: _Field) -> set[int]:
    bounds, slash, step = part.partition("/")
    first, dash, last = bounds.partition("-")
    if slash and not (step.isascii() and step.isdecimal() and int(step) > 0):
        raise ValueError(f"{part!r} is no {one.name}: after the slash stands how many are passed, 1 or more")
    if bounds == "*":
        low, high = one.lowest, one.highest if one is not _WEEKDAY else one.highest - 1
    else:
        low = _value(first, part, one)
        high = _value(last, part, one) if dash else one.highest if slash else low
        # A week that is named from a day to Sunday ends with it.
        high = one.highest if one is _WEEKDAY and dash and not high else high
    if high < low:
        raise ValueError(f"{part!r} is no {one.name}: it ends before it begins; write two ranges with a comma")
    return set(range(low, high + 1, int(step or 1)))


def _value(text: str, part: str, one: _Field) -> int:
    word = text.lower()
    if word in one.words:
        return one.words.index(word) + one.first_word
    if text.isascii() and text.isdecimal() and one.lowest <= int(text) <= one.highest:
        return int(text)
    known = f", or {one.words[0]} to {one.words[-1]}" if one.words else ""
    raise ValueError(f"{part!r} is no {one.name}; it goes from {one.lowest} to {one.highest}{known}")


def _longest(month: int) -> int:
    february, short = 2, {4, 6, 9, 11}
    return 29 if month == february else 30 if month in short else 31
