"""Receipts: matched to attempts by reference first and provider id second, and merged into where messages stand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from db import outbox
from db.delivery_tables import attempt, message, notification, receipt
from domain import keys
from domain.status import Status, advance, summarise


@dataclass(frozen=True, slots=True, kw_only=True)
class NewReceipt:
    """What a provider said about a message, ready to be stored; `callback_id` is the request that said it."""

    callback_id: UUID
    provider: str
    event_key: str
    status: Status
    raw_status: str
    occurred_at: datetime
    provider_message_id: str
    reference: str | None = None
    error_code: str | None = None
    provider_code: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Match:
    attempt_id: UUID
    message_id: UUID
    notification_id: UUID


@dataclass(slots=True, kw_only=True)
class _Standing:
    """A message under its notification's lock, changed by one receipt after the other."""

    message_id: UUID
    notification_id: UUID
    hop: int
    part: int
    status: Status
    success: Status
    awaited: bool
    changes: dict[str, Any]


_MATCH = text("""
SELECT a.id AS attempt_id, a.reference, a.provider_message_id, m.id AS message_id, m.notification_id
FROM attempt AS a JOIN message AS m ON m.tenant_id = a.tenant_id AND m.id = a.message_id
WHERE a.tenant_id = :tenant
  AND (a.reference = ANY(CAST(:refs AS text[])) OR a.provider_message_id = ANY(CAST(:ids AS text[])))
""")

_LOCK = text("""
SELECT m.id AS message_id, m.notification_id, m.hop, m.part, m.status, m.success, m.awaited
FROM notification AS n JOIN message AS m ON m.tenant_id = n.tenant_id AND m.notification_id = n.id
WHERE n.tenant_id = :tenant AND n.id = ANY(CAST(:ids AS uuid[]))
ORDER BY n.id, m.hop, m.part FOR NO KEY UPDATE OF n, m
""")

_SUMMARISE = text("""
UPDATE notification AS n SET updated_at = now(),
       status = :status, status_at = CASE WHEN n.status = :status THEN n.status_at ELSE now() END,
       reason = CASE WHEN n.status = :status THEN n.reason WHEN :failed THEN :reason END,
       accepted_at = coalesce(n.accepted_at, seen.accepted_at), sent_at = coalesce(n.sent_at, seen.sent_at),
       delivered_at = coalesce(n.delivered_at, seen.delivered_at), read_at = coalesce(n.read_at, seen.read_at),
       external_id = coalesce(n.external_id, seen.external_id)
FROM (SELECT min(accepted_at) AS accepted_at, min(sent_at) AS sent_at, min(delivered_at) AS delivered_at,
             min(read_at) AS read_at, (array_agg(provider_message_id ORDER BY hop DESC))[1] AS external_id
      FROM message WHERE tenant_id = :tenant AND notification_id = :id AND part = 0) AS seen
WHERE n.tenant_id = :tenant AND n.id = :id
""")

_MOMENTS = {Status.SENT: "sent_at", Status.DELIVERED: "delivered_at", Status.READ: "read_at"}


async def add(connection: AsyncConnection, tenant_id: UUID, receipts: Sequence[NewReceipt]) -> int:
    """Stores receipts, applies those that are new, and returns how many of them belong to no message yet."""
    if not receipts:
        return 0
    matches = await _matches(connection, tenant_id, receipts)
    rows = [_row(tenant_id, item, matches.get(item.event_key)) for item in receipts]
    statement = insert(receipt).on_conflict_do_nothing().returning(receipt.c.event_key)
    fresh = set((await connection.execute(statement, rows)).scalars())
    news = [(item, matches[item.event_key]) for item in receipts if item.event_key in fresh & matches.keys()]
    await _apply(connection, tenant_id, news)
    return len(fresh - matches.keys())


async def tenants_with_orphans(connection: AsyncConnection) -> list[UUID]:
    """Returns the tenants for whom receipts came, within the last eight days, that belong to no message yet."""
    # Providers repeat callbacks for up to seven days; an older orphan is somebody else's message.
    recent = receipt.c.received_at > func.now() - timedelta(days=8)
    asked = select(receipt.c.tenant_id).where(receipt.c.message_id.is_(None), recent).distinct()
    return list((await connection.execute(asked)).scalars())


async def adopt(connection: AsyncConnection, tenant_id: UUID, *, limit: int = 500) -> int:
    """Gives receipts that came before their message could be known to their message, and returns how many."""
    columns = [receipt.c[name] for name in NewReceipt.__dataclass_fields__]
    known = select(attempt.c.id).where(
        attempt.c.tenant_id == tenant_id,
        (attempt.c.provider_message_id == receipt.c.provider_message_id) | (attempt.c.reference == receipt.c.reference),
    )
    orphans = select(*columns).where(receipt.c.tenant_id == tenant_id, receipt.c.message_id.is_(None), known.exists())
    rows = (await connection.execute(orphans.order_by(receipt.c.received_at).limit(limit))).mappings().all()
    found = [NewReceipt(**{**row, "status": Status(row["status"])}) for row in rows]
    matches = await _matches(connection, tenant_id, found)
    for item in found:
        match = matches[item.event_key]
        where = (receipt.c.tenant_id == tenant_id, receipt.c.provider == item.provider)
        await connection.execute(
            update(receipt)
            .where(*where, receipt.c.event_key == item.event_key)
            .values(message_id=match.message_id, attempt_id=match.attempt_id)
        )
    await _apply(connection, tenant_id, [(item, matches[item.event_key]) for item in found])
    return len(found)


async def _matches(
    connection: AsyncConnection, tenant_id: UUID, receipts: Sequence[NewReceipt]
) -> Mapping[str, _Match]:
    asked = {
        "tenant": tenant_id,
        "refs": [item.reference for item in receipts if item.reference],
        "ids": [item.provider_message_id for item in receipts],
    }
    rows = (await connection.execute(_MATCH, asked)).mappings().all() if receipts else []
    by_reference = {row["reference"]: row for row in rows}
    by_id = {row["provider_message_id"]: row for row in rows if row["provider_message_id"]}
    found = {}
    for item in receipts:
        row = by_reference.get(item.reference) or by_id.get(item.provider_message_id)
        if row is not None:
            found[item.event_key] = _Match(
                attempt_id=row["attempt_id"], message_id=row["message_id"], notification_id=row["notification_id"]
            )
    return found


def _row(tenant_id: UUID, item: NewReceipt, match: _Match | None) -> dict[str, Any]:
    fields = {name: getattr(item, name) for name in NewReceipt.__dataclass_fields__}
    return {
        **fields,
        "tenant_id": tenant_id,
        "id": uuid_utils.compat.uuid7(),
        "status": item.status.value,
        "message_id": match.message_id if match else None,
        "attempt_id": match.attempt_id if match else None,
    }


async def _apply(connection: AsyncConnection, tenant_id: UUID, news: Sequence[tuple[NewReceipt, _Match]]) -> None:
    if not news:
        return
    ids = sorted({match.notification_id for _, match in news})
    rows = (await connection.execute(_LOCK, {"tenant": tenant_id, "ids": ids})).mappings()
    standings = {row["message_id"]: _standing(dict(row)) for row in rows}
    for item, match in news:
        before = standings[match.message_id].status
        _merge(standings[match.message_id], item)
        await _settle_attempt(connection, tenant_id, item, match)
        await _wake(connection, tenant_id, item, standings[match.message_id], before)
    for standing in standings.values():
        if standing.changes:
            where = (message.c.tenant_id == tenant_id, message.c.id == standing.message_id)
            await connection.execute(update(message).where(*where).values(standing.changes))
    for notification_id in ids:
        mine = [s for s in standings.values() if s.notification_id == notification_id and s.part == 0]
        await _summarise(connection, tenant_id, notification_id, mine)


def _standing(row: dict[str, Any]) -> _Standing:
    return _Standing(**{**row, "status": Status(row["status"]), "success": Status(row["success"]), "changes": {}})


def _merge(standing: _Standing, item: NewReceipt) -> None:
    """Advances a message by a receipt; a receipt that says less than is known changes nothing but its own moment."""
    changes = standing.changes
    changes["provider_message_id"] = item.provider_message_id
    changes["accepted_at"] = func.coalesce(message.c.accepted_at, item.occurred_at)
    moment = "failed_at" if item.status.is_failure else _MOMENTS.get(item.status)
    if moment is not None and moment not in changes:
        changes[moment] = item.occurred_at
    after = advance(standing.status, item.status)
    if after is not standing.status:
        standing.status = after
        changes["status"] = after.value
        changes["status_at"] = item.occurred_at
        changes["reason"] = (item.error_code or "delivery_failed") if after.is_failure else None


async def _settle_attempt(connection: AsyncConnection, tenant_id: UUID, item: NewReceipt, match: _Match) -> None:
    """Ends an attempt whose fate was open: whoever reports on a message has taken it."""
    open_states = ("sending", "unknown")
    where = (attempt.c.tenant_id == tenant_id, attempt.c.id == match.attempt_id, attempt.c.state.in_(open_states))
    values = {
        "state": "accepted",
        "settled_by": "receipt",
        "provider_message_id": item.provider_message_id,
        "finished_at": item.occurred_at,
    }
    await connection.execute(update(attempt).where(*where).values(values))


async def _wake(
    connection: AsyncConnection, tenant_id: UUID, item: NewReceipt, standing: _Standing, before: Status
) -> None:
    """Leaves a signal for a workflow that waits, if the news can change what it does."""
    decisive = standing.status.is_failure or standing.status.reaches(standing.success) or before is Status.UNKNOWN
    if not standing.awaited or not decisive or standing.status is before or standing.part != 0:
        return
    await outbox.add_signal(
        connection,
        tenant_id,
        keys.notification_workflow(str(standing.notification_id)),
        signal="receipt",
        cause=item.event_key,
        arguments=[standing.hop, standing.status.value],
    )


async def _summarise(
    connection: AsyncConnection, tenant_id: UUID, notification_id: UUID, standings: Sequence[_Standing]
) -> None:
    """Brings the notification up to its messages; while its workflow may still fall back, a failure does not end it."""
    where = (notification.c.tenant_id == tenant_id, notification.c.id == notification_id)
    row = (await connection.execute(select(notification.c.status, notification.c.ended_at).where(*where))).one()
    summary = summarise(standing.status for standing in standings)
    settled = row.ended_at is not None and summary is not Status.QUEUED
    after = summary if settled else advance(Status(row.status), summary) if summary.reaches(Status.ACCEPTED) else None
    reasons = [standing.changes["reason"] for standing in standings if standing.changes.get("reason")]
    asked = {
        "tenant": tenant_id,
        "id": notification_id,
        "status": (after or Status(row.status)).value,
        "reason": reasons[-1] if reasons else None,
        "failed": after is not None and after.is_failure,
    }
    await connection.execute(_SUMMARISE, asked)
