"""What a series' workflow says and hears: ids and moments, nothing personal; where it stands is in the database."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

_LONGEST_TRIGGER = 128
MOST_HEARD = 10_000
"""What one series keeps of what it heard; up to twice as much of what it waits for or what ends it."""
MOST_HEARD_BYTES = 4 * 1024 * 1024
"""How many bytes of data as JSON one series keeps of what it heard, in the same way."""


class SeriesStatus(StrEnum):
    """Where a series stands; the last two are its ends."""

    RUNNING = "running"
    PAUSED = "paused"
    PARKED = "parked"
    COMPLETED = "completed"
    STOPPED = "stopped"

    @property
    def is_over(self) -> bool:
        """Tells whether nothing follows."""
        return self in {SeriesStatus.COMPLETED, SeriesStatus.STOPPED}


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesInput:
    """A series to be carried on.

    Attributes:
        looks: After how many looks its workflow goes on as a new run with an empty history.
    """

    tenant_id: str
    series_id: str
    looks: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """What a look at a series came to: until when there is nothing to do, or how it ended.

    Attributes:
        until: When to look again, if nothing wakes it before; None waits to be woken.
        again: Whether there is more to do at once.
        call: Whether a service is to be asked now.
        ended: The reason of its end.
        shown: Where it stands, for those who look at the workflow.
    """

    until: datetime | None = None
    again: bool = False
    call: bool = False
    ended: str | None = None
    shown: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenUp:
    """A call that nobody answered, or that was refused; None as its id means whichever the series asks."""

    reason: str
    detail: str
    call_id: str | None = None


def trigger_of(event: Mapping[str, Any]) -> str | None:
    """Returns what a series was started by, as its notifications say it: the type of its event."""
    found = event.get("type")
    return found[:_LONGEST_TRIGGER] if isinstance(found, str) and found else None
