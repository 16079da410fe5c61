"""What a notification waits for now, and until when: read off its ledger by the rules that its workflow follows."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from domain.backoff import backoff
from domain.reasons import Reason
from domain.status import Status


class Awaits(StrEnum):
    """What ends a wait."""

    ITS_TIME = "its_time"
    A_WORKER = "a_worker"
    SOMEBODY = "somebody"
    AN_ANSWER = "an_answer"
    A_RETRY = "a_retry"
    EVIDENCE = "evidence"
    CONFIRMATION = "confirmation"
    ITS_TURN = "its_turn"
    THE_NEXT_STEP = "the_next_step"


@dataclass(frozen=True, slots=True, kw_only=True)
class LastAttempt:
    """The newest attempt of a message itself, with what its hop waits for.

    Attributes:
        made: Which attempt of its message it is, counted since the last resumption.
        awaited: The workflow waits for what is heard of the message.
        within: Seconds to wait for `success` before the next channel.
        quarantine: Seconds to wait for evidence where the attempt is in doubt.
    """

    message_id: str
    number: int
    made: int
    state: str
    claimed_at: datetime
    finished_at: datetime | None
    retry_after: float | None
    channel: str
    message_status: Status
    success: Status
    awaited: bool
    within: float | None
    quarantine: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What the database knows of a notification on its way.

    Attributes:
        parked_until: When it goes on although nobody mended anything, or expires.
        in_line: The start of its workflow waits for a worker.
        held: Why limits or quiet hours hold it, and until when, where that is not over.
    """

    ended: bool
    send_at: datetime | None
    expires_at: datetime | None
    parked_cause: Reason | None
    parked_until: datetime | None
    in_line: bool
    last: LastAttempt | None
    held: tuple[Reason, datetime] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What a notification waits for; `until` is the instant at which it goes on by itself."""

    awaits: Awaits
    reason: Reason | None = None
    until: datetime | None = None


def look_ahead(ledger: Ledger, now: datetime) -> Outlook | None:
    """Returns what a notification waits for now; nothing once it has ended."""
    if ledger.ended:
        return None
    if ledger.parked_cause is not None:
        return Outlook(awaits=Awaits.SOMEBODY, reason=ledger.parked_cause, until=ledger.parked_until)
    if ledger.last is None and ledger.send_at is not None and ledger.send_at > now:
        return Outlook(
            awaits=Awaits.ITS_TIME, reason=Reason.SCHEDULED, until=_no_later_than(ledger.expires_at, ledger.send_at)
        )
    if ledger.held is not None:
        reason, until = ledger.held
        awaits = Awaits.ITS_TIME if reason is Reason.QUIET_HOURS else Awaits.ITS_TURN
        return Outlook(awaits=awaits, reason=reason, until=_no_later_than(ledger.expires_at, until))
    if ledger.last is not None:
        return _after(ledger.last, ledger.expires_at)
    return Outlook(awaits=Awaits.A_WORKER if ledger.in_line else Awaits.THE_NEXT_STEP)


def _after(last: LastAttempt, expires_at: datetime | None) -> Outlook:
    """Returns what follows the last attempt."""
    at = last.finished_at or last.claimed_at
    if last.message_status.reaches(Status.ACCEPTED):
        return _until_confirmed(last, at)
    match last.state:
        case "sending":
            return Outlook(awaits=Awaits.AN_ANSWER)
        case "not_sent":
            due = at + backoff(last.message_id, last.made, last.retry_after)
            return Outlook(awaits=Awaits.A_RETRY, reason=Reason.RETRY_LATER, until=_no_later_than(expires_at, due))
        case "unknown":
            settled_by = at + timedelta(seconds=last.quarantine)
            return Outlook(
                awaits=Awaits.EVIDENCE, reason=Reason.OUTCOME_UNKNOWN, until=_no_later_than(expires_at, settled_by)
            )
        case _:  # refused, or taken and failed: the next step follows at once
            return Outlook(awaits=Awaits.THE_NEXT_STEP)


def _until_confirmed(last: LastAttempt, at: datetime) -> Outlook:
    if not last.awaited or last.within is None or last.message_status.reaches(last.success):
        return Outlook(awaits=Awaits.THE_NEXT_STEP)
    until = at + timedelta(seconds=last.within)
    return Outlook(awaits=Awaits.CONFIRMATION, reason=Reason.NOT_CONFIRMED_IN_TIME, until=until)


def _no_later_than(expires_at: datetime | None, until: datetime) -> datetime:
    return until if expires_at is None else min(until, expires_at)
