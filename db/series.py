"""Series: how they begin, where they stand, what they hear, and how they end; every change under the row's lock."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from db.json import plain
from db.series_tables import flow, flow_version, series, series_entry, series_hearing, series_tombstone
from domain.flow_state import Heard


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A series as it stands."""

    tenant_id: UUID
    id: UUID
    flow_id: UUID
    flow_version_id: UUID
    flow: str
    flow_status: str
    version: int
    key: str
    to: str = field(repr=False)
    to_kind: str
    receiver_id: UUID | None
    zone: str | None
    anchors: Mapping[str, str]
    data: Mapping[str, Any] = field(repr=False)
    event: Mapping[str, Any] = field(repr=False)
    resource_type: str | None
    resource_id: str | None
    status: str
    reason: str | None
    detail: str | None
    step: str | None
    place: int
    state: Mapping[str, Any] = field(repr=False)
    wakes: Sequence[Any]
    next_at: datetime | None
    heard: int
    unheard: int
    entries: int
    request_hash: bytes | None
    started_at: datetime
    updated_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSeries:
    """A series to be stored."""

    flow_id: UUID
    flow_version_id: UUID
    key: str | None
    to: str = field(repr=False)
    to_kind: str
    receiver_id: UUID | None
    zone: str | None
    anchors: Mapping[str, str]
    data: Mapping[str, Any] = field(repr=False)
    event: Mapping[str, Any] = field(repr=False)
    resource_type: str | None
    resource_id: str | None
    idempotency_key: str | None = None
    request_hash: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a series' timeline."""

    kind: str
    at: datetime
    step: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


COLUMNS = (
    *(series.c[name] for name in Series.__dataclass_fields__ if name not in {"flow", "flow_status", "version"}),
    flow.c.name.label("flow"),
    flow.c.status.label("flow_status"),
    flow_version.c.number.label("version"),
)
JOINED = series.join(flow, (flow.c.tenant_id == series.c.tenant_id) & (flow.c.id == series.c.flow_id)).join(
    flow_version,
    (flow_version.c.tenant_id == series.c.tenant_id) & (flow_version.c.id == series.c.flow_version_id),
)


async def lock_key(connection: AsyncConnection, tenant_id: UUID, flow_id: UUID, key: str, *, patience: float) -> None:
    """Makes starts and stops of one key wait for each other until this transaction ends, `patience` seconds at most."""
    digest = hashlib.sha256(f"series|{tenant_id}|{flow_id}|{key}".encode()).digest()
    asked = {"patience": f"{int(patience * 1000)}ms", "number": int.from_bytes(digest[:8], signed=True)}
    statement = text("SELECT set_config('lock_timeout', :patience, true), pg_advisory_xact_lock(:number)")
    await connection.execute(statement, asked)


async def latest_of_key(connection: AsyncConnection, tenant_id: UUID, flow_id: UUID, key: str) -> Series | None:
    """Returns the running series of a key, else the one that ended last."""
    asked = (
        select(*COLUMNS)
        .select_from(JOINED)
        .where(series.c.tenant_id == tenant_id, series.c.flow_id == flow_id, series.c.key == key)
    )
    order = asked.order_by(series.c.ended_at.is_not(None), series.c.id.desc()).limit(1)
    row = (await connection.execute(order)).mappings().one_or_none()
    return Series(**row) if row else None


async def get(connection: AsyncConnection, tenant_id: UUID, series_id: UUID, *, lock: bool = False) -> Series | None:
    """Returns a series; `lock` keeps everybody else from changing it in this transaction."""
    mine = (series.c.tenant_id == tenant_id, series.c.id == series_id)
    if lock:
        # The row alone, and then what it refers to: a join would be judged by what the row referred to before the wait.
        await connection.execute(select(series.c.id).where(*mine).with_for_update(key_share=True))
    row = (await connection.execute(select(*COLUMNS).select_from(JOINED).where(*mine))).mappings().one_or_none()
    return Series(**row) if row else None


async def lock_many(connection: AsyncConnection, tenant_id: UUID, ids: Sequence[UUID]) -> None:
    """Locks series in the order of their ids."""
    asked = select(series.c.id).where(series.c.tenant_id == tenant_id, series.c.id.in_(ids))
    await connection.execute(asked.order_by(series.c.id).with_for_update(key_share=True))


async def create(connection: AsyncConnection, tenant_id: UUID, new: NewSeries) -> UUID:
    """Stores a series that is about to begin; call `lock_key` before. One without a key is its own."""
    series_id = uuid_utils.compat.uuid7()
    values = {name: getattr(new, name) for name in NewSeries.__dataclass_fields__}
    values["key"] = new.key if new.key is not None else str(series_id)
    await connection.execute(insert(series).values(tenant_id=tenant_id, id=series_id, **values))
    return UUID(str(series_id))


async def change(connection: AsyncConnection, tenant_id: UUID, series_id: UUID, **values: Any) -> None:
    """Changes columns of a locked series."""
    statement = update(series).where(series.c.tenant_id == tenant_id, series.c.id == series_id)
    await connection.execute(statement.values(updated_at=func.now(), **values))


async def end(
    connection: AsyncConnection,
    tenant_id: UUID,
    series_id: UUID,
    *,
    status: str,
    reason: str,
    detail: str | None = None,
) -> None:
    """Ends a locked series as `completed` or `stopped`."""
    await change(
        connection, tenant_id, series_id,
        status=status, reason=reason, detail=detail, ended_at=func.now(), next_at=None, wakes=[],
    )  # fmt: skip


async def note(
    connection: AsyncConnection, tenant_id: UUID, series_id: UUID, before: int, entries: Sequence[Entry]
) -> int:
    """Adds lines to the timeline of a locked series that has `before` already, and returns how many it has then."""
    rows = [
        {
            "tenant_id": tenant_id, "id": uuid_utils.compat.uuid7(), "series_id": series_id, "number": number,
            "kind": entry.kind, "step": entry.step, "detail": dict(entry.detail), "at": entry.at,
        }
        for number, entry in enumerate(entries, before + 1)
    ]  # fmt: skip
    if rows:
        await connection.execute(insert(series_entry), rows)
    return before + len(rows)


async def hearings(connection: AsyncConnection, tenant_id: UUID, series_id: UUID) -> tuple[Heard, ...]:
    """Returns what a series heard, in the order in which it did."""
    asked = select(series_hearing.c.kind, series_hearing.c.name, series_hearing.c.data, series_hearing.c.at).where(
        series_hearing.c.tenant_id == tenant_id, series_hearing.c.series_id == series_id
    )
    rows = await connection.execute(asked.order_by(series_hearing.c.number))
    return tuple(Heard(kind=row.kind, name=row.name, data=plain(row.data), at=row.at) for row in rows)


async def buried(connection: AsyncConnection, tenant_id: UUID, flow_id: UUID, key: str, *, days: int) -> bool:
    """Tells whether a key was stopped before its series began, within the last `days`."""
    asked = select(series_tombstone.c.id).where(
        series_tombstone.c.tenant_id == tenant_id,
        series_tombstone.c.flow_id == flow_id,
        series_tombstone.c.key == key,
        series_tombstone.c.created_at > func.now() - text(f"interval '{int(days)} days'"),
    )
    return (await connection.execute(asked)).first() is not None


async def bury(connection: AsyncConnection, tenant_id: UUID, flow_id: UUID, key: str, reason: str | None) -> None:
    """Leaves a tombstone on a key, or renews it; call `lock_key` before."""
    statement = text("""
        INSERT INTO series_tombstone (tenant_id, id, flow_id, key, reason) VALUES (:tenant, :id, :flow, :key, :reason)
        ON CONFLICT (tenant_id, flow_id, key) DO UPDATE SET created_at = now(), reason = excluded.reason
    """)
    asked = {"tenant": tenant_id, "id": uuid_utils.compat.uuid7(), "flow": flow_id, "key": key, "reason": reason}
    await connection.execute(statement, asked)
