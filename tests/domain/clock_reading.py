"""Local time by reading clocks at instants, which is all that it asks of a zone: no fold, no arithmetic of dates.

What a clock shows is known in pieces between changes of its offset, which are found by reading it again and again.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from importlib import resources
from io import BytesIO
from itertools import pairwise
from zoneinfo import ZoneInfo

from domain.calendar import zone_of

DAY = timedelta(days=1)
AROUND = 6 * DAY


def ahead(instant: datetime, zone: ZoneInfo) -> timedelta:
    """Returns how far a clock is ahead of UTC."""
    return instant.astimezone(zone).utcoffset() or timedelta(0)


@dataclass(frozen=True, slots=True)
class Piece:
    """A time in which a clock goes on evenly."""

    begin: datetime
    end: datetime
    ahead: timedelta


def every_change(name: str) -> tuple[datetime, ...]:
    """Returns when the clocks of a zone were and will be set."""
    return _changes_of(zone_file(name))


def zone_file(name: str) -> bytes:
    """Returns the file that describes a zone."""
    return resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()


@lru_cache(maxsize=4096)
def _changes_of(content: bytes) -> tuple[datetime, ...]:
    """Returns the changes of the zone that a file describes; many names are one zone."""
    begin, end = datetime(1970, 1, 1, tzinfo=UTC), datetime(2037, 12, 25, tzinfo=UTC)
    return tuple(_changes(ZoneInfo.from_file(BytesIO(content)), begin, end, 8 * DAY))


def _changes(zone: ZoneInfo, begin: datetime, end: datetime, step: timedelta) -> list[datetime]:
    found, before = [], ahead(begin, zone)
    while begin < end:
        later = min(begin + step, end)
        if (after := ahead(later, zone)) != before:
            low, high = begin, later
            while high - low > timedelta(seconds=1):
                middle = (low + (high - low) // 2).replace(microsecond=0)
                low, high = (middle, high) if ahead(middle, zone) == before else (low, middle)
            found.append(high)
        begin, before = later, after
    return found


class Clock:
    """A clock of one zone around one instant."""

    def __init__(self, name: str, around: datetime) -> None:
        zone = zone_of(name)
        begin, end = around.replace(microsecond=0) - AROUND, around.replace(microsecond=0) + AROUND
        known = every_change(name)
        edges = [begin, *known[bisect_right(known, begin) : bisect_left(known, end)], end]
        self.pieces = [Piece(one, other, ahead(one, zone)) for one, other in pairwise(edges) if one < other]

    def reads(self, instant: datetime) -> datetime:
        """Returns what it shows."""
        (piece,) = [one for one in self.pieces if one.begin <= instant < one.end]
        return instant.replace(tzinfo=None) + piece.ahead

    def first(self, wanted: datetime) -> datetime:
        """Returns the first instant at which it has come to a time."""
        for one in self.pieces:
            instant = wanted.replace(tzinfo=UTC) - one.ahead
            if instant < one.end:
                return max(one.begin, instant)
        raise LookupError(wanted)

    def last(self, wanted: datetime) -> datetime:
        """Returns the instant from which on it is not before a time any more."""
        for one in reversed(self.pieces):
            instant = wanted.replace(tzinfo=UTC) - one.ahead
            if instant > one.begin:
                return min(one.end, instant)
        raise LookupError(wanted)


def is_inside(reading: datetime, start: time, end: time, weekdays: frozenset[int]) -> bool:
    """Tells whether a clock shows a time inside quiet hours, by its face and the day of the week alone."""
    today, before = reading.weekday() in weekdays, (reading.weekday() - 1) % 7 in weekdays
    at = reading.time()
    if start < end:
        return today and start <= at < end
    return (today and at >= start) or (before and at < end)


def spans(clock: Clock, around: datetime, start: time, end: time, weekdays: frozenset[int]) -> Sequence[list[datetime]]:
    """Returns the quiet of some days, what touches joined, in order."""
    middle = clock.reads(around).date()
    found: list[list[datetime]] = []
    for number in range(-4, 5):
        day = middle + number * DAY
        if day.weekday() in weekdays:
            until = datetime.combine(day if start < end else day + DAY, end)
            found.append([clock.first(datetime.combine(day, start)), clock.last(until)])
    joined: list[list[datetime]] = []
    for begin, over in sorted(one for one in found if one[0] < one[1]):
        if joined and begin <= joined[-1][1]:
            joined[-1][1] = max(joined[-1][1], over)
        else:
            joined.append([begin, over])
    return joined
