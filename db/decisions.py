"""What was decided about notifications, and how they end."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.delivery_tables import attempt, decision, message, notification
from domain.notifications import Decision, Ending
from domain.reasons import Reason
from domain.status import Status, advance


async def add(connection: AsyncConnection, tenant_id: UUID, decided: Mapping[str, Sequence[Decision]]) -> None:
    """Records decisions by notification id; their sequence numbers keep a repetition from counting twice."""
    rows = [_row(tenant_id, name, item) for name, items in decided.items() for item in items]
    if rows:
        await connection.execute(insert(decision).on_conflict_do_nothing(), rows)


def _row(tenant_id: UUID, notification_id: str, item: Decision) -> dict[str, Any]:
    detail = {
        "until": item.until.isoformat() if item.until else None,
        "channel": item.channel,
    }
    return {
        "tenant_id": tenant_id,
        "id": uuid_utils.compat.uuid7(),
        "notification_id": UUID(notification_id),
        "sequence": item.sequence,
        "hop": item.hop,
        "kind": item.kind,
        "reason": item.reason.value,
        "detail": {name: value for name, value in detail.items() if value is not None},
    }


async def end(connection: AsyncConnection, tenant_id: UUID, ending: Ending) -> Status:
    """Ends a notification and returns its status: receipts that came meanwhile may have settled it better."""
    where = (notification.c.tenant_id == tenant_id, notification.c.id == UUID(ending.notification_id))
    lock = select(notification.c.status).where(*where).with_for_update(key_share=True)
    before = Status((await connection.execute(lock)).scalar_one())
    after = advance(before, ending.status)
    reason = ending.reason.value if ending.reason and after is ending.status else notification.c.reason
    values = {"status": after.value, "reason": reason, "ended_at": func.now(), "updated_at": func.now()}
    if after is not before:
        values["status_at"] = func.now()
    await connection.execute(update(notification).where(*where).values(values))
    await _close_attempts(connection, tenant_id, UUID(ending.notification_id))
    await _stop_waiting(connection, tenant_id, UUID(ending.notification_id))
    await add(connection, tenant_id, {ending.notification_id: ending.decisions})
    return after


async def _close_attempts(connection: AsyncConnection, tenant_id: UUID, notification_id: UUID) -> None:
    """Calls attempts unknown that a dead process left open: news may end a notification before they are found."""
    mine = select(message.c.id).where(message.c.tenant_id == tenant_id, message.c.notification_id == notification_id)
    where = (attempt.c.tenant_id == tenant_id, attempt.c.message_id.in_(mine), attempt.c.state == "sending")
    values = {"state": "unknown", "error_code": Reason.OUTCOME_UNKNOWN.value, "finished_at": func.now()}
    await connection.execute(update(attempt).where(*where).values(values))


async def _stop_waiting(connection: AsyncConnection, tenant_id: UUID, notification_id: UUID) -> None:
    waiting = (message.c.tenant_id == tenant_id, message.c.notification_id == notification_id, message.c.awaited)
    await connection.execute(update(message).where(*waiting).values(awaited=False))


async def statuses(connection: AsyncConnection, tenant_id: UUID, notification_id: UUID) -> dict[int, Status]:
    """Returns where the messages of a notification stand, by hop; images that follow are left out."""
    asked = select(message.c.hop, message.c.status).where(
        message.c.tenant_id == tenant_id, message.c.notification_id == notification_id, message.c.part == 0
    )
    return {row.hop: Status(row.status) for row in await connection.execute(asked)}
