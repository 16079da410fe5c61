"""API keys: created, listed, revoked, and found by their prefix for every request."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from db.tables import api_key, tenant


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """An API key as its tenant sees it."""

    id: UUID
    name: str
    prefix: str
    scopes: tuple[str, ...]
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyHolder:
    """What authentication must know about a key."""

    id: UUID
    tenant_id: UUID
    tenant_state: str
    name: str
    digest: bytes = field(repr=False)
    scopes: tuple[str, ...]
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None


_SHOWN = (
    api_key.c.id,
    api_key.c.name,
    api_key.c.prefix,
    api_key.c.scopes,
    api_key.c.created_at,
    api_key.c.last_used_at,
    api_key.c.expires_at,
    api_key.c.revoked_at,
)


async def by_prefix(connection: AsyncConnection, prefix: str) -> list[KeyHolder]:
    """Returns the keys of all tenants with this prefix: one as a rule; for a transaction of the system."""
    query = (
        select(
            api_key.c.id,
            api_key.c.tenant_id,
            tenant.c.state.label("tenant_state"),
            api_key.c.name,
            api_key.c.digest,
            api_key.c.scopes,
            api_key.c.last_used_at,
            api_key.c.expires_at,
            api_key.c.revoked_at,
        )
        .join(tenant, tenant.c.id == api_key.c.tenant_id)
        .where(api_key.c.prefix == prefix)
    )
    rows = (await connection.execute(query)).mappings()
    return [KeyHolder(**{**row, "scopes": tuple(row["scopes"])}) for row in rows]


async def create(
    connection: AsyncConnection,
    tenant_id: UUID,
    key_id: UUID,
    *,
    name: str,
    prefix: str,
    digest: bytes,
    scopes: Sequence[str],
    expires_at: datetime | None,
) -> Key:
    """Stores a new key and returns it."""
    values = {"name": name, "prefix": prefix, "digest": digest, "scopes": list(scopes), "expires_at": expires_at}
    statement = api_key.insert().values(tenant_id=tenant_id, id=key_id, **values).returning(*_SHOWN)
    return _key((await connection.execute(statement)).mappings().one())


async def page(connection: AsyncConnection, tenant_id: UUID, *, limit: int, before: UUID | None) -> list[Key]:
    """Returns keys, the newest first."""
    query = select(*_SHOWN).where(api_key.c.tenant_id == tenant_id).order_by(api_key.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(api_key.c.id < before)
    return [_key(row) for row in (await connection.execute(query)).mappings()]


async def get(connection: AsyncConnection, tenant_id: UUID, key_id: UUID) -> Key | None:
    """Returns a key, if the tenant has it."""
    query = select(*_SHOWN).where(api_key.c.tenant_id == tenant_id, api_key.c.id == key_id)
    row = (await connection.execute(query)).mappings().one_or_none()
    return _key(row) if row else None


async def revoke(connection: AsyncConnection, tenant_id: UUID, key_id: UUID) -> Key | None:
    """Ends a key for ever and returns it; a key that was revoked before keeps its time."""
    statement = (
        update(api_key)
        .where(api_key.c.tenant_id == tenant_id, api_key.c.id == key_id)
        .values(revoked_at=func.coalesce(api_key.c.revoked_at, func.now()))
        .returning(*_SHOWN)
    )
    row = (await connection.execute(statement)).mappings().one_or_none()
    return _key(row) if row else None


async def expire(connection: AsyncConnection, tenant_id: UUID, key_id: UUID, *, at: datetime) -> None:
    """Lets a key end at `at`, unless it ends earlier anyway."""
    earliest = func.least(func.coalesce(api_key.c.expires_at, at), at)
    statement = update(api_key).where(api_key.c.tenant_id == tenant_id, api_key.c.id == key_id)
    await connection.execute(statement.values(expires_at=earliest))


async def touch(connection: AsyncConnection, tenant_id: UUID, key_id: UUID, *, at: datetime) -> None:
    """Notes that a key was used; an older note never replaces a newer one."""
    unseen = or_(api_key.c.last_used_at.is_(None), api_key.c.last_used_at < at)
    statement = update(api_key).where(api_key.c.tenant_id == tenant_id, api_key.c.id == key_id, unseen)
    await connection.execute(statement.values(last_used_at=at))


def _key(row: RowMapping) -> Key:
    return Key(**{**row, "scopes": tuple(row["scopes"])})
