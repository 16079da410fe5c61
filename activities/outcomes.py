"""What an attempt's end means: from an acceptance or an error to the record and to the workflow's answer. Pure."""

from dataclasses import replace

from activities import clock
from db.delivery import Claimed
from domain.errors import DeliveryError, NotSent, Rejected
from domain.notifications import AttemptRecord, Delivered, DeliveryOrder, Outcome
from domain.progress import after_outcome
from domain.reasons import Reason
from domain.status import Status
from providers.base import Accepted

_REASONS = {"uncertain": Reason.OUTCOME_UNKNOWN}


def accepted_record(order: DeliveryOrder, claim: Claimed, accepted: Accepted, *, follows: bool) -> AttemptRecord:
    """Returns the record of an accepted attempt; one that an image follows does not close the notification yet."""
    closes = order.closes and not follows
    return replace(
        _blank(order, claim, Outcome.ACCEPTED),
        provider_message_id=accepted.provider_message_id,
        closes=closes,
        awaited=not order.closes,
    )


def refused_record(order: DeliveryOrder, claim: Claimed, error: DeliveryError) -> AttemptRecord:
    """Returns the record of an attempt that ended with `error`."""
    return replace(
        _blank(order, claim, outcome_of(error)),
        error_code=reason_of(error.code).value,
        provider_code=error.provider_code,
        detail=error.detail[:500],
        retry_after=error.retry_after,
        awaited=True,
    )


def outcome_of(error: DeliveryError) -> Outcome:
    """Returns what an error proves; whatever is neither a refusal nor certainly unsent is doubt."""
    match error:
        case NotSent():
            return Outcome.NOT_SENT
        case Rejected():
            return Outcome.REFUSED
        case _:
            return Outcome.UNKNOWN


def reason_of(code: str) -> Reason:
    """Returns the reason code that an error's code is reported as."""
    return _REASONS.get(code) or Reason(code)


def delivered(record: AttemptRecord, *, outcome: Outcome | None = None, status: Status | None = None) -> Delivered:
    """Returns the workflow's answer for a record; the database may know better by a receipt that came early."""
    settled = outcome or record.outcome
    reason = Reason(record.error_code) if record.error_code and settled is not Outcome.ACCEPTED else None
    return Delivered(
        outcome=settled,
        status=status or after_outcome(settled, reason),
        at=record.at,
        reason=reason,
        retry_after=record.retry_after,
        message_id=record.message_id,
    )


def stopped(reason: Reason) -> Delivered:
    """Returns the answer for an order that was not attempted."""
    return Delivered(outcome=Outcome.STOPPED, status=Status.QUEUED, at=clock.now(), reason=reason)


def former(claim: Claimed) -> Delivered:
    """Returns the answer that an earlier execution of the same order recorded."""
    return Delivered(
        outcome=Outcome(claim.state),
        status=claim.message_status,
        at=clock.now(),
        reason=Reason(claim.error_code) if claim.error_code else None,
        retry_after=claim.retry_after,
        message_id=str(claim.message_id),
    )


def _blank(order: DeliveryOrder, claim: Claimed, outcome: Outcome) -> AttemptRecord:
    return AttemptRecord(
        tenant_id=order.tenant_id,
        notification_id=order.notification_id,
        message_id=str(claim.message_id),
        attempt_id=str(claim.attempt_id),
        outcome=outcome,
        at=clock.now(),
        part=order.part,
        page_id=order.page_id,
    )
