"""Tenants; every function is for a transaction of the system."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.tables import tenant


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """Somebody who uses this installation and sees nothing of the others."""

    id: UUID
    name: str
    state: str
    settings: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime


async def create(connection: AsyncConnection, tenant_id: UUID, *, name: str) -> Tenant | None:
    """Returns the new tenant, or nothing when the name is taken."""
    statement = (
        insert(tenant)
        .values(id=tenant_id, name=name)
        .on_conflict_do_nothing(index_elements=[tenant.c.name])
        .returning(tenant)
    )
    row = (await connection.execute(statement)).mappings().one_or_none()
    return Tenant(**row) if row else None


async def get(connection: AsyncConnection, tenant_id: UUID) -> Tenant | None:
    """Returns a tenant."""
    row = (await connection.execute(select(tenant).where(tenant.c.id == tenant_id))).mappings().one_or_none()
    return Tenant(**row) if row else None


async def page(connection: AsyncConnection, *, limit: int, before: UUID | None) -> list[Tenant]:
    """Returns tenants, the newest first."""
    query = select(tenant).order_by(tenant.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(tenant.c.id < before)
    return [Tenant(**row) for row in (await connection.execute(query)).mappings()]


async def settings_of(connection: AsyncConnection, tenant_id: UUID) -> Mapping[str, Any]:
    """Returns a tenant's settings; the tenant's own transaction may ask for them too."""
    found = (await connection.execute(select(tenant.c.settings).where(tenant.c.id == tenant_id))).scalar_one()
    settings: Mapping[str, Any] = found
    return settings


async def change_settings(connection: AsyncConnection, tenant_id: UUID, settings: Mapping[str, Any]) -> Tenant | None:
    """Sets some of a tenant's settings, leaves the others, and returns the tenant."""
    statement = (
        update(tenant)
        .where(tenant.c.id == tenant_id)
        .values(settings=tenant.c.settings.concat(dict(settings)), updated_at=func.now())
    )
    row = (await connection.execute(statement.returning(tenant))).mappings().one_or_none()
    return Tenant(**row) if row else None


async def set_state(connection: AsyncConnection, tenant_id: UUID, state: str) -> Tenant | None:
    """Moves a tenant to `state` and returns it."""
    statement = update(tenant).where(tenant.c.id == tenant_id).values(state=state, updated_at=func.now())
    row = (await connection.execute(statement.returning(tenant))).mappings().one_or_none()
    return Tenant(**row) if row else None
