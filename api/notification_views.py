"""Wire models of what callers read: notifications, their messages and attempts."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from api.models import JsonObject, Shown
from api.paging import Page
from db.notifications import Attempt as StoredAttempt
from db.notifications import Message as StoredMessage
from db.notifications import Notification as StoredNotification
from domain.notifications import LANES
from domain.reasons import SENTENCES, Reason
from domain.status import Status

_LANES = {number: lane.value for lane, number in LANES.items()}


class Accepted(Shown):
    """A notification that was accepted; the same for every repetition of its request."""

    id: UUID
    idempotency_key: str
    status: Literal["queued"] = "queued"
    created_at: datetime


class Resource(Shown):
    """What a notification is about."""

    type: str
    id: str


class Parked(Shown):
    """What keeps a notification that cannot go on by itself, and since when."""

    at: datetime
    cause: str
    sentence: str | None = Field(description="The cause in words, with what to do about it.")
    account: UUID | None = Field(description="The account whose trouble it is, where it is one's.")


class Attempt(Shown):
    """One try of a message; the provider gets `reference` and gives it back in its receipts."""

    id: UUID
    number: int
    reference: str
    state: Literal["sending", "accepted", "not_sent", "refused", "unknown"]
    possible_duplicate: bool
    reason: str | None
    provider_code: str | None
    detail: str | None
    retry_after: int | None
    provider_message_id: str | None
    settled_by: str | None
    claimed_at: datetime
    finished_at: datetime | None


class Message(Shown):
    """One hop of a notification over one channel; `part` 1 is the image that follows a message."""

    id: UUID
    hop: int
    part: int
    channel: str
    provider: str
    account_id: UUID
    address: dict[str, str]
    locale: str
    snapshot_hash: str | None
    success: str
    status: Status
    status_at: datetime
    reason: str | None
    provider_message_id: str | None
    created_at: datetime
    accepted_at: datetime | None
    sent_at: datetime | None
    delivered_at: datetime | None
    read_at: datetime | None
    failed_at: datetime | None
    attempts: list[Attempt]


class Notification(Shown):
    """A notification and where it stands."""

    id: UUID
    idempotency_key: str
    to: dict[str, str] = Field(description="One of recipient, phone, email, whatsapp_user.")
    receiver_id: UUID | None = Field(description="The recipient's id here, where the recipient is known.")
    template: str
    version: int = Field(description="Number of the template's version.")
    data: JsonObject
    channels: list[str] | None
    channel: str | None = Field(description="Over which it went, or is going.")
    provider: str | None
    external_id: str | None = Field(description="The provider's id of the message.")
    sender: UUID | None
    locale: str | None
    resource: Resource | None
    trigger: str | None
    metadata: JsonObject
    attachments: list[JsonObject]
    critical: bool
    lane: str
    fallback: JsonObject
    on_unknown: str
    send_at: datetime | None
    expires_at: datetime | None
    status: Status
    status_at: datetime
    reason: str | None
    reason_text: str | None = Field(description="The reason in a sentence.")
    original_notification_id: UUID | None
    series_id: UUID | None = Field(description="The series whose step it is.")
    series_step: str | None
    replied_at: datetime | None = Field(description="When somebody first answered it in words.")
    acted_at: datetime | None = Field(description="When somebody first tapped one of its buttons.")
    acted_on: str | None = Field(description="What that button says.")
    cancel_requested_at: datetime | None
    created_at: datetime
    updated_at: datetime
    accepted_at: datetime | None
    sent_at: datetime | None
    delivered_at: datetime | None
    read_at: datetime | None
    ended_at: datetime | None
    parked: Parked | None = Field(description="Null unless it waits for somebody to mend what keeps it.")


class NotificationDetail(Notification):
    """A notification with its messages and every attempt."""

    messages: list[Message]


class NotificationPage(Page[Notification]):
    """A page of notifications."""


def shown(row: StoredNotification) -> Notification:
    """Returns a notification as callers see it."""
    return Notification(**_fields(row))


def shown_in_full(
    row: StoredNotification, messages: list[StoredMessage], attempts: list[StoredAttempt]
) -> NotificationDetail:
    """Returns a notification with its messages and attempts as callers see them."""
    tried: dict[UUID, list[Attempt]] = {message.id: [] for message in messages}
    for attempt in attempts:
        tried[attempt.message_id].append(Attempt(**_plain(attempt), reason=attempt.error_code))
    return NotificationDetail(
        **_fields(row),
        messages=[
            Message(**_plain(message), address={message.address_kind: message.address}, attempts=tried[message.id])
            for message in messages
        ],
    )


def sentence(reason: str | None) -> str | None:
    """Returns a reason in words, where it is one of ours."""
    return SENTENCES[Reason(reason)] if reason in set(Reason) else None


def _fields(row: StoredNotification) -> dict[str, Any]:
    about = row.resource_type is not None and row.resource_id is not None
    own = {name: getattr(row, name) for name in Notification.model_fields if hasattr(row, name)}
    return {
        **own,
        "to": {row.to_kind: row.to},
        "data": dict(row.data),
        "metadata": dict(row.metadata),
        "fallback": dict(row.fallback),
        "attachments": [dict(item) for item in row.attachments],
        "provider": row.provider_id,
        "resource": Resource(type=row.resource_type or "", id=row.resource_id or "") if about else None,
        "trigger": row.trigger_type,
        "lane": _LANES[row.lane],
        "reason_text": sentence(row.reason),
        "parked": parked(row),
    }


def parked(row: StoredNotification) -> Parked | None:
    """Returns what keeps a notification, if anything does."""
    if row.parked_at is None or row.parked_cause is None:
        return None
    said = sentence(row.parked_cause)
    return Parked(at=row.parked_at, cause=row.parked_cause, sentence=said, account=row.parked_account_id)


def _plain(row: StoredMessage | StoredAttempt) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__dataclass_fields__ if name not in _REPLACED}


_REPLACED = {"address", "address_kind", "message_id", "error_code"}
