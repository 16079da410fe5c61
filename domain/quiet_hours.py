"""When somebody is left alone, in their own time, and when what was held meanwhile is let go.

Quiet begins when the clock first shows its `start` and ends when it shows no time before its `end` any more, so that
nothing goes out at a time inside it, also where a clock is set back.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from hashlib import sha256
from zoneinfo import ZoneInfo

from domain.calendar import EVERY_WEEKDAY, at_local, passed_local, zone_of
from domain.holidays import NO_HOLIDAYS, Holidays

_DAY = timedelta(days=1)
_LONGEST = timedelta(days=366)
_PARTS = 2**32
_NEARLY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """When somebody is left alone, in local time; a `start` that is not before the `end` means over midnight.

    Attributes:
        weekdays: The days on which it begins, from Monday, which is 0.
    """

    start: time
    end: time
    weekdays: frozenset[int] = EVERY_WEEKDAY

    @property
    def is_always(self) -> bool:
        """Tells whether it is never over."""
        return self.start == self.end and self.weekdays == EVERY_WEEKDAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Peace:
    """Quiet hours of one zone, and the holidays on which it is quiet the whole day."""

    hours: QuietHours
    zone: ZoneInfo
    holidays: Holidays = NO_HOLIDAYS

    def until(self, instant: datetime) -> datetime | None:
        """Returns when the quiet around `instant` is over, or None where it is not quiet.

        The first instant is quiet, the last one is not any more; quiet that goes over into other quiet is one.

        Raises:
            ValueError: It is not over within a year.
        """
        end = instant
        while (later := self._end(end)) is not None:
            end = later
            if end - instant > _LONGEST:
                raise ValueError("the quiet hours and holidays are not over within a year")
        return None if end == instant else end

    def released(self, instant: datetime, spread: timedelta, one: str) -> datetime | None:
        """Returns when what is due at `instant` is let go, or None where it is not quiet.

        What was held is spread over a while by the name of each one, but never into the next quiet.
        """
        end = self.until(instant)
        if end is None or not spread:
            return end
        part = int.from_bytes(sha256(one.encode()).digest()[:4]) / _PARTS
        return end + timedelta(seconds=int(part * self.open_for(end, spread).total_seconds()))

    def open_for(self, end: datetime, most: timedelta) -> timedelta:
        """Returns how long it is not quiet after the end of some quiet, `most` at the longest."""
        day, last = end.astimezone(self.zone).date() - _DAY, (end + most).astimezone(self.zone).date()
        begins = [begin for begin, _ in self._spans(day, last) if end < begin < end + most]
        return min(begins, default=end + most) - end

    def _end(self, instant: datetime) -> datetime | None:
        today = instant.astimezone(self.zone).date()  # where midnight is set back, the next day may have begun before
        ends = [ends for begin, ends in self._spans(today - 2 * _DAY, today + _DAY) if begin <= instant < ends]
        return max(ends, default=None)

    def _spans(self, first: date, last: date) -> list[tuple[datetime, datetime]]:
        """Returns when the quiet that begins on some days begins and ends."""
        found = []
        start, end = self.hours.start, self.hours.end
        for number in range((last - first).days + 1):
            day = first + number * _DAY
            if day in self.holidays:
                found.append((at_local(day, time(0), self.zone), passed_local(day + _DAY, time(0), self.zone)))
            if day.weekday() in self.hours.weekdays:
                until = day if end > start else day + _DAY
                found.append((at_local(day, start, self.zone), passed_local(until, end, self.zone)))
        return found


class InQuiet(StrEnum):
    """What becomes of a message that is due in quiet hours."""

    HOLD = "hold"
    HOLD_SERIES = "hold_series"
    SKIP = "skip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """Hours in which the recipient is left alone, and what becomes of messages that are due in them.

    Attributes:
        spread: Over how long what was held is let go afterwards.
        holidays: The calendar whose days are quiet from midnight to midnight.
    """

    hours: QuietHours
    mode: InQuiet = InQuiet.HOLD_SERIES
    spread: timedelta = timedelta(0)
    holidays: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """Quiet hours as they go with a message, to be asked whenever it is about to be sent.

    Attributes:
        one: The name by which its part of the spread is found.
        zone: Whose clock counts; None means the recipient's, as it is then.
    """

    quiet: Quiet
    one: str
    zone: str | None = None

    def until(self, now: datetime, zone: str | None, calendars: Mapping[str, Holidays]) -> datetime | None:
        """Returns until when a message is held, or None where it may go.

        A calendar that is gone has no days, and a zone that nobody knows is UTC: a message is never lost for them.
        """
        holidays = calendars.get(self.quiet.holidays or "", NO_HOLIDAYS)
        peace = Peace(hours=self.quiet.hours, zone=_known(self.zone or zone), holidays=holidays)
        try:
            return peace.released(now, self.quiet.spread, self.one)
        except ValueError:  # days without an end, as a calendar stands now: somebody may still mend it
            return now + _DAY

    def leaves_out(self, until: datetime, now: datetime) -> bool:
        """Tells whether a message that is held until an instant is not sent at all; what is nearly over is waited for.

        Two clocks may disagree about whether a message that was due at the end came before it.
        """
        return self.quiet.mode is InQuiet.SKIP and until - now > _NEARLY


def _known(zone: str | None) -> ZoneInfo:
    try:
        return zone_of(zone or "UTC")
    except ValueError:
        return zone_of("UTC")
