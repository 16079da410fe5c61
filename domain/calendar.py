"""Instants in somebody's zone: pure arithmetic that gives the same answer wherever and whenever it runs.

A local time that a zone skips means the first instant after the gap; one that it has twice means the first of both.
Zones come from the `tzdata` package, never from the machine, so that a workflow that is replayed elsewhere agrees.
"""

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from importlib import resources
from zoneinfo import ZoneInfo

from domain.durations import Span
from domain.holidays import NO_HOLIDAYS, Holidays

_SECOND = timedelta(seconds=1)
_ZONE_NAME_PARTS = 3
_FIRST_YEAR, _LAST_YEAR = 1970, 2200
_MOST_DAYS = 3660
EVERY_WEEKDAY = frozenset(range(7))


@lru_cache(maxsize=1024)
def zone_of(name: str) -> ZoneInfo:
    """Returns an IANA time zone.

    Raises:
        ValueError: There is none of this name.
    """
    parts = name.split("/")
    safe = len(parts) <= _ZONE_NAME_PARTS and all(part and part.replace("_", "").isascii() for part in parts)
    if safe and ".." not in name:
        try:
            place = resources.files("tzdata").joinpath("zoneinfo", *parts)
            with place.open("rb") as file:
                return ZoneInfo.from_file(file, key=name)
        except (OSError, ValueError):
            pass
    raise ValueError(f"{name[:60]!r} is no time zone; write one like 'Asia/Kolkata' or 'UTC'")


def is_in_reach(instant: datetime) -> bool:
    """Tells whether an instant that somebody wrote is one that calendars, databases and people still agree on."""
    return _FIRST_YEAR < instant.year < _LAST_YEAR


def at_local(day: date, at: time, zone: ZoneInfo) -> datetime:
    """Returns the instant, in UTC, at which clocks of `zone` show a local time."""
    local = datetime.combine(day, at.replace(tzinfo=None))
    first = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if first.astimezone(zone).replace(tzinfo=None) == local:
        return first
    return _after_gap(local, zone)


def passed_local(day: date, at: time, zone: ZoneInfo) -> datetime:
    """Returns the instant, in UTC, from which on clocks of `zone` show no time before a local one any more."""
    local = datetime.combine(day, at.replace(tzinfo=None))
    last = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    before = last - timedelta.resolution
    is_even = before.astimezone(zone).replace(tzinfo=None) == local - timedelta.resolution
    return last if is_even and last.astimezone(zone).replace(tzinfo=None) == local else at_local(day, at, zone)


def _after_gap(local: datetime, zone: ZoneInfo) -> datetime:
    """Returns the first instant after a gap: where the offset changes between the two readings of a skipped time."""
    before = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    offset = before.astimezone(zone).utcoffset()
    low, high = 0, (local.replace(tzinfo=zone, fold=0).astimezone(UTC) - before) // _SECOND
    while high - low > 1:
        middle = (low + high) // 2
        is_before = (before + middle * _SECOND).astimezone(zone).utcoffset() == offset
        low, high = (middle, high) if is_before else (low, middle)
    return (before + high * _SECOND).replace(microsecond=0)


def shift(instant: datetime, span: Span, zone: ZoneInfo) -> datetime:
    """Returns the instant that lies `span` later: months and days on the calendar of `zone`, the rest exactly."""
    if span.is_exact:
        return instant.astimezone(UTC) + span.exact
    local = instant.astimezone(zone)
    day = _add_months(local.date(), span.months) + timedelta(days=span.days)
    return at_local(day, local.time(), zone) + span.exact


def _add_months(day: date, months: int) -> date:
    if not months:
        return day
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def next_local(
    after: datetime,
    at: time,
    zone: ZoneInfo,
    weekdays: frozenset[int] = EVERY_WEEKDAY,
    holidays: Holidays = NO_HOLIDAYS,
) -> datetime:
    """Returns the next instant strictly after `after` at which clocks of `zone` show `at` on one of `weekdays`.

    Weekdays count from Monday, which is 0; a holiday is none of them.

    Raises:
        ValueError: No such day comes within years.
    """
    today = after.astimezone(zone).date()
    for number in range(-1, _MOST_DAYS):
        day = today + timedelta(days=number)
        if day.weekday() in weekdays and day not in holidays and (instant := at_local(day, at, zone)) > after:
            return instant
    raise ValueError("no day without a holiday comes within ten years")
