"""What series hear: kept once for each cause, and told to the workflow only where it can change what it does."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from db import outbox
from db.json import encode
from db.series import Entry, note
from db.series_tables import series, series_hearing
from domain import keys
from domain.flow_state import Heard
from domain.flow_steps import Awaited
from domain.series import MOST_HEARD, MOST_HEARD_BYTES

_LARGEST = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class NewHearing:
    """Something that a series is to hear; the same `cause` is heard once."""

    series_id: UUID
    cause: str
    kind: str
    at: datetime
    name: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What became of news: which series heard some, and which of it found a series that keeps no more."""

    heard: frozenset[UUID] = frozenset()
    full: tuple[NewHearing, ...] = ()


async def hear(connection: AsyncConnection, tenant_id: UUID, news: Sequence[NewHearing]) -> Told:
    """Lets series hear news in their order; one that is over hears nothing any more, one that is full counts it."""
    if not news:
        return Told()
    standing = await _locked(connection, tenant_id, sorted({one.series_id for one in news}))
    heard: set[UUID] = set()
    met: set[tuple[UUID, str]] = set()
    full: list[NewHearing] = []
    signals: list[outbox.Signal] = []
    for one in news:
        row = standing.get(one.series_id)
        if row is None or (one.series_id, one.cause) in met:
            continue
        met.add((one.series_id, one.cause))
        size = _size(one)
        if not _has_room(row, one, size):
            full += [] if await _is_known(connection, tenant_id, one) else [one]
            continue
        if not await _keep(connection, tenant_id, one, row["heard"] + 1):
            continue
        row["heard"] += 1
        row["heard_bytes"] = min(row["heard_bytes"] + size, _LARGEST)
        heard.add(one.series_id)
        if _wakes(row["wakes"], one):
            signals.append(woken(one.series_id, f"heard/{row['heard']}"))
    if heard:
        counts = {name: (standing[name]["heard"], standing[name]["heard_bytes"]) for name in heard}
        await _count(connection, tenant_id, counts)
    await _count_unheard(connection, tenant_id, standing, full)
    await outbox.add_signals(connection, tenant_id, signals)
    return Told(heard=frozenset(heard), full=tuple(full))


def woken(series_id: UUID, cause: str) -> outbox.Signal:
    """Returns the signal by which a series looks again."""
    return outbox.Signal(workflow_id=keys.series_workflow(str(series_id)), signal="woken", cause=cause, arguments=[])


async def _locked(connection: AsyncConnection, tenant_id: UUID, ids: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    """Returns those that are not over, locked in the order of their ids: two that hear never wait for each other."""
    names = ("id", "heard", "heard_bytes", "unheard", "entries", "step", "wakes")
    asked = select(*(series.c[name] for name in names)).where(
        series.c.tenant_id == tenant_id, series.c.id.in_(ids), series.c.ended_at.is_(None)
    )
    rows = await connection.execute(asked.order_by(series.c.id).with_for_update(key_share=True))
    return {row["id"]: dict(row) for row in rows.mappings()}


async def _keep(connection: AsyncConnection, tenant_id: UUID, one: NewHearing, number: int) -> bool:
    statement = insert(series_hearing).values(
        tenant_id=tenant_id,
        id=uuid_utils.compat.uuid7(),
        series_id=one.series_id,
        number=number,
        cause=one.cause,
        kind=one.kind,
        name=one.name,
        data=dict(one.data),
        at=one.at,
    )
    known = ["tenant_id", "series_id", "cause"]
    return bool((await connection.execute(statement.on_conflict_do_nothing(index_elements=known))).rowcount)


async def _is_known(connection: AsyncConnection, tenant_id: UUID, one: NewHearing) -> bool:
    asked = select(series_hearing.c.id).where(
        series_hearing.c.tenant_id == tenant_id,
        series_hearing.c.series_id == one.series_id,
        series_hearing.c.cause == one.cause,
    )
    return (await connection.execute(asked)).first() is not None


def _wakes(wakes: Sequence[Mapping[str, Any]], one: NewHearing) -> bool:
    heard = Heard(kind=one.kind, name=one.name, at=one.at)
    return any(wake["kind"] == "*" or heard.fits(Awaited(kind=wake["kind"], name=wake["name"])) for wake in wakes)


def _has_room(row: Mapping[str, Any], one: NewHearing, size: int) -> bool:
    """Tells whether a series keeps it: what it waits for by name, or what ends it, up to twice the bound."""
    named = [wake for wake in row["wakes"] if wake["kind"] != "*"]
    times = 2 if _wakes(named, one) else 1
    return bool(row["heard"] < MOST_HEARD * times and row["heard_bytes"] + size <= MOST_HEARD_BYTES * times)


def _size(one: NewHearing) -> int:
    return len(encode(dict(one.data)).encode())


async def _count(connection: AsyncConnection, tenant_id: UUID, counts: Mapping[UUID, tuple[int, int]]) -> None:
    asked = text("""
        UPDATE series AS s SET heard = told.heard, heard_bytes = told.bytes, updated_at = now()
        FROM unnest(CAST(:ids AS uuid[]), CAST(:counts AS integer[]), CAST(:bytes AS integer[]))
            AS told(id, heard, bytes)
        WHERE s.tenant_id = :tenant AND s.id = told.id
    """)
    values = {"counts": [count for count, _ in counts.values()], "bytes": [size for _, size in counts.values()]}
    await connection.execute(asked, {"tenant": tenant_id, "ids": list(counts), **values})


async def _count_unheard(
    connection: AsyncConnection,
    tenant_id: UUID,
    standing: Mapping[UUID, Mapping[str, Any]],
    full: Sequence[NewHearing],
) -> None:
    """Counts what series did not hear; the first time says so on their timeline."""
    for series_id, count in Counter(one.series_id for one in full).items():
        row = standing[series_id]
        values = {"unheard": min(row["unheard"] + count, _LARGEST)}
        if not row["unheard"]:
            first = next(one for one in full if one.series_id == series_id)
            told = {"kind": first.kind, "name": first.name, "most": MOST_HEARD, "most_bytes": MOST_HEARD_BYTES}
            entry = Entry(kind="full", at=first.at, step=row["step"], detail=told)
            values["entries"] = await note(connection, tenant_id, series_id, row["entries"], [entry])
        asked = update(series).where(series.c.tenant_id == tenant_id, series.c.id == series_id)
        await connection.execute(asked.values(values))


async def wake_all(connection: AsyncConnection, tenant_id: UUID, flow_id: UUID, *, cause: str, lane: int) -> int:
    """Wakes every running series of a flow behind what waits already, and returns how many they are."""
    statement = text("""
        INSERT INTO outbox (tenant_id, id, lane, kind, workflow_id, dedup_key, payload)
        SELECT :tenant, gen_random_uuid(), :lane, 'signal', 'series/' || id, 'signal/series/' || id || '/' || :cause,
               '{"signal": "woken", "arguments": []}'
        FROM series WHERE tenant_id = :tenant AND flow_id = :flow AND status = 'running' ORDER BY next_at NULLS LAST
        ON CONFLICT DO NOTHING
    """)
    asked = {"tenant": tenant_id, "flow": flow_id, "lane": lane, "cause": cause}
    return (await connection.execute(statement, asked)).rowcount
