"""What a series does next: a pure decision over its flow, its state and the time.

A workflow loops: it decides, does what is asked, adds what came of it with `taken`, and decides again. Whatever a
decision looked at is told with it, so that a timeline can show every condition and what it saw.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, assert_never

from domain.calendar import at_local, next_local, shift, zone_of
from domain.conditions import ConditionError
from domain.durations import Span
from domain.flow_program import Await, Fork, Goto, Instruction, Pause, Program, Round, Take
from domain.flow_state import Heard, Rounds, SeriesState
from domain.flow_steps import Awaited, Digest, FlowStep, For, Moment, NextLocal, Past, Repeat, Send, Since, Stop, Until

Holds = Callable[[str, Mapping[str, Any]], bool]
"""Tells whether a condition holds for the facts given."""

MOST_SILENT = 1000
"""Instructions between two things that take time; a flow that needs more goes in circles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Do:
    """Take a step now, and add what came of it with `taken`."""

    step: FlowStep


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Do nothing until then, or until something is heard; `until` None waits for that alone."""

    step_id: str
    until: datetime | None
    awaited: tuple[Awaited, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """Nothing is left to do: the steps are over, or something ended them."""

    reason: str
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck:
    """It cannot go on until somebody mends what `reason` says: `condition_failed`, `anchor_missing`, `in_circles`."""

    step_id: str | None
    reason: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something that was decided on the way: `branch`, `skipped`, `heard`, `timeout`, `round`, `missed`."""

    step_id: str
    kind: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What comes next, the state in which it does, and what was decided on the way there."""

    next: Do | Wait | Done | Stuck
    state: SeriesState
    notes: tuple[Note, ...] = ()


def decide(program: Program, state: SeriesState, now: datetime, holds: Holds) -> Decision:
    """Returns what a series does next.

    Conditions see `facts`, `outcomes` and `heard`.
    """
    notes: list[Note] = []
    for _ in range(MOST_SILENT):
        found = _next(program, state, now, holds, notes)
        if not isinstance(found, SeriesState):
            return Decision(next=found, state=state, notes=tuple(notes))
        state = found
    circles = Stuck(step_id=program.step_at(state.place), reason="in_circles", detail=f"{MOST_SILENT} without a pause")
    return Decision(next=circles, state=state, notes=tuple(notes))


def _next(
    program: Program, state: SeriesState, now: datetime, holds: Holds, notes: list[Note]
) -> SeriesState | Do | Wait | Done | Stuck:
    step_id = program.step_at(state.place)
    try:
        if (ended := _ended(program, state, holds)) is not None:
            return ended
        return _one(program.instructions[state.place], state, now, holds, notes)
    except ConditionError as error:
        return Stuck(step_id=step_id, reason="condition_failed", detail=str(error))
    except MissingAnchorError as error:
        return Stuck(step_id=step_id, reason="anchor_missing", detail=str(error))


def taken(program: Program, state: SeriesState, outcome: Mapping[str, Any], now: datetime) -> SeriesState:
    """Returns the series after the step that `decide` asked for; `{"stop": …}` in the outcome ends it."""
    match program.instructions[state.place]:
        case Take(step=step):
            following = state.after(step.id, outcome).at(state.place + 1, now)
        case _:
            raise LookupError(f"no step is to be taken at {state.place!r}")
    if isinstance(step, Send):
        following = replace(following, previous_send_at=now)
    return replace(following, stopped=str(outcome["stop"])) if outcome.get("stop") else following


def _ended(program: Program, state: SeriesState, holds: Holds) -> Done | None:
    if state.stopped is not None:
        return Done(reason="stopped", detail=state.stopped)
    for awaited in program.flow.stop_when:
        if (heard := _first(state.heard, (awaited,), state.started_at)) is not None:
            return Done(reason="stopped_by", detail=heard.name or heard.kind)
    if program.flow.stop_if is not None and holds(program.flow.stop_if, seen(state)):
        return Done(reason="stop_condition", detail=program.flow.stop_if)
    return Done(reason="completed") if state.place >= len(program.instructions) else None


def _one(
    instruction: Instruction, state: SeriesState, now: datetime, holds: Holds, notes: list[Note]
) -> SeriesState | Do | Wait | Done:
    """Returns the state after an instruction that takes no time, or what there is to do, to wait for, or its end."""
    match instruction:
        case Take():
            return _take(instruction.step, state, now)
        case Pause():
            return _pause(instruction, state, now, notes)
        case Await():
            return _await(instruction, state, now, notes)
        case Fork():
            return _fork(instruction, state, now, holds, notes)
        case Round():
            return _round(instruction, state, now, holds, notes)
        case Goto():
            return state.at(instruction.to, now)
        case _:
            assert_never(instruction)


def _take(step: FlowStep, state: SeriesState, now: datetime) -> SeriesState | Do | Wait | Done:
    if isinstance(step, Stop):
        return Done(reason="stop_step", detail=step.reason)
    return _digest(step, state, now) if isinstance(step, Digest) else Do(step=step)


def _digest(step: Digest, state: SeriesState, now: datetime) -> SeriesState | Wait:
    awaited = tuple(Awaited(kind="event", name=name) for name in step.events)
    since = max([state.entered_at, *_digested(state, step)])
    events = [one for one in state.heard if one.at >= since and any(one.fits(wanted) for wanted in awaited)]
    until = shift(state.entered_at, step.window, zone_of(state.zone))
    if now < until and len(events) < step.most:
        return Wait(step_id=step.id, until=until, awaited=awaited)
    collected = {"count": len(events), "events": [dict(one.data) for one in events[: step.most]], "at": now}
    return state.after(step.id, collected).at(state.place + 1, now)


def _digested(state: SeriesState, step: Digest) -> list[datetime]:
    """Returns until when events went into the step's former digest."""
    former = state.outcomes.get(step.id)
    return [former["at"]] if former else []


def _pause(instruction: Pause, state: SeriesState, now: datetime, notes: list[Note]) -> SeriesState | Wait:
    step = instruction.step
    until = moment_of(step.moment, state)
    if until > now:
        return Wait(step_id=step.id, until=until)
    if step.past is Past.SKIP and until < state.entered_at:
        notes.append(Note(step_id=step.id, kind="skipped", detail={"until": until}))
        return state.at(instruction.skip_to, now)
    return state.at(state.place + 1, now)


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
    """
    zone = zone_of(state.zone)
    match moment:
        case For():
            return shift(state.entered_at, moment.span, zone)
        case NextLocal():
            return next_local(state.entered_at, moment.at, zone, moment.weekdays)
        case Until():
            moved = shift(moment.instant or _anchor(moment, state), moment.offset, zone)
            return moved if moment.at is None else at_local(moved.astimezone(zone).date(), moment.at, zone)
        case _:
            assert_never(moment)


def _await(instruction: Await, state: SeriesState, now: datetime, notes: list[Note]) -> SeriesState | Wait:
    step = instruction.step
    since = {
        Since.SERIES_START: state.started_at,
        Since.PREVIOUS_SEND: state.previous_send_at or state.started_at,
        Since.NOW: state.entered_at,
    }[step.since]
    if (heard := _first(state.heard, step.awaited, since)) is not None:
        told = {"heard": heard.kind, "name": heard.name, "at": heard.at, "data": dict(heard.data)}
        notes.append(Note(step_id=step.id, kind="heard", detail={"heard": heard.kind, "name": heard.name}))
        return state.after(step.id, told).at(state.place + 1, now)
    until = None if step.timeout is None else shift(state.entered_at, step.timeout, zone_of(state.zone))
    if until is None or now < until:
        return Wait(step_id=step.id, until=until, awaited=step.awaited)
    notes.append(Note(step_id=step.id, kind="timeout", detail={"until": until}))
    return state.after(step.id, {"heard": "timeout"}).at(instruction.timeout_to, now)


def _first(heard: Sequence[Heard], awaited: Sequence[Awaited], since: datetime) -> Heard | None:
    fitting = [one for one in heard if one.at >= since and any(one.fits(wanted) for wanted in awaited)]
    return min(fitting, key=lambda one: one.at, default=None)


def _fork(instruction: Fork, state: SeriesState, now: datetime, holds: Holds, notes: list[Note]) -> SeriesState:
    facts = seen(state)
    for number, (when, place) in enumerate(instruction.cases):
        if holds(when, facts):
            notes.append(Note(step_id=instruction.step.id, kind="branch", detail={"case": number, "when": when}))
            return state.at(place, now)
    notes.append(Note(step_id=instruction.step.id, kind="branch", detail={"case": None}))
    return state.at(instruction.otherwise, now)


def _round(
    instruction: Round, state: SeriesState, now: datetime, holds: Holds, notes: list[Note]
) -> SeriesState | Wait:
    step = instruction.step
    rounds = state.rounds.get(step.id) or Rounds(first_at=now, count=0, number=0)
    if rounds.count >= step.most or (step.until is not None and holds(step.until, seen(state))):
        left = {name: other for name, other in state.rounds.items() if name != step.id}
        return replace(state, rounds=left).at(instruction.end, now)
    due = _due(step, rounds.first_at, rounds.number, state.zone)
    if now < due:
        return Wait(step_id=step.id, until=due)
    number = _latest(step, rounds, state.zone, now)
    if number > rounds.number:
        notes.append(Note(step_id=step.id, kind="missed", detail={"rounds": number - rounds.number}))
    notes.append(Note(step_id=step.id, kind="round", detail={"round": rounds.count + 1}))
    begun = Rounds(first_at=rounds.first_at, count=rounds.count + 1, number=number + 1)
    return replace(state, rounds={**state.rounds, step.id: begun}).at(state.place + 1, now)


def _latest(step: Repeat, rounds: Rounds, zone: str, now: datetime) -> int:
    """Returns the last round that is due: a standstill is not made up for, of what was missed one round is taken."""
    number = rounds.number
    if step.every.is_exact and step.at is None:
        return max(number, (now - rounds.first_at) // step.every.exact)
    while _due(step, rounds.first_at, number + 1, zone) <= now:
        number += 1
    return number


def _due(step: Repeat, first_at: datetime, number: int, zone: str) -> datetime:
    """Returns when a round begins, counting from 0: always from the first, so that nothing drifts."""
    if number == 0:
        return first_at
    every = step.every
    span = Span(months=every.months * number, days=every.days * number, exact=every.exact * number)
    moved = shift(first_at, span, zone_of(zone))
    return moved if step.at is None else at_local(moved.astimezone(zone_of(zone)).date(), step.at, zone_of(zone))


def seen(state: SeriesState) -> dict[str, Any]:
    """Returns what the conditions of a series see."""
    heard = [{"kind": one.kind, "name": one.name, "data": dict(one.data)} for one in state.heard]
    return {**state.facts, "outcomes": dict(state.outcomes), "heard": heard}
