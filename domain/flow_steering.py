"""What people do to a series that waits: skip what it waits for, or let it take a step again."""

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from domain.flow_consents import is_open
from domain.flow_program import Await, Confirming, Fork, Goto, Pause, Program, Round, Take
from domain.flow_state import SeriesState
from domain.flow_steps import Confirm


class NoSuchStepError(LookupError):
    """There is nothing to skip, or no step of that name."""


def skipped(program: Program, state: SeriesState, now: datetime) -> SeriesState:
    """Returns a series that does not do, or wait for, what it stands at; a wait for something counts as timed out.

    Raises:
        NoSuchStepError: The series is at its end.
    """
    if state.place >= len(program.instructions):
        raise NoSuchStepError("the series is at its end; there is nothing to skip")
    match program.instructions[state.place]:
        case Take(step=Confirm()):
            return skipped(program, state.at(state.place + 1, now), now)  # as one that was asked
        case Take(step=step):
            return state.after(step.id, {"skipped": "by_person"}).at(state.place + 1, now)
        case Pause():
            return state.at(state.place + 1, now)
        case Await(step=step, timeout_to=to):
            return state.after(step.id, {"heard": "timeout", "skipped": "by_person"}).at(to, now)
        case Confirming(step=step, timeout_to=to):
            return state.after(step.id, {"consent": "timeout", "skipped": "by_person"}).at(to, now)
        case Fork(otherwise=to) | Round(end=to) | Goto(to=to):
            return state.at(to, now)
        case _ as never:
            assert_never(never)


def again(program: Program, state: SeriesState, step_id: str, now: datetime) -> SeriesState:
    """Returns a series that stands at a step anew; a question that nobody has answered is asked again.

    Raises:
        NoSuchStepError: Its version of the flow has no such step.
    """
    if step_id not in program.places:
        raise NoSuchStepError(f"there is no step {step_id!r}; there are {', '.join(program.places)}")
    closed = {name: outcome for name, outcome in state.outcomes.items() if not is_open(outcome)}
    return replace(state, outcomes=closed).at(program.places[step_id], now)
