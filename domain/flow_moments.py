"""When the waits and rounds of a series are due: computed from what they count from, each time they are asked for."""

from datetime import datetime, time
from itertools import islice, takewhile
from typing import assert_never

from domain.calendar import at_local, next_local, shift, zone_of
from domain.calendar_rules import occurrences
from domain.durations import Span
from domain.flow_state import Rounds, SeriesState
from domain.flow_steps import For, Moment, NextLocal, Repeat, Until
from domain.holidays import holidays_of
from domain.quiet_hours import Peace, Quiet


class MissingAnchorError(LookupError):
    """A series has no date of the name that a wait counts from."""


def _anchor(moment: Until, state: SeriesState) -> datetime:
    found = state.anchors.get(moment.anchor or "")
    if found is None:
        raise MissingAnchorError(f"the series has no date {moment.anchor!r}; give it one")
    return found


def moment_of(moment: Moment, state: SeriesState) -> datetime:
    """Returns the instant that a moment means for a series as it stands.

    Raises:
        MissingAnchorError: The series lacks the date that it counts from.
        MissingCalendarError: There is no calendar that it asks.
    """
    zone = zone_of(state.zone)
    match moment:
        case For():
            return shift(state.entered_at, moment.span, zone)
        case NextLocal():
            holidays = holidays_of(moment.holidays, state.calendars)
            return next_local(state.entered_at, moment.at, zone, moment.weekdays, holidays)
        case Until():
            moved = shift(moment.instant or _anchor(moment, state), moment.offset, zone)
            return moved if moment.at is None else at_local(moved.astimezone(zone).date(), moment.at, zone)
        case _ as never:
            assert_never(never)


def let_go(quiet: Quiet, state: SeriesState, now: datetime) -> datetime | None:
    """Returns when a message that is due is let go, or None where quiet hours do not hold it.

    What was held and is spread stays so when it is looked at again after the quiet.

    Raises:
        MissingCalendarError: There is no calendar that the quiet hours ask.
    """
    holidays = holidays_of(quiet.holidays, state.calendars)
    peace = Peace(hours=quiet.hours, zone=zone_of(state.zone), holidays=holidays)
    name = f"{state.facts.get('series', {}).get('id')}"
    until = peace.released(now, quiet.spread, name)
    if until is None and quiet.spread:
        until = peace.released(state.entered_at, quiet.spread, name)
    return until if until is not None and until > now else None


def latest(step: Repeat, rounds: Rounds, zone: str, now: datetime) -> int:
    """Returns the last round that is due: a standstill is not made up for, of what was missed one round is taken."""
    if step.rule is not None:
        found = occurrences(step.rule, rounds.first_at, step.at, zone_of(zone))
        return max(rounds.number, sum(1 for _ in takewhile(lambda moment: moment <= now, found)) - 1)
    if step.every is None:
        return rounds.number
    number = rounds.number
    if step.every.is_exact and step.at is None:
        return max(number, (now - rounds.first_at) // step.every.exact)
    while _every(step.every, step.at, rounds.first_at, number + 1, zone) <= now:
        number += 1
    return number


def due_at(step: Repeat, first_at: datetime, number: int, zone: str) -> datetime | None:
    """Returns when a round begins, counting from 0, or None where a rule has come to its end.

    It counts from the first one always, so that nothing drifts.
    """
    if step.rule is not None:
        return next(islice(occurrences(step.rule, first_at, step.at, zone_of(zone)), number, None), None)
    return first_at if step.every is None else _every(step.every, step.at, first_at, number, zone)


def _every(every: Span, at: time | None, first_at: datetime, number: int, zone: str) -> datetime:
    if number == 0:
        return first_at
    span = Span(months=every.months * number, days=every.days * number, exact=every.exact * number)
    moved = shift(first_at, span, zone_of(zone))
    return moved if at is None else at_local(moved.astimezone(zone_of(zone)).date(), at, zone_of(zone))
