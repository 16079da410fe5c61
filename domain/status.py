"""How the status of a message advances: a monotone merge, so that order and repetition of receipts do not matter."""

from collections.abc import Iterable
from enum import StrEnum


class Status(StrEnum):
    """Where a message or a notification stands."""

    QUEUED = "queued"
    ACCEPTED = "accepted"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    REJECTED = "rejected"
    FAILED = "failed"
    BOUNCED = "bounced"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"

    @property
    def is_final(self) -> bool:
        """Tells whether nothing more will be done (a late receipt may still land)."""
        return self in _ENDS

    @property
    def is_failure(self) -> bool:
        """Tells whether the provider or Carillon said that it did not arrive."""
        return self in _FAILURES

    def reaches(self, wanted: "Status") -> bool:
        """Tells whether this status fulfils `wanted` (`read` implies `delivered`, and so on)."""
        return self in _STEPS and _STEPS.index(self) >= _STEPS.index(wanted)


_STEPS = (Status.QUEUED, Status.ACCEPTED, Status.SENT, Status.DELIVERED, Status.READ)
_FAILURES = frozenset({Status.REJECTED, Status.FAILED, Status.BOUNCED})
_ENDS = _FAILURES | {Status.EXPIRED, Status.CANCELLED, Status.UNKNOWN, Status.READ}

# The merge order. A failure outranks `sent` (it is later news) and `delivered` outranks a failure (it is proof).
# `unknown` is below everything a provider can tell, because it only says that nobody told us.
_RANK = {
    Status.QUEUED: 0,
    Status.UNKNOWN: 1,
    Status.EXPIRED: 1,
    Status.CANCELLED: 1,
    Status.ACCEPTED: 2,
    Status.SENT: 3,
    Status.REJECTED: 4,
    Status.FAILED: 4,
    Status.BOUNCED: 5,
    Status.DELIVERED: 6,
    Status.READ: 7,
}


def advance(current: Status, news: Status) -> Status:
    """Returns the status after `news`: never backwards, whatever the order in which receipts arrive.

    A late `sent` does not undo `delivered`, `read` implies `delivered`, and a `delivered` after `failed` wins.
    """
    return news if _RANK[news] > _RANK[current] else current


def after_attempt(current: Status, news: Status) -> Status:
    """Returns the status of a message after one of its attempts ended.

    A refusal only speaks of its own attempt: it leaves alone what another attempt proved, or left in doubt.
    """
    if news is Status.REJECTED and current is not Status.QUEUED:
        return current
    return after_receipt(current, news)


def after_receipt(current: Status, news: Status) -> Status:
    """Returns the status of a message after news of what was handed over, by a receipt or by another attempt.

    A message that is `rejected` is so by an attempt's refusal, which says nothing of its other attempts: whatever is
    heard of those counts.
    """
    refused = current is Status.REJECTED and news is not Status.QUEUED
    return advance(Status.QUEUED if refused else current, news)


def summarise(statuses: Iterable[Status]) -> Status:
    """Returns where a notification stands whose messages have these statuses.

    What any message achieved counts; else doubt; and only when every message failed, the last failure.
    """
    result = Status.QUEUED
    failure: Status | None = None
    for status in statuses:
        if status.is_failure:
            failure = status
        else:
            result = advance(result, status)
    if result is Status.QUEUED and failure is not None:
        return failure
    return result


def failure_of(statuses: Iterable[Status]) -> Status:
    """Returns how a notification ends whose messages all came to nothing: `bounced` if one came back, else `failed`."""
    return Status.BOUNCED if Status.BOUNCED in statuses else Status.FAILED
