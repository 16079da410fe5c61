"""What was decided about notifications, and how they end.

Decisions of a workflow are numbered upwards from 1, those made beside it have numbers below zero (`domain.keys`).
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.delivery_tables import attempt, decision, message, notification
from db.parking import GOING_ON
from domain.notifications import Decision, Ending
from domain.reasons import Reason
from domain.status import Status, summarise


async def add(connection: AsyncConnection, tenant_id: UUID, decided: Mapping[str, Sequence[Decision]]) -> None:
    """Records decisions by notification id; their sequence numbers keep a repetition from counting twice."""
    rows = [_row(tenant_id, name, item) for name, items in decided.items() for item in items]
    if rows:
        await connection.execute(insert(decision).on_conflict_do_nothing(), rows)


async def note(
    connection: AsyncConnection,
    tenant_id: UUID,
    notification_id: UUID,
    *,
    sequence: int,
    kind: str,
    reason: Reason,
    hop: int,
    detail: Mapping[str, Any],
) -> bool:
    """Records what was decided beside the workflow, and tells whether it is new."""
    values = {
        "tenant_id": tenant_id,
        "id": uuid_utils.compat.uuid7(),
        "notification_id": notification_id,
        "sequence": sequence,
        "hop": hop,
        "kind": kind,
        "reason": reason.value,
        "detail": dict(detail),
    }
    return bool((await connection.execute(insert(decision).values(values).on_conflict_do_nothing())).rowcount)


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
    """Ends a notification and returns its status: what its messages achieved counts more than what was decided.

    Of two ends the first one stands, as far as its messages do not know better.
    """
    notification_id = UUID(ending.notification_id)
    where = (notification.c.tenant_id == tenant_id, notification.c.id == notification_id)
    columns = (notification.c.status, notification.c.ended_at)
    found = (await connection.execute(select(*columns).where(*where).with_for_update(key_share=True))).one()
    before, first = Status(found.status), found.ended_at is None
    await close_attempts(connection, tenant_id, notification_id)
    summary = summarise((await statuses(connection, tenant_id, notification_id)).values())
    after = _ended(before, summary, ending.status if first else before)
    ended_at = func.coalesce(notification.c.ended_at, func.now())
    values: dict[str, Any] = {"status": after.value, "ended_at": ended_at, "updated_at": func.now(), **GOING_ON}
    if after is not before:
        values["status_at"] = func.now()
    if after is ending.status and first:
        values["reason"] = ending.reason.value if ending.reason else None
    elif after is Status.UNKNOWN:
        values["reason"] = Reason.OUTCOME_UNKNOWN.value
    await connection.execute(update(notification).where(*where).values(values))
    await _stop_waiting(connection, tenant_id, notification_id)
    await add(connection, tenant_id, {ending.notification_id: ending.decisions})
    return after


def _ended(before: Status, summary: Status, decided: Status) -> Status:
    """Returns how it ends: an achievement first, then doubt, then a cancellation that was answered, then `decided`."""
    if summary.reaches(Status.ACCEPTED) or summary is Status.UNKNOWN:
        return summary
    return before if before is Status.CANCELLED else decided


async def close_attempts(connection: AsyncConnection, tenant_id: UUID, notification_id: UUID) -> None:
    """Calls attempts unknown that a dead process left open: news may end a notification before they are found."""
    mine = select(message.c.id).where(message.c.tenant_id == tenant_id, message.c.notification_id == notification_id)
    where = (attempt.c.tenant_id == tenant_id, attempt.c.message_id.in_(mine), attempt.c.state == "sending")
    values = {"state": "unknown", "error_code": Reason.OUTCOME_UNKNOWN.value, "finished_at": func.now()}
    closed = update(attempt).where(*where).values(values).returning(attempt.c.message_id)
    doubtful = list((await connection.execute(closed)).scalars())
    if doubtful:
        queued = (message.c.tenant_id == tenant_id, message.c.id.in_(doubtful), message.c.status == "queued")
        doubt = {"status": "unknown", "status_at": func.now(), "reason": Reason.OUTCOME_UNKNOWN.value}
        await connection.execute(update(message).where(*queued).values(doubt))


async def _stop_waiting(connection: AsyncConnection, tenant_id: UUID, notification_id: UUID) -> None:
    waiting = (message.c.tenant_id == tenant_id, message.c.notification_id == notification_id, message.c.awaited)
    await connection.execute(update(message).where(*waiting).values(awaited=False))


async def statuses(connection: AsyncConnection, tenant_id: UUID, notification_id: UUID) -> dict[int, Status]:
    """Returns where the messages of a notification stand, by hop; images that follow are left out."""
    asked = select(message.c.hop, message.c.status).where(
        message.c.tenant_id == tenant_id, message.c.notification_id == notification_id, message.c.part == 0
    )
    return {row.hop: Status(row.status) for row in await connection.execute(asked)}
