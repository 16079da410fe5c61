"""Holds what became of a message against the executable model of the protocol: can it have come to that?

The model has one hop and one message, so each hop of a notification is held against it alone. It knows neither
cancelling nor expiry; where those ended a notification, only its attempts have to be possible.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

from domain.notifications import OnUnknown, Outcome, Plan
from tests.chaos.evidence import AttemptRow, NotificationRow
from tests.domain.delivery_model import HOP, World, claim_send_record, moves

_MOST_ATTEMPTS = 8
_CRASHES = 3
_RECEIVED = {"sent", "delivered", "read"}
_BY_OTHERS = {"cancelled", "expired", "failed", "bounced"}
"""Ends that the model does not know, or knows for one reason only: `failed` also comes by a receipt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What became of one message.

    Attributes:
        attempts: Their outcomes in order.
        flagged: The numbers of those that may be duplicates.
        status: What the end has to show, in the model's words; None where that does not follow from this hop alone.
    """

    policy: str
    attempts: tuple[str, ...]
    flagged: tuple[int, ...]
    status: str | None = None


def of(row: NotificationRow, attempts: Sequence[AttemptRow]) -> Iterator[History]:
    """Yields the histories of a notification's messages that have come to an end."""
    main = [attempt for attempt in attempts if attempt.part == 0]
    hops = sorted({attempt.hop for attempt in main})
    for hop in hops:
        made = sorted((one for one in main if one.hop == hop), key=lambda one: one.number)
        open_ones = any(one.state == "sending" for one in made)  # what is left so is unexplained, not impossible
        if open_ones or [one.number for one in made] != list(range(1, len(made) + 1)):
            continue
        cut_short = row.expires_at is not None or row.cancel_requested
        alone = len(hops) == 1 and row.ended and not cut_short and row.status not in _BY_OTHERS
        yield History(
            policy=row.on_unknown,
            attempts=tuple(one.state for one in made),
            flagged=tuple(one.number for one in made if one.flagged),
            status=("sent" if row.status in _RECEIVED else row.status) if alone else None,
        )


@cache
def is_possible(history: History) -> bool:
    """Tells whether the model reaches this history; only worlds that can still become it are looked at."""
    outcomes = tuple(Outcome(state) for state in history.attempts)
    flagged = frozenset(history.flagged)
    plan = Plan(hops=(replace(HOP, max_attempts=_MOST_ATTEMPTS),), on_unknown=OnUnknown(history.policy))
    resumptions = sum(outcome is Outcome.REFUSED for outcome in outcomes[:-1])
    seen, pending = set[World](), [World(crashes=_CRASHES, resumptions=resumptions)]
    while pending:
        world = pending.pop()
        if world in seen or not _may_become(world, outcomes, flagged):
            continue
        if world.attempts == outcomes and world.flagged == flagged and _shows(world, history):
            return True
        seen.add(world)
        pending += moves(world, plan, claim_send_record)
    return False


def told(history: History) -> str:
    """Returns a history in words."""
    attempts = ", ".join(
        f"{state}{' (flagged)' if number in history.flagged else ''}"
        for number, state in enumerate(history.attempts, start=1)
    )
    end = f", then {history.status}" if history.status else ""
    return f"{attempts} under {history.policy}{end}: the model never comes to this"


def _may_become(world: World, outcomes: tuple[Outcome, ...], flagged: frozenset[int]) -> bool:
    if len(world.attempts) > len(outcomes) or not world.flagged <= flagged:
        return False
    return all(
        had is None or had is wanted or (had is Outcome.UNKNOWN and wanted is Outcome.ACCEPTED)
        for had, wanted in zip(world.attempts, outcomes, strict=False)
    )


def _shows(world: World, history: History) -> bool:
    return history.status is None or (world.ended is not None and world.status.value == history.status)
