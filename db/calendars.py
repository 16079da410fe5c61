"""Calendars of a tenant: days off, and the flows that ask them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import Boolean, delete, func, literal_column, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.schedule_tables import calendar
from domain.holidays import Holidays, read

# Versions that new series take, or that some series runs by.
_USERS = text("""
SELECT DISTINCT f.id, f.name FROM flow AS f JOIN flow_version AS v ON v.tenant_id = f.tenant_id AND v.flow_id = f.id
WHERE f.tenant_id = :tenant
  AND jsonb_path_exists(v.definition, '$.**.holidays ? (@ == $name)', jsonb_build_object('name', CAST(:name AS text)))
  AND (v.number = f.published_number OR EXISTS (
      SELECT FROM series AS s WHERE s.tenant_id = :tenant AND s.flow_version_id = v.id AND s.ended_at IS NULL))
ORDER BY f.name
""")

_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(CAST(:place AS text), 0))")
# Never waited for: whoever puts a calendar waits for rows of series that are looked at.
_TRY = text("SELECT pg_try_advisory_xact_lock_shared(hashtextextended(CAST(:place AS text), 0))")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCalendar:
    """A calendar; its days are dates such as `2026-11-08`, or `08-15` for every year."""

    id: UUID
    name: str
    description: str
    days: Sequence[str]
    created_at: datetime
    updated_at: datetime


_SHOWN = tuple(calendar.c[name] for name in StoredCalendar.__dataclass_fields__)


async def put(
    connection: AsyncConnection, tenant_id: UUID, name: str, *, description: str, days: Sequence[str]
) -> tuple[StoredCalendar, bool]:
    """Creates a calendar or replaces what it says; returns it, and whether it is new."""
    said = {"description": description, "days": list(days)}
    statement = insert(calendar).values(tenant_id=tenant_id, id=uuid_utils.compat.uuid7(), name=name, **said)
    statement = statement.on_conflict_do_update(
        index_elements=[calendar.c.tenant_id, calendar.c.name], set_={**said, "updated_at": func.now()}
    )
    is_new = literal_column("xmax = 0", Boolean).label("is_new")
    row = (await connection.execute(statement.returning(*_SHOWN, is_new))).mappings().one()
    return StoredCalendar(**{key: value for key, value in row.items() if key != "is_new"}), row["is_new"]


async def get(connection: AsyncConnection, tenant_id: UUID, name: str, *, lock: bool = False) -> StoredCalendar | None:
    """Returns a calendar; `lock` keeps others from changing or removing it in this transaction."""
    query = select(*_SHOWN).where(calendar.c.tenant_id == tenant_id, calendar.c.name == name)
    row = (await connection.execute(query.with_for_update() if lock else query)).mappings().one_or_none()
    return StoredCalendar(**row) if row else None


async def page(
    connection: AsyncConnection, tenant_id: UUID, *, limit: int, before: UUID | None
) -> list[StoredCalendar]:
    """Returns calendars, the newest first."""
    query = select(*_SHOWN).where(calendar.c.tenant_id == tenant_id)
    if before is not None:
        query = query.where(calendar.c.id < before)
    rows = (await connection.execute(query.order_by(calendar.c.id.desc()).limit(limit))).mappings()
    return [StoredCalendar(**row) for row in rows]


async def holidays(
    connection: AsyncConnection, tenant_id: UUID, names: Collection[str], *, hold: bool = False
) -> Mapping[str, Holidays]:
    """Returns the days of those of some calendars that are there; `hold` keeps them from being removed meanwhile."""
    found = await days(connection, tenant_id, names, hold=hold)
    return {name: read(said) for name, said in found.items()}


async def days(
    connection: AsyncConnection, tenant_id: UUID, names: Collection[str], *, hold: bool = False
) -> Mapping[str, Sequence[str]]:
    """Returns what those of some calendars say that are there; `hold` as with `holidays`."""
    if not names:
        return {}
    query = select(calendar.c.name, calendar.c.days).where(
        calendar.c.tenant_id == tenant_id, calendar.c.name.in_(names)
    )
    rows = await connection.execute(query.with_for_update(read=True, key_share=True) if hold else query)
    return {row.name: row.days for row in rows}


async def lock_name(connection: AsyncConnection, tenant_id: UUID, name: str) -> None:
    """Lets no series be parked for want of a calendar in this transaction, whether or not it is there."""
    await connection.execute(_LOCK, {"place": _place(tenant_id, name)})


async def stay_missing(connection: AsyncConnection, tenant_id: UUID, names: Collection[str]) -> bool:
    """Tells whether calendars are not there and are not put before this transaction ends."""
    for name in sorted(names):
        if not (await connection.execute(_TRY, {"place": _place(tenant_id, name)})).scalar_one():
            return False
    return not await days(connection, tenant_id, names)


def _place(tenant_id: UUID, name: str) -> str:
    return f"calendar/{tenant_id}/{name}"


async def users(connection: AsyncConnection, tenant_id: UUID, name: str) -> Mapping[UUID, str]:
    """Returns the flows that ask a calendar, by id, as far as they are published or run."""
    rows = await connection.execute(_USERS, {"tenant": tenant_id, "name": name})
    return {row.id: row.name for row in rows}


async def remove(connection: AsyncConnection, tenant_id: UUID, calendar_id: UUID) -> None:
    """Removes a calendar."""
    await connection.execute(delete(calendar).where(calendar.c.tenant_id == tenant_id, calendar.c.id == calendar_id))
