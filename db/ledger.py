"""The ledger as its check reads it, page by page, and how what contradicts itself is mended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from db import receipt_effects
from db.care_tables import finding
from db.delivery_tables import attempt, message, notification, receipt
from db.receipt_effects import Match, NewReceipt
from domain.findings import Repair
from domain.ledger import MessageRows, ended_as
from domain.reasons import Reason
from domain.status import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """A notification with its messages, as far as the check needs them."""

    tenant_id: UUID
    id: UUID
    status: Status
    ended: bool
    messages: tuple[MessageRows, ...]


_ROWS = """
SELECT n.tenant_id, n.id, n.status, n.ended_at IS NOT NULL AS ended, coalesce(mine.messages, '[]'::jsonb) AS messages
FROM notification AS n CROSS JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_object(
        'part', m.part, 'status', m.status, 'awaited', m.awaited, 'accepted', m.accepted_at IS NOT NULL,
        'heard', (SELECT coalesce(jsonb_agg(DISTINCT r.status), '[]'::jsonb) FROM receipt AS r
                  WHERE r.tenant_id = m.tenant_id AND r.message_id = m.id),
        'unsettled', EXISTS (SELECT FROM attempt AS a JOIN receipt AS r ON r.tenant_id = a.tenant_id
                                                                       AND r.message_id = m.id AND r.attempt_id = a.id
                             WHERE a.tenant_id = m.tenant_id AND a.message_id = m.id
                               AND a.state IN ('sending', 'unknown'))
    ) ORDER BY m.hop, m.part) AS messages
    FROM message AS m WHERE m.tenant_id = n.tenant_id AND m.notification_id = n.id
) AS mine
"""
_PAGE = text(f"{_ROWS} WHERE (n.tenant_id, n.id) > (:tenant, :id) ORDER BY n.tenant_id, n.id LIMIT :limit")
_ONE = text(f"{_ROWS} WHERE n.tenant_id = :tenant AND n.id = :id")
_LOCK = text("SELECT id FROM notification WHERE tenant_id = :tenant AND id = :id FOR NO KEY UPDATE")


async def page(connection: AsyncConnection, *, after: tuple[UUID, UUID], limit: int) -> list[LedgerRow]:
    """Returns the notifications after `(tenant id, notification id)`, whoever they belong to."""
    rows = await connection.execute(_PAGE, {"tenant": after[0], "id": after[1], "limit": limit})
    return [_row(row) for row in rows.mappings()]


async def read(connection: AsyncConnection, tenant_id: UUID, notification_id: UUID) -> LedgerRow | None:
    """Locks a notification until the transaction ends, and returns it."""
    asked = {"tenant": tenant_id, "id": notification_id}
    await connection.execute(_LOCK, asked)
    row = (await connection.execute(_ONE, asked)).mappings().one_or_none()
    return _row(row) if row else None


async def merge_again(connection: AsyncConnection, tenant_id: UUID, notification_id: UUID) -> None:
    """Applies every receipt of a notification once more, in the order in which they came."""
    columns = [receipt.c[name] for name in NewReceipt.__dataclass_fields__]
    asked = (
        select(*columns, receipt.c.message_id, receipt.c.attempt_id)
        .join(message, (message.c.tenant_id == tenant_id) & (message.c.id == receipt.c.message_id))
        .where(receipt.c.tenant_id == tenant_id, message.c.notification_id == notification_id)
        .order_by(receipt.c.received_at, receipt.c.id)
    )
    news = []
    for row in (await connection.execute(asked)).mappings():
        fields = {name: row[name] for name in NewReceipt.__dataclass_fields__}
        match = Match(attempt_id=row["attempt_id"], message_id=row["message_id"], notification_id=notification_id)
        news.append((NewReceipt(**{**fields, "status": Status(row["status"])}), match))
    await receipt_effects.apply(connection, tenant_id, news)


async def close_waits(connection: AsyncConnection, tenant_id: UUID, notification_id: UUID) -> bool:
    """Lets no message of a notification wait any more, and tells whether one did."""
    where = (message.c.tenant_id == tenant_id, message.c.notification_id == notification_id, message.c.awaited)
    return bool((await connection.execute(update(message).where(*where).values(awaited=False))).rowcount)


async def summarise_again(connection: AsyncConnection, tenant_id: UUID, row: LedgerRow) -> Status:
    """Brings a notification that ended up to its messages, and returns its status."""
    complete = not await _was_ended_by_repair(connection, tenant_id, row.id)
    status = ended_as(row.status, row.messages, complete=complete)
    if status is not row.status:
        reason = Reason.OUTCOME_UNKNOWN.value if status is Status.UNKNOWN else None
        if status.is_failure:
            reason = Reason.DELIVERY_FAILED.value
        values = {"status": status.value, "reason": reason, "status_at": func.now(), "updated_at": func.now()}
        where = (notification.c.tenant_id == tenant_id, notification.c.id == row.id)
        await connection.execute(update(notification).where(*where).values(values))
    return status


async def attempt_states(connection: AsyncConnection, tenant_id: UUID, notification_id: UUID) -> Sequence[str]:
    """Returns the states of all attempts of a notification, in an order of their own."""
    mine = select(message.c.id).where(message.c.tenant_id == tenant_id, message.c.notification_id == notification_id)
    asked = select(attempt.c.state).where(attempt.c.tenant_id == tenant_id, attempt.c.message_id.in_(mine))
    return list((await connection.execute(asked.order_by(attempt.c.id))).scalars())


async def _was_ended_by_repair(connection: AsyncConnection, tenant_id: UUID, notification_id: UUID) -> bool:
    """Tells whether a notification was ended without its workflow: its rows may lack what happened to it."""
    asked = select(finding.c.id).where(
        finding.c.tenant_id == tenant_id,
        finding.c.subject_type == "notification",
        finding.c.subject_id == str(notification_id),
        finding.c.repair == Repair.ENDED.value,
    )
    return (await connection.execute(asked.limit(1))).first() is not None


def _row(row: Mapping[Any, Any]) -> LedgerRow:
    messages = [
        MessageRows(**{**item, "status": Status(item["status"]), "heard": [Status(name) for name in item["heard"]]})
        for item in row["messages"]
    ]
    return LedgerRow(
        tenant_id=row["tenant_id"],
        id=row["id"],
        status=Status(row["status"]),
        ended=row["ended"],
        messages=tuple(messages),
    )
