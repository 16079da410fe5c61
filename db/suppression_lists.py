"""Addresses that nothing may reach, as people list them."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncConnection

from db.consent_tables import suppression


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSuppression:
    """An address that nothing may reach, why, and since when."""

    id: UUID
    kind: str
    value: str
    status: str
    reason: str
    note: str | None
    at: datetime
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressionFilter:
    """Which suppressions are listed; what is None does not matter.

    Attributes:
        values: Spellings of one address.
        kinds: Kinds of address.
        since: Suppressed then or later.
    """

    values: Collection[str] | None = None
    kinds: Collection[str] | None = None
    reason: str | None = None
    since: datetime | None = None
    until: datetime | None = None


_SHOWN = tuple(suppression.c[name] for name in StoredSuppression.__dataclass_fields__)


async def page(
    connection: AsyncConnection, tenant_id: UUID, wanted: SuppressionFilter, *, limit: int, before: UUID | None
) -> list[StoredSuppression]:
    """Returns suppressions, the newest first."""
    query = select(*_SHOWN).where(suppression.c.tenant_id == tenant_id, *_conditions(wanted))
    if before is not None:
        query = query.where(suppression.c.id < before)
    rows = (await connection.execute(query.order_by(suppression.c.id.desc()).limit(limit))).mappings()
    return [StoredSuppression(**row) for row in rows]


async def get(
    connection: AsyncConnection, tenant_id: UUID, *, lock: bool = False, **known: Any
) -> StoredSuppression | None:
    """Returns a suppression by its `id`, or by the `kind` and `value` of its address."""
    query = select(*_SHOWN).where(
        suppression.c.tenant_id == tenant_id, *(suppression.c[name] == value for name, value in known.items())
    )
    row = (await connection.execute(query.with_for_update() if lock else query)).mappings().one_or_none()
    return StoredSuppression(**row) if row else None


def _conditions(wanted: SuppressionFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.values is not None:
        yield suppression.c.value.in_(wanted.values)
    if wanted.kinds is not None:
        yield suppression.c.kind.in_(wanted.kinds)
    if wanted.reason is not None:
        yield suppression.c.reason == wanted.reason
    if wanted.since is not None:
        yield suppression.c.at >= wanted.since
    if wanted.until is not None:
        yield suppression.c.at < wanted.until
