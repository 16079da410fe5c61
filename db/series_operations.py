"""Operations over many series: paused, resumed or stopped in the order in which they began, each step once."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db import operations, outbox, series_lists
from db.care_tables import operation
from db.operations import Operation
from db.series import COLUMNS, JOINED, Series
from db.series_lists import SeriesFilter
from db.series_tables import series
from domain.notifications import LANES, Lane
from domain.operations import OperationKind, OperationState, OperationSubject, Stepped

# Each change is noted, and wakes its series, in the one statement that makes it.
_CHANGE = """
WITH meant AS MATERIALIZED (
    SELECT id FROM series
    WHERE tenant_id = :tenant AND id = ANY(CAST(:ids AS uuid[])) AND {from_} ORDER BY id FOR NO KEY UPDATE
), changed AS (
    UPDATE series AS s SET {to}, updated_at = now(), entries = s.entries + 1
    FROM meant WHERE s.tenant_id = :tenant AND s.id = meant.id
    RETURNING s.id, s.entries, s.step
), noted AS (
    INSERT INTO series_entry (tenant_id, id, series_id, number, kind, step, detail, at)
    SELECT :tenant, gen_random_uuid(), id, entries, :kind, step,
           jsonb_build_object('by', CAST(:actor AS text), 'reason', CAST(:reason AS text),
                              'operation', CAST(:operation AS text)) || CAST(:detail AS jsonb), now()
    FROM changed
), woken AS (
    INSERT INTO outbox (tenant_id, id, lane, kind, workflow_id, dedup_key, payload)
    SELECT :tenant, gen_random_uuid(), :lane, 'signal', 'series/' || id,
           'signal/series/' || id || '/operation/' || :operation, '{{"signal": "woken", "arguments": []}}'
    FROM changed ON CONFLICT DO NOTHING
)
SELECT count(*) FROM changed
"""
_PAUSE = text(
    _CHANGE.format(
        from_="status IN ('running', 'parked')",
        to="status = 'paused', reason = NULL, detail = NULL",
    )
)
_RESUME = text(
    _CHANGE.format(
        from_="status IN ('paused', 'parked')",
        to="status = 'running', reason = NULL, detail = NULL",
    )
)
_STOP = text(
    _CHANGE.format(
        from_="ended_at IS NULL",
        to="status = 'stopped', reason = 'stopped', detail = :reason, ended_at = now(), next_at = NULL, wakes = '[]'",
    )
)
_DONE = {
    OperationKind.PAUSE: (_PAUSE, "paused", "{}"),
    OperationKind.RESUME: (_RESUME, "resumed", "{}"),
    OperationKind.STOP: (_STOP, "ended", '{"status": "stopped"}'),
}


async def count(connection: AsyncConnection, tenant_id: UUID, wanted: SeriesFilter) -> tuple[int, UUID | None]:
    """Returns how many series that are not over are meant, and the one that began last."""
    total = _meant(select(func.count()), tenant_id, wanted).scalar_subquery()
    last = _meant(select(series.c.id), tenant_id, wanted).order_by(series.c.id.desc()).limit(1).scalar_subquery()
    found = (await connection.execute(select(total.label("total"), last.label("last")))).one()
    return found.total, found.last


async def first(connection: AsyncConnection, tenant_id: UUID, wanted: SeriesFilter, *, limit: int) -> list[Series]:
    """Returns some of the series that are meant, the newest first."""
    asked = _meant(select(*COLUMNS), tenant_id, wanted).order_by(series.c.id.desc()).limit(limit)
    return [Series(**row) for row in (await connection.execute(asked)).mappings()]


async def create(
    connection: AsyncConnection, tenant_id: UUID, kind: OperationKind, wanted: SeriesFilter, *, rate: int, actor: str,
    reason: str | None,
) -> UUID:  # fmt: skip
    """Leaves an operation over the series that are meant now, together with the start of its workflow."""
    new_id = uuid_utils.compat.uuid7()
    total, until = await count(connection, tenant_id, wanted)
    values = {
        "tenant_id": tenant_id,
        "id": new_id,
        "subject": OperationSubject.SERIES.value,
        "kind": kind.value,
        "filter": series_lists.as_document(wanted),
        "rate": rate,
        "total": total,
        "until": until,
        "actor": actor,
        "reason": reason,
    }
    await connection.execute(operation.insert().values(values))
    said = f"{kind.value} {total} series"
    await outbox.add_starts(connection, tenant_id, [operations.start(tenant_id, new_id, said)])
    return new_id


async def step(connection: AsyncConnection, tenant_id: UUID, found: Operation) -> Stepped:
    """Takes up the next series of a locked operation, as many as it may in a second, and returns where it stands."""
    if found.state.is_over:
        return Stepped(state=found.state, done=found.done)
    candidates = await _candidates(connection, tenant_id, found)
    done = found.done + await _take(connection, tenant_id, found, candidates)
    finished = len(candidates) < found.rate
    state = OperationState.DONE if finished else OperationState.RUNNING
    values: dict[str, Any] = {"state": state.value, "done": done}
    if candidates:
        values["cursor"] = candidates[-1]
    if finished:
        values["finished_at"] = func.now()
    await operations.change(connection, tenant_id, found, **values)
    return Stepped(state=state, done=done)


async def _take(connection: AsyncConnection, tenant_id: UUID, found: Operation, ids: Sequence[UUID]) -> int:
    if not ids:
        return 0
    statement, kind, detail = _DONE[found.kind]
    asked = {
        "tenant": tenant_id, "ids": list(ids), "kind": kind, "detail": detail, "actor": found.actor,
        "reason": found.reason, "operation": str(found.id), "lane": LANES[Lane.BULK],
    }  # fmt: skip
    changed: int = (await connection.execute(statement, asked)).scalar_one()
    return changed


async def _candidates(connection: AsyncConnection, tenant_id: UUID, found: Operation) -> Sequence[UUID]:
    if found.until is None or not isinstance(found.filter, SeriesFilter):
        return []
    meant = _meant(select(series.c.id), tenant_id, found.filter).where(series.c.id <= found.until)
    if found.cursor is not None:
        meant = meant.where(series.c.id > found.cursor)
    return list((await connection.execute(meant.order_by(series.c.id).limit(found.rate))).scalars())


def _meant(query: Any, tenant_id: UUID, wanted: SeriesFilter) -> Any:
    asked = query.select_from(JOINED).where(series.c.tenant_id == tenant_id, series.c.ended_at.is_(None))
    return series_lists.filtered(asked, wanted)
