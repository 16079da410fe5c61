"""What a decision about a series comes to: what there is to do, to wait for, or its end."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from domain.flow_state import SeriesState
from domain.flow_steps import Awaited, FlowStep


@dataclass(frozen=True, slots=True, kw_only=True)
class Do:
    """Take a step now, and add what came of it with `taken`; a message is not to go out before `not_before`."""

    step: FlowStep
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Do nothing until then, or until something is heard; `until` None waits for that alone.

    Attributes:
        spread: Over how long those that quiet hours held are let go, where `until` is this one's part of it.
    """

    step_id: str
    until: datetime | None
    awaited: tuple[Awaited, ...] = ()
    spread: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """Nothing is left to do: the steps are over, or something ended them."""

    reason: str
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck:
    """It cannot go on until somebody mends what `reason` says.

    `condition_failed`, `anchor_missing`, `calendar_missing`, `in_circles`, `no_such_instant`.
    """

    step_id: str | None
    reason: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something that was decided on the way: `branch`, `skipped`, `heard`, `timeout`, `round`, `missed`, `quiet`."""

    step_id: str
    kind: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What comes next, the state in which it does, and what was decided on the way there."""

    next: Do | Wait | Done | Stuck
    state: SeriesState
    notes: tuple[Note, ...] = ()
