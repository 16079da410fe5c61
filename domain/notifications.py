"""A notification on its way: the plan made for it, the orders to deliver, and what came of them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.reasons import Reason
from domain.recipients import Channel
from domain.status import Status


class OnUnknown(StrEnum):
    """What to do when nobody can say whether a message was accepted."""

    PREFER_SILENCE = "prefer_silence"
    PREFER_DUPLICATE = "prefer_duplicate"


class Lane(StrEnum):
    """How urgent a notification is; `LANES` gives the number that orders the outbox."""

    CRITICAL = "critical"
    TRANSACTIONAL = "transactional"
    BULK = "bulk"


LANES = {Lane.CRITICAL: 0, Lane.TRANSACTIONAL: 1, Lane.BULK: 2}


class Outcome(StrEnum):
    """How one attempt ended."""

    ACCEPTED = "accepted"
    NOT_SENT = "not_sent"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    STOPPED = "stopped"  # nothing was attempted: cancelled, expired or suppressed at the last moment
    HELD = "held"  # nothing was attempted: a limit or trouble with the account says later


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationInput:
    """What the workflow of a notification starts with: ids and times, nothing personal."""

    tenant_id: str
    notification_id: str
    send_at: datetime | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternate:
    """Another account of a hop's channel, to go on with when the first one has trouble."""

    provider: str
    account_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One channel to try, and when it counts as having worked.

    Attributes:
        alternates: Further accounts of the channel, the preferred ones first.
        locale: The locale of the template's part that is sent.
        reader_locale: The locale in which dates and numbers are written; the part's own where nobody asked.
        within: Seconds to wait for `success` before the next hop; None waits for nothing.
        quarantine: Seconds within which a receipt normally settles an uncertain attempt.
        after_unknown: Whether the next hop may follow an outcome that stayed unknown.
    """

    index: int
    channel: Channel
    provider: str
    account_id: str
    address_id: str | None
    locale: str
    reader_locale: str | None = None
    success: Status = Status.ACCEPTED
    within: float | None = None
    quarantine: float = 120.0
    after_unknown: bool = False
    max_attempts: int = 8
    alternates: tuple[Alternate, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedHop:
    """A channel that was asked for and cannot be tried, and why."""

    channel: Channel
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a notification will be delivered: the hops in order, and those that were left out."""

    hops: tuple[Hop, ...]
    skipped: tuple[SkippedHop, ...] = ()
    on_unknown: OnUnknown = OnUnknown.PREFER_SILENCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Something the workflow decided, for the timeline; numbered so that it is recorded once."""

    sequence: int
    kind: str  # delayed | retry | fallback | skipped | doubt | failover | parked | resumed
    reason: Reason
    hop: int | None = None
    until: datetime | None = None
    channel: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryOrder:
    """One attempt to make: of which notification, over which hop, with which number.

    Attributes:
        part: 0 for the message itself, 1 for the image that follows it.
        possible_duplicate: An earlier attempt's outcome stayed unknown and the policy prefers a duplicate.
        closes: Acceptance ends the notification; nothing waits for a receipt.
        reserved_for: The instant that the limits gave to this attempt, where it waited for its turn.
        at: When its workflow asked for it, by Temporal's clock.
        page_id: The page that makes this attempt; what needs more gets a workflow of its own in the same commit.
    """

    tenant_id: str
    notification_id: str
    hop: Hop
    number: int
    part: int = 0
    possible_duplicate: bool = False
    closes: bool = True
    reserved_for: datetime | None = None
    at: datetime | None = None
    page_id: str | None = None
    decisions: tuple[Decision, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """What is to be recorded of a finished attempt; everything in it may be recorded again without harm."""

    tenant_id: str
    notification_id: str
    message_id: str
    attempt_id: str
    outcome: Outcome
    at: datetime
    part: int = 0
    provider: str = ""
    provider_message_id: str | None = None
    error_code: str | None = None
    provider_code: str | None = None
    detail: str | None = None
    retry_after: float | None = None
    snapshot_hash: str | None = None
    closes: bool = False
    awaited: bool = False
    page_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkOrder:
    """A notification that cannot go on until its cause is mended, and the decisions made on the way to it."""

    tenant_id: str
    notification_id: str
    cause: Reason
    account_id: str | None = None
    decisions: tuple[Decision, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a notification ends, and the decisions that were not recorded on the way."""

    tenant_id: str
    notification_id: str
    status: Status
    reason: Reason | None = None
    decisions: tuple[Decision, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What came of one order.

    Attributes:
        status: Where the message stands now, receipts that came early included.
        retry_after: Seconds the provider asked to wait.
        follow_up: An image is to follow as a message of its own.
        at: When it was recorded.
        until: When to ask again, for one that is held; None where nobody can say yet.
        reserved_for: The instant that the limits reserved for it.
        closed: The notification was ended with it; nothing is left to write.
        unrecorded: The outcome is known but the database did not take it; the workflow records it.
    """

    outcome: Outcome
    status: Status
    at: datetime
    reason: Reason | None = None
    retry_after: float | None = None
    follow_up: bool = False
    message_id: str | None = None
    until: datetime | None = None
    reserved_for: datetime | None = None
    closed: bool = False
    unrecorded: AttemptRecord | None = None
