"""Operations over many parked notifications or series: what is selected, how fast, and whether a count still holds."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

from domain.reasons import Reason

MOST_PER_SECOND = 500
"""How many notifications or series one operation may take up in a second."""

DEFAULT_RATE = 50
_TOLERATED = 0.02


BY_ITSELF = frozenset({"circuit", "day", "housekeeping"})
"""Who creates operations without being a person: a circuit that closed, a new day, a look at what was left behind.

Those of people go first.
"""

REPLACED = "replaced: "
"""How the reason begins of an operation that ended because another one does all that it would have done."""

REOPENED = "opened again: "
"""How the reason begins of an operation that ended because the circuit that had closed opened again."""


class OperationSubject(StrEnum):
    """What an operation takes up."""

    NOTIFICATION = "notification"
    SERIES = "series"


class OperationKind(StrEnum):
    """What is done: parked notifications are resumed or dropped, series steered as a single one is."""

    RESUME = "resume"
    DROP = "drop"
    PAUSE = "pause"
    STOP = "stop"
    SKIP = "skip"
    RUN_AGAIN = "run_again"
    MOVE = "move"


class OperationState(StrEnum):
    """Where an operation stands."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"

    @property
    def is_over(self) -> bool:
        """Tells whether nothing more will be done."""
        return self in {OperationState.DONE, OperationState.STOPPED}


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedFilter:
    """Which parked notifications are meant; what is not set does not restrict.

    Attributes:
        trigger: A trigger, or the beginning of one when it ends with `*`.
        parked_after: Parked then or later.
        parked_before: Parked before then.
    """

    cause: Reason | None = None
    account_id: UUID | None = None
    template: str | None = None
    resource_type: str | None = None
    resource_id: str | None = None
    trigger: str | None = None
    parked_after: datetime | None = None
    parked_before: datetime | None = None

    def as_document(self) -> dict[str, str]:
        """Returns what restricts, as JSON holds it."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: _text(value) for name, value in given.items() if value is not None}

    @classmethod
    def parse(cls, document: Mapping[str, str]) -> Self:
        """Returns the filter that `as_document` wrote."""
        values: dict[str, Any] = {name: _READ.get(name, str)(text) for name, text in document.items()}
        return cls(**values)


_READ: Mapping[str, Any] = {
    "cause": Reason,
    "account_id": UUID,
    "parked_after": datetime.fromisoformat,
    "parked_before": datetime.fromisoformat,
}


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationInput:
    """What the workflow of an operation starts with; everything else stands in its row.

    Attributes:
        steps: How many steps one run of the workflow makes; the next run goes on, so that no history grows long.
    """

    tenant_id: str
    operation_id: str
    steps: int = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Stepped:
    """What came of one step of an operation.

    Attributes:
        state: Where the operation stands now.
        done: How many notifications or series were taken up so far.
    """

    state: OperationState
    done: int


def agrees(expected: int, found: int) -> bool:
    """Tells whether the count that somebody agreed to still holds: two in a hundred may come or go meanwhile."""
    return abs(found - expected) <= expected * _TOLERATED
