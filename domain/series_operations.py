"""What an operation does to one series of many, or why it cannot."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from domain.calendar import is_in_reach, shift, zone_of
from domain.durations import Span
from domain.durations import parse as parse_span
from domain.flow_program import Program
from domain.flow_state import SeriesState
from domain.flow_steering import NoSuchStepError, again, skipped
from domain.operations import OperationKind
from domain.series import SeriesStatus

_PAUSABLE = frozenset({SeriesStatus.RUNNING, SeriesStatus.PARKED})


class Refusal(StrEnum):
    """Why an operation left a series as it was."""

    OVER = "over"
    MOVED_ON = "moved_on"
    ALREADY = "already"
    NOTHING_TO_SKIP = "nothing_to_skip"
    NO_SUCH_STEP = "no_such_step"
    NO_SUCH_DATE = "no_such_date"
    OUT_OF_REACH = "out_of_reach"


SENTENCES: Mapping[Refusal, str] = {
    Refusal.OVER: "It was over when its turn came.",
    Refusal.MOVED_ON: "It no longer fitted the filter when its turn came.",
    Refusal.ALREADY: "It was paused, or ran, already.",
    Refusal.NOTHING_TO_SKIP: "It was at its end; there was nothing to skip.",
    Refusal.NO_SUCH_STEP: "Its version of the flow has no such step.",
    Refusal.NO_SUCH_DATE: "It has no date of that name.",
    Refusal.OUT_OF_REACH: "The date would lie outside of the years 1971 to 2199.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesOrder:
    """What is to be done with every series of an operation.

    Attributes:
        step: The step that is taken again.
        dates: Where dates are moved to: an instant, or by a length of time.
        reason: Why; those who are stopped keep it.
    """

    kind: OperationKind
    step: str | None = None
    dates: Mapping[str, datetime | Span] = field(default_factory=dict)
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A series when its turn comes.

    Attributes:
        fits: Whether it is still one of those that were meant.
        at: The step that it stands at.
        heard: How much it heard; its state is given without it.
        missing: Dates that its version of the flow asks for and that it does not have.
    """

    status: SeriesStatus
    fits: bool
    at: str | None
    state: SeriesState
    heard: int = 0
    missing: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Steered:
    """What becomes of a series, and what its timeline says of it.

    Attributes:
        state: Where it stands then; None leaves it where it is.
        dates: The dates that are moved.
    """

    kind: str
    told: Mapping[str, Any]
    status: SeriesStatus
    step: str | None
    state: SeriesState | None = None
    dates: Mapping[str, datetime] = field(default_factory=dict)


def order_of(kind: OperationKind, asked: Mapping[str, Any], reason: str | None) -> SeriesOrder:
    """Returns an order from what was asked besides its kind, as JSON holds it: a step, or dates."""
    dates = {name: _date(value) for name, value in asked.get("anchors", {}).items()}
    return SeriesOrder(kind=kind, step=asked.get("step"), dates=dates, reason=reason)


def _date(value: str | Mapping[str, str]) -> datetime | Span:
    return datetime.fromisoformat(value) if isinstance(value, str) else parse_span(value["shift"], signed=True)


def steered(order: SeriesOrder, standing: Standing, program: Program, now: datetime) -> Steered | Refusal:
    """Returns what an order does to a series, the same as one that is given to it alone, or why nothing."""
    if standing.status.is_over:
        return Refusal.OVER
    if not standing.fits:
        return Refusal.MOVED_ON
    match order.kind:
        case OperationKind.PAUSE | OperationKind.RESUME:
            return _held(order.kind, standing)
        case OperationKind.STOP:
            told = {"status": "stopped", "reason": order.reason}
            return Steered(kind="ended", told=told, status=SeriesStatus.STOPPED, step=standing.at)
        case OperationKind.MOVE:
            return _moved(order, standing)
        case _:
            return _elsewhere(order, standing, program, now)


def _held(kind: OperationKind, standing: Standing) -> Steered | Refusal:
    if kind is OperationKind.RESUME and standing.status is not SeriesStatus.RUNNING:
        told = {"from": standing.status.value}
        return Steered(kind="resumed", told=told, status=SeriesStatus.RUNNING, step=standing.at)
    if kind is OperationKind.PAUSE and standing.status in _PAUSABLE:
        return Steered(kind="paused", told={}, status=SeriesStatus.PAUSED, step=standing.at)
    return Refusal.ALREADY


def _moved(order: SeriesOrder, standing: Standing) -> Steered | Refusal:
    held, zone = standing.state.anchors, zone_of(standing.state.zone)
    dates: dict[str, datetime] = {}
    for name, to in order.dates.items():
        if name not in held and (isinstance(to, Span) or name not in standing.missing):
            return Refusal.NO_SUCH_DATE
        try:
            dates[name] = shift(held[name], to, zone) if isinstance(to, Span) else to
        except (OverflowError, ValueError):
            return Refusal.OUT_OF_REACH
    if not all(map(is_in_reach, dates.values())):
        return Refusal.OUT_OF_REACH
    told = {"anchors": {name: instant.isoformat() for name, instant in dates.items()}, "data": []}
    return Steered(kind="changed", told=told, status=standing.status, step=standing.at, dates=dates)


def _elsewhere(order: SeriesOrder, standing: Standing, program: Program, now: datetime) -> Steered | Refusal:
    skips = order.kind is OperationKind.SKIP
    step = order.step or ""
    try:
        state = skipped(program, standing.state, now) if skips else again(program, standing.state, step, now)
    except NoSuchStepError:
        return Refusal.NOTHING_TO_SKIP if skips else Refusal.NO_SUCH_STEP
    kind, told = ("skipped", standing.at) if skips else ("taken_again", step)
    status = SeriesStatus.RUNNING if standing.status is SeriesStatus.PARKED else standing.status
    return Steered(
        kind=kind,
        told={"step": told},
        status=status,
        step=program.next_step(state.place),
        state=replace(state, entered_mark=standing.heard),
    )
