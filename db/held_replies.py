"""Messages that may mean several series: kept until a person says which one hears them, or that none does."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from db.callbacks import NewInbound
from db.delivery_tables import inbound_message
from db.series_tables import flow, held_reply, series


@dataclass(frozen=True, slots=True, kw_only=True)
class NewHeld:
    """A message to be held, why, and the series that it may mean."""

    inbound_message_id: UUID
    reason: str
    candidates: Sequence[UUID]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldReply:
    """A message that is held, or was."""

    id: UUID
    inbound_message_id: UUID
    reason: str
    candidates: Sequence[UUID]
    state: str
    series_id: UUID | None
    settled_by: str | None
    settled_reason: str | None
    created_at: datetime
    settled_at: datetime | None
    author_kind: str
    author: str = field(repr=False)
    author_name: str | None = field(repr=False)
    kind: str
    body: str | None = field(repr=False)
    payload: str | None = field(repr=False)
    occurred_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A series that a held message may mean, and how it stands now."""

    id: UUID
    flow: str
    key: str
    step: str | None
    status: str


_MESSAGE = ("author_kind", "author", "author_name", "kind", "body", "payload", "occurred_at")
_COLUMNS = (
    *(held_reply.c[name] for name in HeldReply.__dataclass_fields__ if name not in _MESSAGE),
    *(inbound_message.c[name] for name in _MESSAGE),
)
_JOINED = held_reply.join(
    inbound_message,
    (inbound_message.c.tenant_id == held_reply.c.tenant_id) & (inbound_message.c.id == held_reply.c.inbound_message_id),
)


async def hold(connection: AsyncConnection, tenant_id: UUID, held: Sequence[NewHeld]) -> None:
    """Keeps messages for a person."""
    if not held:
        return
    rows = [
        {
            "tenant_id": tenant_id,
            "id": uuid_utils.compat.uuid7(),
            "inbound_message_id": one.inbound_message_id,
            "reason": one.reason,
            "candidates": list(one.candidates),
        }
        for one in held
    ]
    await connection.execute(insert(held_reply), rows)


async def page(
    connection: AsyncConnection, tenant_id: UUID, *, state: str | None, authors: Sequence[str] | None, limit: int,
    before: UUID | None,
) -> list[HeldReply]:  # fmt: skip
    """Returns held messages, the newest first."""
    asked = select(*_COLUMNS).select_from(_JOINED).where(held_reply.c.tenant_id == tenant_id)
    if state is not None:
        asked = asked.where(held_reply.c.state == state)
    if authors is not None:
        asked = asked.where(inbound_message.c.author.in_(authors))
    if before is not None:
        asked = asked.where(held_reply.c.id < before)
    rows = await connection.execute(asked.order_by(held_reply.c.id.desc()).limit(limit))
    return [HeldReply(**row) for row in rows.mappings()]


async def get(connection: AsyncConnection, tenant_id: UUID, held_id: UUID, *, lock: bool = False) -> HeldReply | None:
    """Returns a held message; `lock` keeps others from settling it in this transaction."""
    asked = (
        select(*_COLUMNS).select_from(_JOINED).where(held_reply.c.tenant_id == tenant_id, held_reply.c.id == held_id)
    )
    locked = asked.with_for_update(of=held_reply) if lock else asked
    row = (await connection.execute(locked)).mappings().one_or_none()
    return HeldReply(**row) if row else None


async def candidates(connection: AsyncConnection, tenant_id: UUID, ids: Sequence[UUID]) -> dict[UUID, Candidate]:
    """Returns how series stand that messages may mean."""
    asked = (
        select(series.c.id, flow.c.name.label("flow"), series.c.key, series.c.step, series.c.status)
        .select_from(series.join(flow, (flow.c.tenant_id == series.c.tenant_id) & (flow.c.id == series.c.flow_id)))
        .where(series.c.tenant_id == tenant_id, series.c.id.in_(ids))
    )
    return {row["id"]: Candidate(**row) for row in (await connection.execute(asked)).mappings()}


async def message(connection: AsyncConnection, tenant_id: UUID, inbound_id: UUID) -> NewInbound:
    """Returns a stored message as it came."""
    columns = [inbound_message.c[name] for name in NewInbound.__dataclass_fields__]
    asked = select(*columns).where(inbound_message.c.tenant_id == tenant_id, inbound_message.c.id == inbound_id)
    return NewInbound(**(await connection.execute(asked)).mappings().one())


async def settle(
    connection: AsyncConnection, tenant_id: UUID, held_id: UUID, *, state: str, by: str, reason: str | None,
    series_id: UUID | None = None,
) -> None:  # fmt: skip
    """Writes down what a person decided."""
    asked = update(held_reply).where(held_reply.c.tenant_id == tenant_id, held_reply.c.id == held_id)
    values: dict[str, Any] = {"state": state, "settled_by": by, "settled_reason": reason, "series_id": series_id}
    await connection.execute(asked.values(settled_at=func.now(), **values))


async def count_open(connection: AsyncConnection, tenant_id: UUID, *, most: int) -> int:
    """Returns how many messages wait for a person, `most` of them counted."""
    asked = select(held_reply.c.id).where(held_reply.c.tenant_id == tenant_id, held_reply.c.state == "open")
    counted = select(func.count()).select_from(asked.limit(most).subquery())
    count: int = (await connection.execute(counted)).scalar_one()
    return count


_OPEN = text("""
SELECT reason, count(*) AS count FROM (SELECT reason FROM held_reply WHERE state = 'open' LIMIT :most) AS h
GROUP BY reason
""")


async def open_by_reason(connection: AsyncConnection, *, most: int) -> dict[str, int]:
    """Returns how many messages of all tenants are held for each reason, looking at `most` of them."""
    rows: Any = await connection.execute(_OPEN, {"most": most})
    return {row.reason: row.count for row in rows}
