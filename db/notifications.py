"""Notifications as people read them: found by what they are about, and each with its messages and attempts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, not_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from db.delivery_tables import attempt, message, notification
from db.tables import recipient, template_version


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """A notification as it stands; `version` is the number of its template's version."""

    id: UUID
    idempotency_key: str
    to: str
    to_kind: str
    receiver_id: UUID | None
    channels: Sequence[str] | None
    channel: str | None
    template: str
    template_version_id: UUID
    version: int
    data: Mapping[str, Any] = field(repr=False)
    locale: str | None
    trigger_type: str | None
    resource_type: str | None
    resource_id: str | None
    metadata: Mapping[str, Any]
    attachments: Sequence[Mapping[str, Any]] = field(repr=False)
    sender: UUID | None
    critical: bool
    lane: int
    fallback: Mapping[str, Any]
    on_unknown: str
    send_at: datetime | None
    expires_at: datetime | None
    status: str
    status_at: datetime
    reason: str | None
    provider_id: str | None
    external_id: str | None
    original_notification_id: UUID | None
    cancel_requested_at: datetime | None
    created_at: datetime
    updated_at: datetime
    accepted_at: datetime | None
    sent_at: datetime | None
    delivered_at: datetime | None
    read_at: datetime | None
    ended_at: datetime | None
    parked_at: datetime | None
    parked_cause: str | None
    parked_account_id: UUID | None
    page_id: UUID | None
    series_id: UUID | None
    series_step: str | None
    replied_at: datetime | None
    acted_at: datetime | None
    acted_on: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try of a message."""

    id: UUID
    message_id: UUID
    number: int
    reference: str
    state: str
    possible_duplicate: bool
    error_code: str | None
    provider_code: str | None
    detail: str | None
    retry_after: int | None
    provider_message_id: str | None
    settled_by: str | None
    claimed_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One hop of a notification over one channel."""

    id: UUID
    hop: int
    part: int
    channel: str
    provider: str
    account_id: UUID
    address_kind: str
    address: str = field(repr=False)
    locale: str
    snapshot_hash: str | None
    success: str
    status: str
    status_at: datetime
    reason: str | None
    provider_message_id: str | None
    created_at: datetime
    accepted_at: datetime | None
    sent_at: datetime | None
    delivered_at: datetime | None
    read_at: datetime | None
    failed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which notifications are wanted; what is not set does not restrict.

    Attributes:
        trigger: A trigger, or the beginning of one when it ends with `*`.
        recipient: The tenant's own id of a recipient.
        to: Ways in which one address may be written.
        parked: The cause for which it is parked, or `true` for whichever.
        answered: Whether somebody replied to it or tapped a button.
        metadata: Alternatives, of which the metadata must hold one for each key.
    """

    resource_type: str | None = None
    resource_id: str | None = None
    trigger: str | None = None
    recipient: str | None = None
    to: Sequence[str] | None = None
    status: Sequence[str] = ()
    channel: str | None = None
    template: str | None = None
    parked: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    metadata: Sequence[Sequence[Mapping[str, Any]]] = ()
    idempotency_key: str | None = None
    original_notification_id: UUID | None = None
    series_id: UUID | None = None
    series_step: str | None = None
    answered: bool | None = None
    acted_on: str | None = None


ANY_CAUSE = "true"
_HIDDEN = {"tenant_id", "request_hash", "held_until", "held_reason", "taps", "quiet"}
_SHOWN = (
    *(column for column in notification.c if column.name not in _HIDDEN),
    template_version.c.number.label("version"),
)
_EQUAL = (
    "resource_type",
    "resource_id",
    "channel",
    "template",
    "idempotency_key",
    "original_notification_id",
    "series_id",
    "series_step",
    "acted_on",
)
_ANSWERED = or_(notification.c.replied_at.is_not(None), notification.c.acted_at.is_not(None))
# Ids are made a moment before `created_at`, on another machine's clock.
_SLACK = timedelta(minutes=5)


async def get(connection: AsyncConnection, tenant_id: UUID, notification_id: UUID) -> Notification | None:
    """Returns a notification."""
    query = selected(tenant_id).where(notification.c.id == notification_id)
    row = (await connection.execute(query)).mappings().one_or_none()
    return Notification(**row) if row else None


async def exists(connection: AsyncConnection, tenant_id: UUID, notification_id: UUID) -> bool:
    """Tells whether there is such a notification."""
    query = select(notification.c.id).where(notification.c.tenant_id == tenant_id, notification.c.id == notification_id)
    return (await connection.execute(query)).one_or_none() is not None


async def page(
    connection: AsyncConnection, tenant_id: UUID, *, wanted: Filter, limit: int, before: UUID | None
) -> list[Notification]:
    """Returns notifications, the newest first."""
    query = _filtered(selected(tenant_id), tenant_id, wanted)
    if before is not None:
        query = query.where(notification.c.id < before)
    rows = await connection.execute(query.order_by(notification.c.id.desc()).limit(limit))
    return [Notification(**row) for row in rows.mappings()]


async def some(connection: AsyncConnection, tenant_id: UUID, ids: Sequence[UUID]) -> list[Notification]:
    """Returns the notifications with these ids, the newest first."""
    query = selected(tenant_id).where(notification.c.id.in_(ids)).order_by(notification.c.id.desc())
    return [Notification(**row) for row in (await connection.execute(query)).mappings()]


async def messages(connection: AsyncConnection, tenant_id: UUID, notification_id: UUID) -> list[Message]:
    """Returns the messages of a notification, hop by hop."""
    columns = [message.c[name] for name in Message.__dataclass_fields__]
    query = select(*columns).where(message.c.tenant_id == tenant_id, message.c.notification_id == notification_id)
    rows = await connection.execute(query.order_by(message.c.hop, message.c.part))
    return [Message(**row) for row in rows.mappings()]


async def attempts(connection: AsyncConnection, tenant_id: UUID, message_ids: Sequence[UUID]) -> list[Attempt]:
    """Returns the attempts of messages, in the order of their numbers."""
    columns = [attempt.c[name] for name in Attempt.__dataclass_fields__]
    query = select(*columns).where(attempt.c.tenant_id == tenant_id, attempt.c.message_id.in_(message_ids))
    rows = await connection.execute(query.order_by(attempt.c.message_id, attempt.c.number))
    return [Attempt(**row) for row in rows.mappings()]


def first_id(moment: datetime) -> UUID:
    """Returns the lowest id that can be made at a moment (UUIDv7 begins with 48 bits of milliseconds)."""
    milliseconds = min(max(int(moment.timestamp() * 1000), 0), 2**48 - 1)
    return UUID(int=milliseconds << 80)


def selected(tenant_id: UUID) -> Select[Any]:
    """Returns the query of a tenant's notifications, whose rows make a `Notification` each."""
    of = (template_version.c.tenant_id == tenant_id) & (template_version.c.id == notification.c.template_version_id)
    return select(*_SHOWN).join_from(notification, template_version, of).where(notification.c.tenant_id == tenant_id)


def _filtered(query: Select[Any], tenant_id: UUID, wanted: Filter) -> Select[Any]:
    for name in _EQUAL:
        if (value := getattr(wanted, name)) is not None:
            query = query.where(notification.c[name] == value)
    if wanted.trigger is not None:
        query = query.where(triggered(wanted.trigger))
    if wanted.recipient is not None:
        owner = select(recipient.c.id).where(
            recipient.c.tenant_id == tenant_id, recipient.c.external_id == wanted.recipient
        )
        query = query.where(notification.c.receiver_id == owner.scalar_subquery())
    if wanted.to is not None:
        query = query.where(notification.c.to.in_(wanted.to))
    if wanted.status:
        query = query.where(notification.c.status.in_(wanted.status))
    if wanted.parked is not None:
        query = query.where(notification.c.parked_at.is_not(None))
    if wanted.parked not in {None, ANY_CAUSE}:
        query = query.where(notification.c.parked_cause == wanted.parked)
    if wanted.answered is not None:
        query = query.where(_ANSWERED if wanted.answered else not_(_ANSWERED))
    return _described(query, wanted)


def _described(query: Select[Any], wanted: Filter) -> Select[Any]:
    """Restricts what it says of itself, and the time of its creation."""
    for alternatives in wanted.metadata:
        query = query.where(or_(*(notification.c.metadata.contains(item) for item in alternatives)))
    return _between(query, wanted.created_after, wanted.created_before)


def triggered(trigger: str) -> Any:
    """Returns the condition of a trigger, or of the beginning of one that ends with `*`."""
    if trigger.endswith("*"):
        return notification.c.trigger_type.startswith(trigger[:-1], autoescape=True)
    return notification.c.trigger_type == trigger


def _between(query: Select[Any], after: datetime | None, before: datetime | None) -> Select[Any]:
    """Restricts the time of creation; the ids, which begin with it, let the index find the place."""
    if after is not None:
        query = query.where(notification.c.created_at >= after, notification.c.id >= first_id(after - _SLACK))
    if before is not None:
        query = query.where(notification.c.created_at < before, notification.c.id < first_id(before + _SLACK))
    return query
