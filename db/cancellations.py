"""Cancelling: under the lock that a claim takes too, so that one of both always sees the other."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.acceptance import bucket
from db.delivery_tables import notification, tombstone
from db.parking import GOING_ON
from domain.status import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A notification under its lock."""

    id: UUID
    status: Status
    reason: str | None
    cancel_requested_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Underway:
    """The message that is, or may be, with a provider."""

    id: UUID
    channel: str
    status: Status
    attempt_state: str
    claimed_at: datetime
    accepted_at: datetime | None


_STANDING = (
    notification.c.id,
    notification.c.status,
    notification.c.reason,
    notification.c.cancel_requested_at,
    notification.c.ended_at,
)

# What was taken counts before what may have been, the latest hop before the ones that led to it.
_UNDERWAY = text("""
SELECT m.id, m.channel, m.status, a.state AS attempt_state, a.claimed_at, m.accepted_at
FROM message AS m JOIN attempt AS a ON a.tenant_id = m.tenant_id AND a.message_id = m.id
WHERE m.tenant_id = :tenant AND m.notification_id = :notification
  AND (a.state IN ('sending', 'accepted', 'unknown') OR m.accepted_at IS NOT NULL)
ORDER BY m.accepted_at IS NULL, m.part, m.hop DESC, a.number DESC LIMIT 1
""")


async def lock(connection: AsyncConnection, tenant_id: UUID, notification_id: UUID) -> Standing | None:
    """Returns a notification that nobody claims, records or ends while this transaction lasts."""
    return await _standing(connection, tenant_id, notification.c.id == notification_id)


async def lock_by_key(connection: AsyncConnection, tenant_id: UUID, key: str) -> Standing | None:
    """Returns the notification of an idempotency key, locked as by `lock`."""
    return await _standing(connection, tenant_id, notification.c.idempotency_key == key)


async def underway(connection: AsyncConnection, tenant_id: UUID, notification_id: UUID) -> Underway | None:
    """Returns the message of a locked notification that was handed over, or may have been."""
    asked = {"tenant": tenant_id, "notification": notification_id}
    row = (await connection.execute(_UNDERWAY, asked)).mappings().one_or_none()
    return Underway(**{**row, "status": Status(row["status"])}) if row else None


async def stop(connection: AsyncConnection, tenant_id: UUID, notification_id: UUID) -> Standing:
    """Ends a locked notification as cancelled, and returns it."""
    values: dict[str, Any] = {
        "status": Status.CANCELLED.value,
        "reason": "cancelled",
        "status_at": func.now(),
        "ended_at": func.now(),
    }
    return await _request(connection, tenant_id, notification_id, **values)


async def stop_rest(connection: AsyncConnection, tenant_id: UUID, notification_id: UUID) -> Standing:
    """Notes that no further message may be attempted for a locked notification, and returns it."""
    return await _request(connection, tenant_id, notification_id)


async def forbid_accepting(connection: AsyncConnection, tenant_id: UUID, key: str, *, patience: float) -> None:
    """Waits until nobody accepts a notification under `key`, and keeps everybody from it in this transaction."""
    asked = {"patience": f"{int(patience * 1000)}ms", "bucket": bucket(tenant_id, key)}
    statement = text("SELECT set_config('lock_timeout', :patience, true), pg_advisory_xact_lock(:bucket)")
    await connection.execute(statement, asked)


async def bury(connection: AsyncConnection, tenant_id: UUID, key: str) -> bool:
    """Leaves a tombstone on a key and tells whether it is new; call `forbid_accepting` before."""
    statement = insert(tombstone).values(tenant_id=tenant_id, id=uuid_utils.compat.uuid7(), idempotency_key=key)
    return bool((await connection.execute(statement.on_conflict_do_nothing())).rowcount)


async def _standing(connection: AsyncConnection, tenant_id: UUID, condition: Any) -> Standing | None:
    query = select(*_STANDING).where(notification.c.tenant_id == tenant_id, condition).with_for_update(key_share=True)
    row = (await connection.execute(query)).mappings().one_or_none()
    return Standing(**{**row, "status": Status(row["status"])}) if row else None


async def _request(connection: AsyncConnection, tenant_id: UUID, notification_id: UUID, **values: Any) -> Standing:
    statement = (
        update(notification)
        .where(notification.c.tenant_id == tenant_id, notification.c.id == notification_id)
        .values(
            cancel_requested_at=func.coalesce(notification.c.cancel_requested_at, func.now()),
            updated_at=func.now(),
            **GOING_ON,
            **values,
        )
        .returning(*_STANDING)
    )
    row = (await connection.execute(statement)).mappings().one()
    return Standing(**{**row, "status": Status(row["status"])})
