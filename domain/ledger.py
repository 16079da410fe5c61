"""Where a notification's rows contradict each other: pure checks of what always holds between two transactions."""

from collections.abc import Sequence
from dataclasses import dataclass

from domain.findings import Kind
from domain.status import Status, after_receipt, failure_of, summarise


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRows:
    """A message with what its receipts say.

    Attributes:
        heard: The statuses that receipts told.
        unsettled: A receipt speaks of an attempt whose fate is still called open.
        accepted: Some provider took it at some time.
    """

    part: int
    status: Status
    awaited: bool
    heard: Sequence[Status] = ()
    unsettled: bool = False
    accepted: bool = False


def contradictions(status: Status, *, ended: bool, messages: Sequence[MessageRows]) -> frozenset[Kind]:
    """Returns what does not fit; a receipt that is about another attempt may seem not to, and is for a merge to tell.

    While a notification is open its workflow brings it up to its messages, so only its end is judged.
    """
    found = set()
    if any(_says_less(message) for message in messages):
        found.add(Kind.RECEIPT_NOT_APPLIED)
    if ended and any(message.awaited for message in messages):
        found.add(Kind.WAIT_AFTER_END)
    if ended and ended_as(status, messages) is not status:
        found.add(Kind.STATUS_DIVERGED)
    return frozenset(found)


def ended_as(status: Status, messages: Sequence[MessageRows], *, complete: bool = True) -> Status:
    """Returns how a notification that ended must stand: an achievement counts, then doubt, then what was decided.

    Without messages there is nothing to compare with. Unless the rows are `complete`, what they do not show may have
    happened all the same.
    """
    own = [message for message in messages if message.part == 0]
    statuses = [message.status for message in own]
    summary = summarise(statuses)
    if summary.reaches(Status.ACCEPTED) or summary is Status.UNKNOWN:
        return summary
    fell = status.reaches(Status.ACCEPTED) and summary.is_failure and any(message.accepted for message in own)
    return failure_of(statuses) if fell and complete else status


def _says_less(message: MessageRows) -> bool:
    return message.unsettled or any(after_receipt(message.status, news) is not message.status for news in message.heard)
