"""Operations, outages and series that are open, and the workflows that should be at them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from db import operations, outbox
from db.care_tables import circuit
from domain import keys
from domain.notifications import LANES, Lane


@dataclass(frozen=True, slots=True, kw_only=True)
class Owned:
    """An operation, a circuit or a series that is open, the workflow that should be at it, and how that is started."""

    tenant_id: UUID
    id: UUID
    subject_type: str  # operation | circuit | series
    workflow_id: str
    start: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A page of series that wait for no instant.

    Attributes:
        series: Those of them whose flow is active and whose start does not wait in the outbox.
        seen: How many stand on the page.
        last: The last of the page; None where there are no more.
    """

    series: Sequence[Owned]
    seen: int
    last: UUID | None


# A start that waits in the outbox is on its way.
_OPERATIONS = text("""
SELECT o.tenant_id, o.id, o.kind, o.total FROM operation AS o
WHERE o.state IN ('pending', 'running') AND o.created_at < now() - CAST(:age AS interval) AND NOT EXISTS (
    SELECT FROM outbox AS x WHERE x.tenant_id = o.tenant_id AND x.dedup_key = :start || o.id)
ORDER BY o.id LIMIT :limit
""")
_CIRCUITS = text("""
SELECT c.tenant_id, c.id, c.episode, c.subject FROM circuit AS c
WHERE c.state <> 'closed' AND c.updated_at < now() - CAST(:age AS interval) AND NOT EXISTS (
    SELECT FROM outbox AS x WHERE x.tenant_id = c.tenant_id AND x.dedup_key = :start || c.id || '/' || c.episode)
ORDER BY c.id LIMIT :limit
""")
# A series that sleeps is in nobody's way; one whose instant is long over should have gone on.
_SERIES = text("""
SELECT s.tenant_id, s.id, f.name FROM series AS s JOIN flow AS f ON f.tenant_id = s.tenant_id AND f.id = s.flow_id
WHERE s.status = 'running' AND f.status = 'active' AND s.ended_at IS NULL
  AND (s.next_at < now() - CAST(:age AS interval)
       OR s.step IS NULL AND s.started_at < now() - CAST(:age AS interval))
  AND NOT EXISTS (
    SELECT FROM outbox AS x WHERE x.tenant_id = s.tenant_id AND x.dedup_key = :start || s.id)
ORDER BY s.next_at NULLS FIRST LIMIT :limit
""")
# One that waits for no instant asks a service, waits to hear something, or is about to look; its workflow is there. The
# page is taken by its index first: only what stands on it is looked for in the outbox, by that one's unique key.
_WAITING = text("""
WITH page AS MATERIALIZED (
    SELECT tenant_id, id, flow_id FROM series
    WHERE status = 'running' AND next_at IS NULL AND id > :after
      AND step IS NOT NULL AND updated_at < now() - CAST(:age AS interval)
    ORDER BY id LIMIT :limit
)
SELECT p.tenant_id, p.id, f.name, f.status = 'active' AND (
    SELECT count(*) FROM outbox AS x WHERE x.tenant_id = p.tenant_id AND x.dedup_key = :start || p.id) = 0 AS is_meant
FROM page AS p JOIN flow AS f ON f.tenant_id = p.tenant_id AND f.id = p.flow_id ORDER BY p.id
""")
_LOCKED = {
    "operation": text("""
        SELECT 1 FROM operation WHERE tenant_id = :tenant AND id = :id AND state IN ('pending', 'running')
        FOR NO KEY UPDATE"""),
    "circuit": text("""
        SELECT 1 FROM circuit WHERE tenant_id = :tenant AND id = :id AND state <> 'closed' AND episode = :episode
        FOR NO KEY UPDATE"""),
    "series": text("""
        SELECT 1 FROM series AS s JOIN flow AS f ON f.tenant_id = s.tenant_id AND f.id = s.flow_id
        WHERE s.tenant_id = :tenant AND s.id = :id AND s.status = 'running' AND f.status = 'active'
        FOR NO KEY UPDATE OF s"""),
}
_STARTS = text("SELECT 1 FROM outbox WHERE tenant_id = :tenant AND dedup_key = :start")
_LANE = LANES[Lane.CRITICAL]


async def page(connection: AsyncConnection, *, age: timedelta, limit: int) -> list[Owned]:
    """Returns what is open, untouched for `age`, and whose workflow was started."""
    asked = {"age": age, "limit": limit}
    rows = await connection.execute(_OPERATIONS, {**asked, "start": keys.start_of("operation/")})
    found = [_operation(row.tenant_id, row.id, f"{row.kind} {row.total} parked") for row in rows]
    rows = await connection.execute(_CIRCUITS, {**asked, "start": keys.start_of("outage/")})
    found += [_circuit(row.tenant_id, row.id, row.episode, row.subject) for row in rows]
    rows = await connection.execute(_SERIES, {**asked, "start": keys.start_of("series/")})
    return found + [_series(row.tenant_id, row.id, row.name) for row in rows]


async def waiting(connection: AsyncConnection, *, age: timedelta, after: UUID | None, limit: int) -> Waiting:
    """Returns series that run and wait for no instant, untouched for `age`, in the order of their ids."""
    asked = {"age": age, "after": after or UUID(int=0), "limit": limit, "start": keys.start_of("series/")}
    rows = (await connection.execute(_WAITING, asked)).all()
    meant = tuple(_series(row.tenant_id, row.id, row.name) for row in rows if row.is_meant)
    return Waiting(series=meant, seen=len(rows), last=rows[-1].id if len(rows) >= limit else None)


async def stands(connection: AsyncConnection, item: Owned) -> bool:
    """Locks an owner, and tells whether it is open still and no start of its workflow waits."""
    asked: dict[str, Any] = {"tenant": item.tenant_id, "id": item.id}
    if item.subject_type == "circuit":
        asked["episode"] = item.start["input"]["episode"]
    if (await connection.execute(_LOCKED[item.subject_type], asked)).first() is None:
        return False
    start_key = {"tenant": item.tenant_id, "start": keys.start_of(item.workflow_id)}
    return (await connection.execute(_STARTS, start_key)).first() is None


async def start(connection: AsyncConnection, item: Owned) -> None:
    """Leaves the start of an owner in the outbox."""
    await outbox.add_starts(connection, item.tenant_id, [(item.workflow_id, _LANE, dict(item.start))])


async def stop(connection: AsyncConnection, item: Owned) -> None:
    """Stops an operation whose workflow was ended by somebody."""
    await operations.stop(connection, item.tenant_id, item.id)


async def renew(connection: AsyncConnection, item: Owned) -> None:
    """Begins the next episode of a circuit whose workflow has ended: an id is used once."""
    where = (circuit.c.tenant_id == item.tenant_id, circuit.c.id == item.id, circuit.c.state != "closed")
    following = (
        update(circuit)
        .where(*where, circuit.c.episode == item.start["input"]["episode"])
        .values(episode=circuit.c.episode + 1, updated_at=func.now())
        .returning(circuit.c.episode, circuit.c.subject)
    )
    row = (await connection.execute(following)).one_or_none()
    if row is not None:
        await start(connection, _circuit(item.tenant_id, item.id, row.episode, row.subject))


def _operation(tenant_id: UUID, operation_id: UUID, summary: str) -> Owned:
    order = {"tenant_id": str(tenant_id), "operation_id": str(operation_id)}
    return Owned(
        tenant_id=tenant_id,
        id=operation_id,
        subject_type="operation",
        workflow_id=keys.operation_workflow(str(operation_id)),
        start={"workflow": "operation", "input": order, "summary": summary},
    )


def _series(tenant_id: UUID, series_id: UUID, flow: str) -> Owned:
    order = {"tenant_id": str(tenant_id), "series_id": str(series_id)}
    return Owned(
        tenant_id=tenant_id,
        id=series_id,
        subject_type="series",
        workflow_id=keys.series_workflow(str(series_id)),
        start={"workflow": "series", "input": order, "summary": flow},
    )


def _circuit(tenant_id: UUID, circuit_id: UUID, episode: int, subject: str) -> Owned:
    order = {"tenant_id": str(tenant_id), "circuit_id": str(circuit_id), "episode": episode}
    return Owned(
        tenant_id=tenant_id,
        id=circuit_id,
        subject_type="circuit",
        workflow_id=keys.outage_workflow(str(circuit_id), episode),
        start={"workflow": "outage", "input": order, "summary": f"outage of {subject}"},
    )
