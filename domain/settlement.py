"""What a person's word about an attempt in doubt does to its message and its notification: pure decisions."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from domain.reasons import Reason
from domain.status import Status, advance, after_receipt, failure_of, summarise


class Verdict(StrEnum):
    """What a person found out about an attempt that nobody could say anything of."""

    SENT = "sent"
    NOT_SENT = "not_sent"


REASONS = {Verdict.SENT: Reason.SETTLED_SENT, Verdict.NOT_SENT: Reason.SETTLED_NOT_SENT}
STATES = {Verdict.SENT: "accepted", Verdict.NOT_SENT: "not_sent"}
"""The state that a verdict gives to its attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """Another attempt of the same message.

    Attributes:
        failure: What a receipt said of it, where it said that it did not arrive.
        reason: Code of why it was refused or failed.
    """

    state: str
    failure: Status | None = None
    reason: str | None = None


def message_after(current: Status, verdict: Verdict, others: Sequence[Beside]) -> tuple[Status, str | None]:
    """Returns the status of the message, with its reason, after one of its attempts was settled.

    `not_sent` only takes the doubt away: what other attempts proved, or left in doubt, stays.
    """
    match verdict:
        case Verdict.SENT:
            return after_receipt(current, Status.ACCEPTED), None
        case Verdict.NOT_SENT:
            if current is not Status.UNKNOWN or any(other.state in {"sending", "unknown"} for other in others):
                return current, None
            return _without_doubt(others)
        case _ as never:
            assert_never(never)


def notification_after(current: Status, messages: Sequence[Status], *, ended: bool) -> Status:
    """Returns the status of the notification after one of its messages was settled.

    `failed` only when every attempt was definitely refused; while its workflow goes on, it is `queued` again.
    """
    summary = summarise(messages)
    if summary.reaches(Status.ACCEPTED):
        return summary if ended else advance(current, summary)
    if current is not Status.UNKNOWN or summary is Status.UNKNOWN:
        return current
    return failure_of(messages) if ended else Status.QUEUED


def _without_doubt(others: Sequence[Beside]) -> tuple[Status, str | None]:
    """Returns how a message stands of whose attempts the last doubtful one was not sent."""
    for other in reversed(others):
        if other.failure is not None:
            return other.failure, other.reason
    for other in reversed(others):
        if other.state == "refused":
            return Status.REJECTED, other.reason
    return Status.QUEUED, Reason.SETTLED_NOT_SENT.value
