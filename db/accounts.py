"""Accounts at providers: their sealed configuration and where they stand."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.tables import account


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account at a provider.

    Attributes:
        sender: The identity that sends, as the provider's receipts name it.
        weight: Its share of the work among accounts of the same priority.
        limits: Its own rate limits, where they differ from the provider's.
        sealed_config: The whole configuration, sealed.
        public_config: The part of the configuration that holds no secrets.
    """

    id: UUID
    name: str
    channel: str
    provider: str
    state: str
    state_reason: str | None
    sender: str | None
    priority: int
    weight: int
    limits: Mapping[str, Any]
    sealed_config: bytes = field(repr=False)
    public_config: Mapping[str, Any]
    verified_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccount:
    """An account that is to be stored."""

    id: UUID
    name: str
    channel: str
    provider: str
    sender: str
    priority: int
    weight: int = 1
    limits: Mapping[str, Any] = field(default_factory=dict)
    sealed_config: bytes = field(repr=False)
    public_config: Mapping[str, Any]


_SHOWN = tuple(column for column in account.c if column.name != "tenant_id")
_NEW = ("id", "name", "channel", "provider", "sender", "priority", "weight", "limits", "sealed_config", "public_config")


async def create(connection: AsyncConnection, tenant_id: UUID, new: NewAccount) -> Account | None:
    """Returns the new account, pending, or nothing when its name is taken."""
    values = {name: getattr(new, name) for name in _NEW}
    statement = (
        insert(account)
        .values(tenant_id=tenant_id, **values)
        .on_conflict_do_nothing(index_elements=[account.c.tenant_id, account.c.name])
        .returning(*_SHOWN)
    )
    row = (await connection.execute(statement)).mappings().one_or_none()
    return Account(**row) if row else None


async def get(connection: AsyncConnection, tenant_id: UUID, account_id: UUID, *, lock: bool = False) -> Account | None:
    """Returns an account; `lock` keeps others from changing it in this transaction."""
    query = select(*_SHOWN).where(account.c.tenant_id == tenant_id, account.c.id == account_id)
    row = (await connection.execute(query.with_for_update(key_share=True) if lock else query)).mappings().one_or_none()
    return Account(**row) if row else None


async def is_named(connection: AsyncConnection, tenant_id: UUID, name: str, *, besides: UUID) -> bool:
    """Tells whether an account other than `besides` has this name."""
    query = select(account.c.id).where(
        account.c.tenant_id == tenant_id, account.c.name == name, account.c.id != besides
    )
    return (await connection.execute(query)).first() is not None


async def page(
    connection: AsyncConnection,
    tenant_id: UUID,
    *,
    wanted: Mapping[str, str],
    limit: int,
    before: UUID | None,
) -> list[Account]:
    """Returns accounts, the newest first; `wanted` restricts columns to values."""
    query = select(*_SHOWN).where(account.c.tenant_id == tenant_id)
    for name, value in wanted.items():
        query = query.where(account.c[name] == value)
    if before is not None:
        query = query.where(account.c.id < before)
    rows = await connection.execute(query.order_by(account.c.id.desc()).limit(limit))
    return [Account(**row) for row in rows.mappings()]


async def change(connection: AsyncConnection, tenant_id: UUID, account_id: UUID, **values: Any) -> Account:
    """Sets columns of an account that is there, gives it a new version and returns it."""
    statement = update(account).where(account.c.tenant_id == tenant_id, account.c.id == account_id)
    statement = statement.values(updated_at=func.clock_timestamp(), **values)
    return Account(**(await connection.execute(statement.returning(*_SHOWN))).mappings().one())
