"""Runs of schedules: each made once for its instant, told from its begin to its end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.schedule_tables import schedule_run
from db.tables import outbox
from domain import keys

MOST_TOLD = 20
"""Refusals of which a run keeps the words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run as it stands.

    Attributes:
        cursor: The last row of its query that it took up.
        seen: What its query selected so far.
        is_cut: Whether there was more than it may take up.
        refusals: The first ones of what could not be started, with why.
        stepped_at: When its last step was made.
    """

    id: UUID
    schedule_id: UUID
    scheduled_at: datetime
    cause: str
    status: str
    workflow_id: str | None
    cursor: UUID | None
    seen: int
    started: int
    reused: int
    refused: int
    is_cut: bool
    refusals: Sequence[Mapping[str, Any]]
    error: str | None
    started_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRun:
    """A run that should be under way, and the workflow that should be at it."""

    tenant_id: UUID
    id: UUID
    schedule_id: UUID
    workflow_id: str


_COLUMNS = tuple(schedule_run.c[name] for name in Run.__dataclass_fields__)


async def begin(
    connection: AsyncConnection, tenant_id: UUID, schedule_id: UUID, at: datetime, workflow_id: str
) -> tuple[Run, bool]:
    """Returns the run of an instant, made if there was none, and whether it begins now."""
    statement = insert(schedule_run).values(
        tenant_id=tenant_id, id=uuid_utils.compat.uuid7(), schedule_id=schedule_id, scheduled_at=at,
        status="running", workflow_id=workflow_id, started_at=func.now(), stepped_at=func.now(),
    )  # fmt: skip
    taken = statement.on_conflict_do_update(
        index_elements=["tenant_id", "schedule_id", "scheduled_at"],
        set_={
            "status": "running", "workflow_id": workflow_id, "started_at": func.now(), "stepped_at": func.now(),
            "ended_at": None, "error": None,
        },
        where=schedule_run.c.status.in_(("waiting", "missed")),
    )  # fmt: skip
    begun = (await connection.execute(taken.returning(schedule_run.c.id))).first() is not None
    where = (schedule_run.c.schedule_id == schedule_id, schedule_run.c.scheduled_at == at)
    query = select(*_COLUMNS).where(schedule_run.c.tenant_id == tenant_id, *where)
    return Run(**(await connection.execute(query.with_for_update())).mappings().one()), begun


async def trigger(
    connection: AsyncConnection, tenant_id: UUID, schedule_id: UUID, at: datetime, idempotency_key: str | None
) -> tuple[Run, bool]:
    """Returns the run of a key, made for `at` if there was none, and whether it is new; lock the schedule before."""
    if idempotency_key is not None:
        where = (schedule_run.c.schedule_id == schedule_id, schedule_run.c.idempotency_key == idempotency_key)
        query = select(*_COLUMNS).where(schedule_run.c.tenant_id == tenant_id, *where)
        if (row := (await connection.execute(query)).mappings().one_or_none()) is not None:
            return Run(**row), False
    run_id = uuid_utils.compat.uuid7()
    while True:
        statement = insert(schedule_run).values(
            tenant_id=tenant_id, id=run_id, schedule_id=schedule_id, scheduled_at=at, cause="trigger",
            idempotency_key=idempotency_key, workflow_id=keys.schedule_run_workflow(str(run_id)),
        )  # fmt: skip
        made = await connection.execute(statement.on_conflict_do_nothing().returning(*_COLUMNS))
        if (row := made.mappings().one_or_none()) is not None:
            return Run(**row), True
        at += timedelta(microseconds=1)


async def get(connection: AsyncConnection, tenant_id: UUID, run_id: UUID, *, lock: bool = False) -> Run | None:
    """Returns a run; `lock` keeps others from a step of it meanwhile."""
    query = select(*_COLUMNS).where(schedule_run.c.tenant_id == tenant_id, schedule_run.c.id == run_id)
    row = (await connection.execute(query.with_for_update() if lock else query)).mappings().one_or_none()
    return Run(**row) if row else None


async def at_instant(connection: AsyncConnection, tenant_id: UUID, schedule_id: UUID, at: datetime) -> Run | None:
    """Returns the run of an instant, if there is one."""
    where = (schedule_run.c.schedule_id == schedule_id, schedule_run.c.scheduled_at == at)
    query = select(*_COLUMNS).where(schedule_run.c.tenant_id == tenant_id, *where)
    row = (await connection.execute(query)).mappings().one_or_none()
    return Run(**row) if row else None


async def last_before(connection: AsyncConnection, tenant_id: UUID, schedule_id: UUID, at: datetime) -> datetime | None:
    """Returns the last instant before another one of which its clock, or what was missed, is told."""
    where = (schedule_run.c.schedule_id == schedule_id, schedule_run.c.scheduled_at < at)
    query = select(func.max(schedule_run.c.scheduled_at)).where(
        schedule_run.c.tenant_id == tenant_id, schedule_run.c.cause == "clock", *where
    )
    found: datetime | None = (await connection.execute(query)).scalar_one()
    return found


async def change(connection: AsyncConnection, tenant_id: UUID, run_id: UUID, **values: Any) -> None:
    """Changes columns of a locked run."""
    statement = update(schedule_run).where(schedule_run.c.tenant_id == tenant_id, schedule_run.c.id == run_id)
    await connection.execute(statement.values(stepped_at=func.now(), **values))


async def made(
    connection: AsyncConnection, tenant_id: UUID, schedule_id: UUID, among: Sequence[datetime]
) -> set[datetime]:
    """Returns for which of these instants there is a run."""
    if not among:
        return set()
    query = select(schedule_run.c.scheduled_at).where(
        schedule_run.c.tenant_id == tenant_id,
        schedule_run.c.schedule_id == schedule_id,
        schedule_run.c.scheduled_at.between(min(among), max(among)),
    )
    return set((await connection.execute(query)).scalars()) & set(among)


async def miss(
    connection: AsyncConnection, tenant_id: UUID, schedule_id: UUID, instants: Sequence[datetime], why: str
) -> None:
    """Tells of instants whose runs are not made."""
    rows = [
        {
            "tenant_id": tenant_id, "id": uuid_utils.compat.uuid7(), "schedule_id": schedule_id, "scheduled_at": at,
            "status": "missed", "error": why,
        }
        for at in instants
    ]  # fmt: skip
    if rows:
        ended = insert(schedule_run).values(ended_at=func.now()).on_conflict_do_nothing()
        await connection.execute(ended, rows)


async def page(
    connection: AsyncConnection,
    tenant_id: UUID,
    schedule_id: UUID,
    *,
    status: str | None,
    limit: int,
    before: UUID | None,
) -> list[Run]:
    """Returns runs of a schedule, the newest instant first."""
    query = select(*_COLUMNS).where(schedule_run.c.tenant_id == tenant_id, schedule_run.c.schedule_id == schedule_id)
    if status is not None:
        query = query.where(schedule_run.c.status == status)
    if before is not None:
        mark = select(schedule_run.c.scheduled_at).where(
            schedule_run.c.tenant_id == tenant_id, schedule_run.c.id == before
        )
        query = query.where(schedule_run.c.scheduled_at < mark.scalar_subquery())
    rows = await connection.execute(query.order_by(schedule_run.c.scheduled_at.desc()).limit(limit))
    return [Run(**row) for row in rows.mappings()]


async def standing(connection: AsyncConnection, *, age: timedelta, limit: int) -> list[OpenRun]:
    """Returns runs of all tenants that are open and made no step for `age`, unless their start still waits."""
    quiet = text("now() - CAST(:age AS interval)").bindparams(age=age)
    columns = (schedule_run.c[name] for name in OpenRun.__dataclass_fields__)
    query = select(*columns).where(
        schedule_run.c.ended_at.is_(None),
        schedule_run.c.workflow_id.is_not(None),
        ~select(outbox.c.id)
        .where(
            outbox.c.tenant_id == schedule_run.c.tenant_id,
            outbox.c.dedup_key == keys.start_of("") + schedule_run.c.workflow_id,
        )
        .exists(),
        or_(
            schedule_run.c.stepped_at < quiet, schedule_run.c.stepped_at.is_(None) & (schedule_run.c.created_at < quiet)
        ),
    )
    rows = await connection.execute(query.order_by(schedule_run.c.id).limit(limit))
    return [OpenRun(**row) for row in rows.mappings()]
