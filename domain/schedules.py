"""Schedules: when they are due, in somebody's zone, and what their runs say; plain arithmetic without a clock.

A run at a time of day that its zone skips comes with the first instant after the gap; at one that it has twice it comes
with the first of both. What comes in every hour follows the clock instead: it leaves out what does not exist and comes
twice where an hour does.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from heapq import merge
from itertools import takewhile
from typing import Any, assert_never
from zoneinfo import ZoneInfo

from domain import cron, durations
from domain.calendar import at_local, zone_of
from domain.cron import Cron
from domain.holidays import Holidays, read

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# Two leap days lie eight years apart at most.
_FAR = timedelta(days=366 * 8 + 2)
_DAY = timedelta(days=1)


class ScheduleStatus(StrEnum):
    """Where a schedule stands."""

    ACTIVE = "active"
    PAUSED = "paused"
    ENDED = "ended"


class RunStatus(StrEnum):
    """Where a run stands: `missed` was never made, `failed` could not be made or go on."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    MISSED = "missed"


class Overlap(StrEnum):
    """What becomes of a run that is due while the one before is under way."""

    SKIP = "skip"
    BUFFER_ONE = "buffer_one"
    ALLOW = "allow"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleInput:
    """A run to be made: of the schedule's clock, which says itself when it was due, or of one row.

    Attributes:
        scheduled_at: When it was due, where somebody else than the clock starts it.
        run_id: Which run it is, where somebody triggered it.
        steps: After how many its workflow goes on as a new run with an empty history.
    """

    tenant_id: str
    schedule_id: str
    scheduled_at: str | None = None
    run_id: str | None = None
    steps: int = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Stepped:
    """What a step of a run came to: whether more follows, and how far it is."""

    more: bool
    shown: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """When a schedule is due: by cron expressions in a zone, or once.

    Attributes:
        jitter: How much later than it was due a run may begin.
        without_dates: Days of the zone without runs.
        without_weekdays: From Monday, which is 0.
        holidays: The days off of calendars, on which nothing runs either.
    """

    crons: tuple[Cron, ...] = ()
    zone: str = "UTC"
    at: datetime | None = None
    start_at: datetime | None = None
    end_at: datetime | None = None
    jitter: timedelta = timedelta(0)
    without_dates: frozenset[date] = field(default_factory=frozenset)
    without_weekdays: frozenset[int] = field(default_factory=frozenset)
    holidays: tuple[Holidays, ...] = ()

    def leaves_out(self, day: date) -> bool:
        """Tells whether nothing runs on a day of the zone."""
        if day in self.without_dates or day.weekday() in self.without_weekdays:
            return True
        return any(day in one for one in self.holidays)


def spec_of(document: Mapping[str, Any], calendars: Mapping[str, Sequence[str]] | None = None) -> Spec:
    """Returns a spec as it is stored, with the days of the calendars that it names; one that is gone has none.

    What was parsed at the edge is not checked again.
    """
    written = document.get("cron", ())
    without = document.get("except", {})
    return Spec(
        crons=tuple(cron.parse(one) for one in ([written] if isinstance(written, str) else written)),
        zone=document.get("zone", "UTC"),
        at=_moment(document.get("at")),
        start_at=_moment(document.get("start_at")),
        end_at=_moment(document.get("end_at")),
        jitter=durations.parse(document["jitter"]).exact if "jitter" in document else timedelta(0),
        without_dates=frozenset(date.fromisoformat(one) for one in without.get("dates", ())),
        without_weekdays=frozenset(DAYS.index(one) for one in without.get("weekdays", ())),
        holidays=tuple(read((calendars or {}).get(name, ())) for name in calendars_of(document)),
    )


def calendars_of(document: Mapping[str, Any]) -> Sequence[str]:
    """Returns the names of the calendars whose days a spec leaves out."""
    names: Sequence[str] = document.get("except", {}).get("calendars", ())
    return names


def instants(spec: Spec, after: datetime) -> Iterator[datetime]:
    """Yields the instants after a moment at which a schedule is due, in order, for the next eight years."""
    if spec.at is not None:
        yield from (one for one in (spec.at,) if one > after)
        return
    zone = zone_of(spec.zone)
    begin = max(after, spec.start_at - timedelta(microseconds=1)) if spec.start_at else after
    end = min(begin + _FAR, spec.end_at) if spec.end_at else begin + _FAR
    former = begin
    for instant in takewhile(lambda one: one <= end, merge(*(_of(one, spec, begin, zone) for one in spec.crons))):
        if instant > former:
            yield instant
            former = instant


def _of(one: Cron, spec: Spec, begin: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    # From the day before: what a gap moves on may come on the day after its own.
    day = begin.astimezone(zone).date() - _DAY
    last = day + _FAR + 2 * _DAY
    while day <= last:
        if one.takes(day) and not spec.leaves_out(day):
            if one.is_hourly:
                yield from sorted(instant for at in one.times for instant in _readings(day, at, zone))
            else:
                yield from (at_local(day, at, zone) for at in one.times)
        day += _DAY


def _readings(day: date, at: time, zone: ZoneInfo) -> set[datetime]:
    """Returns the instants at which clocks of a zone show a local time: none, one or two."""
    local = datetime.combine(day, at)
    found = {local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return {one for one in found if one.astimezone(zone).replace(tzinfo=None) == local}


def left_out(overlap: Overlap, unmade: Sequence[datetime]) -> Sequence[datetime]:
    """Returns which of the instants that passed during a run are left out, by what overlapping does."""
    match overlap:
        case Overlap.SKIP:
            return unmade
        case Overlap.BUFFER_ONE:
            return unmade[1:]
        case Overlap.ALLOW:
            return ()
        case _ as never:
            assert_never(never)


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None
