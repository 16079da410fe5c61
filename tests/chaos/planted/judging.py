"""Bugs in what is made of an attempt that is in doubt."""

from dataclasses import replace
from typing import Any

from activities import outcomes
from db import delivery, records
from domain import routing
from domain.errors import DeliveryError
from domain.notifications import Hop, Outcome, Plan
from domain.progress import Progress
from domain.status import Status
from tests.chaos.planted.registry import WORKER, bug, swap
from tests.chaos.report import Kind


@bug(WORKER, finds={Kind.DUPLICATED, Kind.FAILED_ALTHOUGH_ACCEPTED})
def unknown_counts_as_not_sent() -> None:
    """A time-out counts as not sent, so the next attempt follows after a pause."""
    swap(outcomes, "outcome_of", _doubt_is(Outcome.NOT_SENT))


@bug(WORKER, finds={Kind.FAILED_ALTHOUGH_ACCEPTED})
def unknown_counts_as_refused() -> None:
    """A time-out counts as a refusal, so the notification fails."""
    swap(outcomes, "outcome_of", _doubt_is(Outcome.REFUSED))


def _doubt_is(outcome: Outcome) -> Any:
    def made(outcome_of: Any) -> Any:
        def judged(error: DeliveryError) -> Outcome:
            found: Outcome = outcome_of(error)
            return outcome if found is Outcome.UNKNOWN else found

        return judged

    return made


@bug(WORKER, finds={Kind.DUPLICATED})
def possible_duplicate_not_flagged() -> None:
    """An attempt after one in doubt does not say that it may be a duplicate."""

    def unflagged(asked: Any) -> Any:
        def fields(*given: Any) -> Any:
            found = asked(*given)
            return {**found, "duplicates": [False for _ in found["duplicates"]]}

        return fields

    swap(delivery, "_asked", unflagged)


@bug(WORKER, finds={Kind.FAILED_ALTHOUGH_ACCEPTED, Kind.IMPOSSIBLE_HISTORY})
def last_attempt_decides() -> None:
    """A notification fails when its last attempt was refused, whatever is in doubt of the earlier ones."""

    def last(after_attempt: Any) -> Any:
        def status(current: Status, news: Status) -> Status:
            if news is Status.REJECTED and current is Status.UNKNOWN:
                return news
            found: Status = after_attempt(current, news)
            return found

        return status

    swap(records, "after_attempt", last)
    swap(routing, "_is_in_doubt", lambda _: lambda _state: False)


@bug(WORKER, finds={Kind.DUPLICATED})
def doubt_falls_back() -> None:
    """An attempt in doubt goes on to the next channel, although nobody let it."""

    def anyway(after_unknown: Any) -> Any:
        def step(plan: Plan, progress: Progress, hop: Hop, *more: Any) -> Any:
            return after_unknown(plan, progress, replace(hop, after_unknown=True), *more)

        return step

    swap(routing, "_after_unknown", anyway)
