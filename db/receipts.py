"""Receipts: stored once, matched to attempts by reference first and by the provider's id second."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from db import callback_locks, opt_outs, receipt_effects
from db.delivery_tables import attempt, receipt
from db.opt_outs import Refusal
from db.receipt_effects import Match, NewReceipt
from db.series_replies import Understood
from domain.status import Status

__all__ = ["Match", "NewReceipt", "add", "adopt", "apply", "refusals_of", "store", "tenants_with_orphans"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """Receipts that are new, with what they speak of, and how many belong to no message yet."""

    news: Sequence[tuple[NewReceipt, Match]]
    orphans: int


_MATCH = text("""
SELECT a.id AS attempt_id, a.reference, a.provider_message_id, m.id AS message_id, m.notification_id
FROM attempt AS a JOIN message AS m ON m.tenant_id = a.tenant_id AND m.id = a.message_id
WHERE a.tenant_id = :tenant
  AND (a.reference = ANY(CAST(:refs AS text[])) OR a.provider_message_id = ANY(CAST(:ids AS text[])))
""")
_STORE = insert(receipt).on_conflict_do_nothing().returning(receipt.c.provider, receipt.c.event_key)


async def add(connection: AsyncConnection, tenant_id: UUID, receipts: Sequence[NewReceipt]) -> int:
    """Stores receipts, applies those that are new, and returns how many of them belong to no message yet."""
    stored = await store(connection, tenant_id, receipts)
    await apply(connection, tenant_id, stored.news)
    return stored.orphans


async def store(connection: AsyncConnection, tenant_id: UUID, receipts: Sequence[NewReceipt]) -> Stored:
    """Stores receipts, and returns what the new ones are about; nothing of theirs is locked or changed yet."""
    if not receipts:
        return Stored(news=(), orphans=0)
    once: dict[tuple[str, str], NewReceipt] = {}
    for item in receipts:  # the first that says a thing counts
        once.setdefault(_key(item), item)
    matches = await _matches(connection, tenant_id, receipts)
    rows = [_row(tenant_id, item, matches.get(key)) for key, item in sorted(once.items())]
    fresh = {(row.provider, row.event_key) for row in await connection.execute(_STORE, rows)}
    known = fresh & matches.keys()
    news = [(item, matches[key]) for key, item in once.items() if key in known]
    return Stored(news=news, orphans=len(fresh - matches.keys()))


async def apply(connection: AsyncConnection, tenant_id: UUID, news: Sequence[tuple[NewReceipt, Match]]) -> None:
    """Merges new receipts into their messages, and notes what refusals say about addresses."""
    await receipt_effects.apply(connection, tenant_id, news)
    await opt_outs.refused(connection, tenant_id, refusals_of(news))


def refusals_of(news: Sequence[tuple[NewReceipt, Match]]) -> list[Refusal]:
    """Returns what receipts say of messages that were refused."""
    return [
        Refusal(
            cause=f"receipt/{item.provider}/{item.event_key}",
            message_id=match.message_id,
            error_code=item.error_code,
            provider_code=item.provider_code,
            at=item.occurred_at,
        )
        for item, match in news
        if item.status.is_failure
    ]


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
    free = orphans.order_by(receipt.c.received_at).limit(limit).with_for_update(skip_locked=True, of=receipt)
    rows = (await connection.execute(free)).mappings().all()
    found = [NewReceipt(**{**row, "status": Status(row["status"])}) for row in rows]
    matches = await _matches(connection, tenant_id, found)
    for item in found:
        match = matches[_key(item)]
        where = (receipt.c.tenant_id == tenant_id, receipt.c.provider == item.provider)
        await connection.execute(
            update(receipt)
            .where(*where, receipt.c.event_key == item.event_key)
            .values(message_id=match.message_id, attempt_id=match.attempt_id)
        )
    news = [(item, matches[_key(item)]) for item in found]
    await callback_locks.lock(connection, tenant_id, news, Understood(known=(), unclear=()))
    await opt_outs.lock(connection, tenant_id, refusals=refusals_of(news))
    await apply(connection, tenant_id, news)
    return len(found)


def _key(item: NewReceipt) -> tuple[str, str]:
    return item.provider, item.event_key


async def _matches(
    connection: AsyncConnection, tenant_id: UUID, receipts: Sequence[NewReceipt]
) -> Mapping[tuple[str, str], Match]:
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
            found[_key(item)] = Match(
                attempt_id=row["attempt_id"], message_id=row["message_id"], notification_id=row["notification_id"]
            )
    return found


def _row(tenant_id: UUID, item: NewReceipt, match: Match | None) -> dict[str, Any]:
    fields = {name: getattr(item, name) for name in NewReceipt.__dataclass_fields__}
    return {
        **fields,
        "tenant_id": tenant_id,
        "id": uuid_utils.compat.uuid7(),
        "status": item.status.value,
        "message_id": match.message_id if match else None,
        "attempt_id": match.attempt_id if match else None,
    }
