"""An outage: one opening of a circuit, from its first probe to the release of what was parked meanwhile."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.circuits import Circuit, CircuitState

ANSWER = timedelta(seconds=10)
"""How long a parked notification that was let go gets to take the permit, before the next one is asked."""

GRACE = timedelta(seconds=30)
"""How long new traffic gets to be the probe where nothing is parked."""

MISSES = 2
"""So many parked notifications may leave the permit of one probe alone before the provider itself is asked."""

QUIET = timedelta(minutes=5)
"""How long nothing is looked at while nothing can be found out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutageInput:
    """What the workflow of an outage starts with; everything else stands in the circuit's row.

    Attributes:
        cursor: The parked notification that was the last probe; the next one is another.
        looks: How many looks one run of the workflow takes; the next run goes on.
        settling: Seconds until those are released too that were about to be parked when the circuit closed.
        is_new: Whether this is the first run.
        misses: How many notifications in a row were let go since somebody took the permit.
    """

    tenant_id: str
    circuit_id: str
    episode: int
    cursor: str | None = None
    looks: int = 200
    settling: float = 60.0
    is_new: bool = True
    misses: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a look at an open circuit found.

    Attributes:
        over: The circuit closed, or opened anew and has another owner.
        next_at: When to look again.
        misses: How many notifications in a row were let go, this one among them.
    """

    over: bool
    next_at: datetime
    cursor: str | None = None
    misses: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseOrder:
    """What is to be released after an outage; with `parked_after`, only what was parked then or later."""

    tenant_id: str
    circuit_id: str
    episode: int
    parked_after: datetime | None = None


def is_over(circuit: Circuit | None, episode: int) -> bool:
    """Tells whether an opening of a circuit is over."""
    return circuit is None or circuit.state is CircuitState.CLOSED or circuit.episode != episode
