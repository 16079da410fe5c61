"""Schedules as people read and change them; whoever changes one leaves word for its clock in the same commit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from db import outbox
from db.schedule_tables import calendar, schedule, schedule_run
from domain.schedules import Spec, spec_of


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSchedule:
    """A schedule as it stands.

    Attributes:
        flow: Whose series its runs start; None where they take events.
        catch_up: Seconds for which a run that was missed is still made.
        counts_from: The moment after which its instants count.
        calendars: The days of the calendars that its spec names, by their names.
    """

    tenant_id: UUID
    id: UUID
    name: str
    note: str
    spec: Mapping[str, Any]
    action: Mapping[str, Any] = field(repr=False)
    flow: str | None
    overlap: str
    catch_up: int
    status: str
    version: int
    runs: int
    request_hash: bytes | None
    counts_from: datetime
    last_run_at: datetime | None
    created_at: datetime
    updated_at: datetime
    calendars: Mapping[str, Sequence[str]] = field(repr=False)

    def when(self) -> Spec:
        """Returns when it is due, by its calendars as they are."""
        return spec_of(self.spec, self.calendars)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSchedule:
    """A schedule to be stored, or what it is to say from now on."""

    name: str
    note: str
    spec: Mapping[str, Any]
    action: Mapping[str, Any] = field(repr=False)
    flow: str | None
    overlap: str
    catch_up: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleFilter:
    """Which schedules are meant; what is None does not matter."""

    name: str | None = None
    status: str | None = None
    flow: str | None = None


_NAMED = schedule.c.spec[("except", "calendars")]
_DAYS = (
    select(func.coalesce(func.jsonb_object_agg(calendar.c.name, calendar.c.days), text("'{}'::jsonb"), type_=JSONB))
    .where(calendar.c.tenant_id == schedule.c.tenant_id, _NAMED.has_key(calendar.c.name))
    .correlate(schedule)
    .scalar_subquery()
    .label("calendars")
)
_COLUMNS = (*(schedule.c[name] for name in StoredSchedule.__dataclass_fields__ if name != "calendars"), _DAYS)


async def create(
    connection: AsyncConnection,
    tenant_id: UUID,
    new: NewSchedule,
    *,
    idempotency_key: str | None = None,
    request_hash: bytes | None = None,
) -> StoredSchedule | None:
    """Stores a schedule with the word to its clock, or returns None where its name or key is in use."""
    values = {name: getattr(new, name) for name in NewSchedule.__dataclass_fields__}
    statement = insert(schedule).values(
        tenant_id=tenant_id,
        id=uuid_utils.compat.uuid7(),
        idempotency_key=idempotency_key,
        request_hash=request_hash,
        **values,
    )
    row = (await connection.execute(statement.on_conflict_do_nothing().returning(*_COLUMNS))).mappings().one_or_none()
    if row is None:
        return None
    made = StoredSchedule(**row)
    await leave_word(connection, made, "version/1")
    return made


async def get(
    connection: AsyncConnection, tenant_id: UUID, schedule_id: UUID, *, lock: bool = False
) -> StoredSchedule | None:
    """Returns a schedule; `lock` keeps everybody else from changing it, and its runs from a step, meanwhile."""
    own = (schedule.c.tenant_id == tenant_id, schedule.c.id == schedule_id)
    if lock:  # before reading, so that the days of calendars are those that stand once it is locked
        await connection.execute(select(schedule.c.id).where(*own).with_for_update(key_share=True))
    query = select(*_COLUMNS).where(*own)
    row = (await connection.execute(query)).mappings().one_or_none()
    return StoredSchedule(**row) if row else None


async def by_name(connection: AsyncConnection, tenant_id: UUID, name: str) -> StoredSchedule | None:
    """Returns the schedule of a name."""
    return await _one(connection, tenant_id, schedule.c.name == name)


async def by_idempotency_key(connection: AsyncConnection, tenant_id: UUID, key: str) -> StoredSchedule | None:
    """Returns the schedule that an idempotency key made."""
    return await _one(connection, tenant_id, schedule.c.idempotency_key == key)


async def asking(
    connection: AsyncConnection, tenant_id: UUID, calendar_name: str, *, lock: bool = False
) -> list[StoredSchedule]:
    """Returns the schedules that name a calendar, also those that are over; `lock` as with `get`."""
    own = (schedule.c.tenant_id == tenant_id, _NAMED.has_key(calendar_name))
    if lock:
        await connection.execute(
            select(schedule.c.id).where(*own).order_by(schedule.c.id).with_for_update(key_share=True)
        )
    rows = await connection.execute(select(*_COLUMNS).where(*own).order_by(schedule.c.id))
    return [StoredSchedule(**row) for row in rows.mappings()]


async def _one(connection: AsyncConnection, tenant_id: UUID, condition: Any) -> StoredSchedule | None:
    query = select(*_COLUMNS).where(schedule.c.tenant_id == tenant_id, condition)
    row = (await connection.execute(query)).mappings().one_or_none()
    return StoredSchedule(**row) if row else None


async def page(
    connection: AsyncConnection, tenant_id: UUID, *, wanted: ScheduleFilter, limit: int, before: UUID | None
) -> list[StoredSchedule]:
    """Returns schedules, the newest first."""
    query = select(*_COLUMNS).where(schedule.c.tenant_id == tenant_id)
    for name in ScheduleFilter.__dataclass_fields__:
        if (value := getattr(wanted, name)) is not None:
            query = query.where(schedule.c[name] == value)
    if before is not None:
        query = query.where(schedule.c.id < before)
    rows = await connection.execute(query.order_by(schedule.c.id.desc()).limit(limit))
    return [StoredSchedule(**row) for row in rows.mappings()]


async def change(connection: AsyncConnection, row: StoredSchedule, **values: Any) -> StoredSchedule:
    """Changes a locked schedule as somebody wants it, with the word to its clock, and returns it."""
    version = row.version + 1
    statement = update(schedule).where(schedule.c.tenant_id == row.tenant_id, schedule.c.id == row.id)
    changed = statement.values(version=version, updated_at=func.clock_timestamp(), **values).returning(*_COLUMNS)
    found = StoredSchedule(**(await connection.execute(changed)).mappings().one())
    await leave_word(connection, found, f"version/{version}")
    return found


async def count_run(connection: AsyncConnection, row: StoredSchedule, at: datetime) -> None:
    """Notes that a run began; the version that people change stays."""
    statement = update(schedule).where(schedule.c.tenant_id == row.tenant_id, schedule.c.id == row.id)
    await connection.execute(
        statement.values(runs=schedule.c.runs + 1, last_run_at=func.greatest(schedule.c.last_run_at, at))
    )


async def remove(connection: AsyncConnection, row: StoredSchedule) -> None:
    """Removes a locked schedule and what it told of its runs; series that they started go on."""
    mine = (schedule_run.c.tenant_id == row.tenant_id, schedule_run.c.schedule_id == row.id)
    await connection.execute(delete(schedule_run).where(*mine))
    await connection.execute(delete(schedule).where(schedule.c.tenant_id == row.tenant_id, schedule.c.id == row.id))
    await leave_word(connection, row, "removed")


async def leave_word(connection: AsyncConnection, row: StoredSchedule, cause: str) -> None:
    """Leaves word to bring the clock up to the row, as that stands when the word is taken."""
    await outbox.add_word(connection, row.tenant_id, row.id, cause)


async def following(connection: AsyncConnection, *, after: UUID | None, limit: int) -> list[StoredSchedule]:
    """Returns schedules of all tenants that are not over, in the order of their ids."""
    query = select(*_COLUMNS).where(schedule.c.status != "ended")
    if after is not None:
        query = query.where(schedule.c.id > after)
    rows = await connection.execute(query.order_by(schedule.c.id).limit(limit))
    return [StoredSchedule(**row) for row in rows.mappings()]


async def unknown(connection: AsyncConnection, tenant_id: UUID, ids: list[UUID]) -> list[UUID]:
    """Returns which of these schedules of a tenant there are not, or are over; of a tenant that is unknown, none."""
    rows = await connection.execute(_UNKNOWN, {"tenant": tenant_id, "ids": ids})
    return list(rows.scalars())


_UNKNOWN = text("""
SELECT asked.id FROM tenant AS t CROSS JOIN unnest(CAST(:ids AS uuid[])) AS asked(id)
WHERE t.id = :tenant AND NOT EXISTS (
    SELECT FROM schedule AS s WHERE s.tenant_id = t.id AND s.id = asked.id AND s.status <> 'ended')
""")
