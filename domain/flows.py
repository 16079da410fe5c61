"""What a series does next: a pure decision over its flow, its state and the time.

A workflow loops: it decides, does what is asked, adds what came of it with `taken`, and decides again. Whatever a
decision looked at is told with it, so that a timeline can show every condition and what it saw.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, assert_never

from domain.calendar import shift, zone_of
from domain.conditions import ConditionError
from domain.flow_consents import answers_to, is_open, standing_of
from domain.flow_judge import Holds, Judge
from domain.flow_moments import MissingAnchorError, due_at, latest, let_go, moment_of
from domain.flow_program import Await, Confirming, Fork, Goto, Instruction, Pause, Program, Round, Take
from domain.flow_results import Decision, Do, Done, Note, Stuck, Wait
from domain.flow_state import Heard, Rounds, SeriesState
from domain.flow_steps import (
    Awaited,
    Confirm,
    Digest,
    Flow,
    FlowStep,
    Past,
    Repeat,
    Send,
    Since,
    Stop,
    Throttle,
)
from domain.holidays import MissingCalendarError
from domain.quiet_hours import InQuiet, Quiet

__all__ = ["Decision", "Do", "Done", "Note", "Stuck", "Wait", "decide", "taken"]

MOST_SILENT = 1000
"""Instructions between two things that take time, if the flow has not more; who needs more goes in circles."""


def decide(program: Program, state: SeriesState, now: datetime, holds: Holds) -> Decision:
    """Returns what a series does next.

    Conditions see `facts`, `outcomes` and `heard`.
    """
    notes: list[Note] = []
    judge = Judge(holds, state)
    most = max(MOST_SILENT, 4 * len(program.instructions))
    for _ in range(most):
        found = _next(program, state, now, judge, notes)
        if not isinstance(found, SeriesState):
            return Decision(next=found, state=_about_to(found, state), notes=tuple(notes))
        state = found
    circles = Stuck(step_id=program.step_at(state.place), reason="in_circles", detail=f"{most} without a pause")
    return Decision(next=circles, state=state, notes=tuple(notes))


def _about_to(found: Do | Wait | Done | Stuck, state: SeriesState) -> SeriesState:
    """Returns the state with the mark of a message that is about to be sent: what is heard from now on answers it."""
    if isinstance(found, Do) and isinstance(found.step, Send | Confirm):
        return replace(state, send_mark=len(state.heard))
    return state


_STUCK: Mapping[type[Exception], str] = {
    ConditionError: "condition_failed",
    MissingAnchorError: "anchor_missing",
    MissingCalendarError: "calendar_missing",
}


def _next(
    program: Program, state: SeriesState, now: datetime, judge: Judge, notes: list[Note]
) -> SeriesState | Do | Wait | Done | Stuck:
    step_id = program.step_at(state.place)
    try:
        if (ended := _ended(program, state, judge)) is not None:
            return ended
        return _one(program.instructions[state.place], program.flow, state, now, judge, notes)
    except tuple(_STUCK) as error:
        return Stuck(step_id=step_id, reason=_STUCK[type(error)], detail=str(error))
    except (ValueError, OverflowError) as error:  # beyond the years that there are, or in a zone that there is not
        return Stuck(step_id=step_id, reason="no_such_instant", detail=str(error))


def taken(program: Program, state: SeriesState, outcome: Mapping[str, Any], now: datetime) -> SeriesState:
    """Returns the series after the step that `decide` asked for; a throttle that says `{"stop": …}` ends it."""
    match program.instructions[state.place]:
        case Take(step=step):
            following = state.after(step.id, outcome).at(state.place + 1, now)
        case _:
            raise LookupError(f"no step is to be taken at {state.place!r}")
    ends = isinstance(step, Throttle) and outcome.get("stop")
    return replace(following, stopped=str(outcome["stop"])) if ends else following


def _ended(program: Program, state: SeriesState, judge: Judge) -> Done | None:
    if state.stopped is not None:
        return Done(reason=state.stopped)
    for awaited in program.flow.stop_when:
        if (heard := next((one for one in state.heard if one.fits(awaited)), None)) is not None:
            return Done(reason="stopped_by", detail=heard.name or heard.kind)
    if program.flow.stop_if is not None and judge.ends(program.flow.stop_if, state):
        return Done(reason="stop_condition", detail=program.flow.stop_if)
    return Done(reason="completed") if state.place >= len(program.instructions) else None


def _one(  # noqa: PLR0911 - one for each instruction
    instruction: Instruction, flow: Flow, state: SeriesState, now: datetime, judge: Judge, notes: list[Note]
) -> SeriesState | Do | Wait | Done:
    """Returns the state after an instruction that takes no time, or what there is to do, to wait for, or its end."""
    match instruction:
        case Take():
            return _take(instruction.step, flow.quiet, state, now, notes)
        case Pause():
            return _pause(instruction, state, now, notes)
        case Await():
            return _await(instruction, state, now, notes)
        case Confirming():
            return _confirming(instruction, state, now, notes)
        case Fork():
            return _fork(instruction, state, now, judge, notes)
        case Round():
            return _round(instruction, state, now, judge, notes)
        case Goto():
            return state.at(instruction.to, now)
        case _ as never:
            assert_never(never)


def _take(
    step: FlowStep, quiet: Quiet | None, state: SeriesState, now: datetime, notes: list[Note]
) -> SeriesState | Do | Wait | Done:
    match step:
        case Stop():
            return Done(reason="stop_step", detail=step.reason)
        case Digest():
            return _digest(step, state, now)
        case Confirm() if standing_of(step, state, asked=False) in {"granted", "denied"}:
            # Answered while the question was held.
            return state.at(state.place - 1, now)
        case Send(critical=False) | Confirm() if quiet is not None:
            return _send_in_peace(step, quiet, state, now, notes)
        case _:
            return Do(step=step)


def _send_in_peace(
    step: Send | Confirm, quiet: Quiet, state: SeriesState, now: datetime, notes: list[Note]
) -> SeriesState | Do | Wait:
    until = let_go(quiet, state, now)
    if until is None:
        return Do(step=step)
    if quiet.mode is InQuiet.HOLD_SERIES or isinstance(step, Confirm):  # its link must not end before it is there
        return Wait(step_id=step.id, until=until, spread=quiet.spread or None)
    notes.append(Note(step_id=step.id, kind="quiet", detail={"mode": quiet.mode.value, "until": until}))
    if quiet.mode is InQuiet.HOLD:
        return Do(step=step, not_before=until)
    return state.after(step.id, {"skipped": "quiet_hours"}).at(state.place + 1, now)


def _digest(step: Digest, state: SeriesState, now: datetime) -> SeriesState | Wait:
    awaited = tuple(Awaited(kind="event", name=name) for name in step.events)
    begin = state.digested.get(step.id, 0)
    places = [place for place in range(begin, len(state.heard)) if _fits(state.heard[place], awaited)][: step.most]
    until = shift(state.entered_at, step.window, zone_of(state.zone))
    if now < until and len(places) < step.most:
        return Wait(step_id=step.id, until=until, awaited=awaited)
    end = places[-1] + 1 if len(places) == step.most else len(state.heard)
    collected = {"count": len(places), "events": [dict(state.heard[place].data) for place in places]}
    following = replace(state, digested={**state.digested, step.id: end})
    return following.after(step.id, collected).at(state.place + 1, now)


def _fits(heard: Heard, awaited: Sequence[Awaited]) -> bool:
    return any(heard.fits(wanted) for wanted in awaited)


def _pause(instruction: Pause, state: SeriesState, now: datetime, notes: list[Note]) -> SeriesState | Wait:
    step = instruction.step
    until = moment_of(step.moment, state)
    if until > now:
        return Wait(step_id=step.id, until=until)
    if step.past is Past.SKIP and until < state.entered_at:
        notes.append(Note(step_id=step.id, kind="skipped", detail={"until": until}))
        return state.at(instruction.skip_to, now)
    return state.at(state.place + 1, now)


def _await(instruction: Await, state: SeriesState, now: datetime, notes: list[Note]) -> SeriesState | Wait:
    step = instruction.step
    since = {Since.SERIES_START: 0, Since.PREVIOUS_SEND: state.send_mark, Since.NOW: state.entered_mark}[step.since]
    for place in range(since, len(state.heard)):
        heard = state.heard[place]
        if place not in state.answered and _fits(heard, step.awaited):
            told = {"heard": heard.kind, "name": heard.name, "at": heard.at.isoformat(), "data": dict(heard.data)}
            notes.append(Note(step_id=step.id, kind="heard", detail={"heard": heard.kind, "name": heard.name}))
            following = replace(state, answered=(*state.answered, place))
            return following.after(step.id, told).at(state.place + 1, now)
    until = None if step.timeout is None else shift(state.entered_at, step.timeout, zone_of(state.zone))
    if until is None or now < until:
        return Wait(step_id=step.id, until=until, awaited=step.awaited)
    notes.append(Note(step_id=step.id, kind="timeout", detail={"until": until}))
    return state.after(step.id, {"heard": "timeout"}).at(instruction.timeout_to, now)


def _confirming(instruction: Confirming, state: SeriesState, now: datetime, notes: list[Note]) -> SeriesState | Wait:
    step = instruction.step
    standing = standing_of(step, state, asked=instruction.asked)
    if standing in instruction.answers:
        notes.append(Note(step_id=step.id, kind="consent", detail={"topic": step.topic, "state": standing}))
        return state.after(step.id, {"consent": standing}).at(instruction.answers[standing], now)
    if not instruction.asked and is_open(state.outcomes.get(step.id, {}), step.topic):
        return replace(state, place=state.place + 2)  # asked in another version of the flow: its link still lives
    if not instruction.asked:
        return state.at(state.place + 1, now)
    until = shift(state.entered_at, step.timeout, zone_of(state.zone))
    if now < until:
        return Wait(step_id=step.id, until=until, awaited=answers_to(step))
    notes.append(Note(step_id=step.id, kind="timeout", detail={"until": until}))
    return state.after(step.id, {"consent": "timeout"}).at(instruction.timeout_to, now)


def _fork(instruction: Fork, state: SeriesState, now: datetime, judge: Judge, notes: list[Note]) -> SeriesState:
    judged: list[dict[str, Any]] = []
    for number, (when, place) in enumerate(instruction.cases):
        judged.append(judge.told(when, state))
        if judged[-1]["holds"]:
            told = {"case": number, "when": when, "judged": judged}
            notes.append(Note(step_id=instruction.step.id, kind="branch", detail=told))
            return state.at(place, now)
    notes.append(Note(step_id=instruction.step.id, kind="branch", detail={"case": None, "judged": judged}))
    return state.at(instruction.otherwise, now)


def _is_enough(step: Repeat, state: SeriesState, judge: Judge, notes: list[Note]) -> bool:
    """Tells whether the condition holds until which a repetition goes on."""
    told = judge.told(step.until, state) if step.until is not None else {"holds": False}
    if told["holds"]:
        notes.append(Note(step_id=step.id, kind="until", detail=told))
    return bool(told["holds"])


def _round(
    instruction: Round, state: SeriesState, now: datetime, judge: Judge, notes: list[Note]
) -> SeriesState | Wait:
    step = instruction.step
    # The days of a rule count from when it was reached, however often it is asked for until the first of them.
    begin = now if step.rule is None else state.entered_at
    rounds = state.rounds.get(step.id) or Rounds(first_at=begin, count=0, number=0)
    due = due_at(step, rounds.first_at, rounds.number, state.zone)
    if due is None or rounds.count >= step.most or _is_enough(step, state, judge, notes):
        left = {name: other for name, other in state.rounds.items() if name != step.id}
        return replace(state, rounds=left).at(instruction.end, now)
    if now < due:
        return Wait(step_id=step.id, until=due)
    number = latest(step, rounds, state.zone, now)
    if number > rounds.number:
        notes.append(Note(step_id=step.id, kind="missed", detail={"rounds": number - rounds.number}))
    notes.append(Note(step_id=step.id, kind="round", detail={"round": rounds.count + 1}))
    begun = Rounds(first_at=rounds.first_at, count=rounds.count + 1, number=number + 1)
    return replace(state, rounds={**state.rounds, step.id: begun}).at(state.place + 1, now)
