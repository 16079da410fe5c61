"""What is parked: counted, listed and selected by the same filter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.delivery_tables import notification
from db.notifications import Notification, selected, triggered
from db.tables import account
from domain.operations import ParkedFilter
from domain.reasons import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Notifications of one template that are parked for one cause at one account.

    Attributes:
        account_id: None where the cause is nobody's trouble in particular.
        oldest: Since when the first of them is parked.
        newest: Since when the last of them is parked.
    """

    cause: str
    account_id: UUID | None
    account_name: str | None
    template: str
    count: int
    oldest: datetime
    newest: datetime


def conditions(tenant_id: UUID, wanted: ParkedFilter) -> ColumnElement[bool]:
    """Returns the condition that a tenant's notification is parked and meant by a filter."""
    columns = notification.c
    parts: list[ColumnElement[bool]] = [columns.tenant_id == tenant_id, columns.parked_at.is_not(None)]
    for value, column in (
        (wanted.cause, columns.parked_cause),
        (wanted.account_id, columns.parked_account_id),
        (wanted.template, columns.template),
        (wanted.resource_type, columns.resource_type),
        (wanted.resource_id, columns.resource_id),
    ):
        if value is not None:
            parts.append(column == value)
    if wanted.trigger is not None:
        parts.append(triggered(wanted.trigger))
    if wanted.parked_after is not None:
        parts.append(columns.parked_at >= wanted.parked_after)
    if wanted.parked_before is not None:
        parts.append(columns.parked_at < wanted.parked_before)
    return and_(*parts)


async def groups(connection: AsyncConnection, tenant_id: UUID, *, most: int) -> list[Group]:
    """Returns what is parked by cause, account and template, the largest groups first."""
    columns = notification.c
    keys = (columns.parked_cause, columns.parked_account_id, columns.template)
    counted = (
        select(
            *keys,
            func.count().label("count"),
            func.min(columns.parked_at).label("oldest"),
            func.max(columns.parked_at).label("newest"),
        )
        .where(conditions(tenant_id, ParkedFilter()))
        .group_by(*keys)
        .subquery()
    )
    of = (account.c.tenant_id == tenant_id) & (account.c.id == counted.c.parked_account_id)
    found = (
        select(
            counted.c.parked_cause.label("cause"),
            counted.c.parked_account_id.label("account_id"),
            account.c.name.label("account_name"),
            *(counted.c[name] for name in ("template", "count", "oldest", "newest")),
        )
        .join_from(counted, account, of, isouter=True)
        .order_by(counted.c.count.desc(), counted.c.parked_cause, counted.c.template, counted.c.parked_account_id)
        .limit(most)
    )
    return [Group(**row) for row in (await connection.execute(found)).mappings()]


async def count(connection: AsyncConnection, tenant_id: UUID, wanted: ParkedFilter) -> int:
    """Returns how many notifications a filter means."""
    query = select(func.count()).select_from(notification).where(conditions(tenant_id, wanted))
    return int((await connection.execute(query)).scalar_one())


async def page(
    connection: AsyncConnection, tenant_id: UUID, *, wanted: ParkedFilter, limit: int, before: UUID | None = None
) -> list[Notification]:
    """Returns the notifications that a filter means, the newest first."""
    query = selected(tenant_id).where(conditions(tenant_id, wanted))
    if before is not None:
        query = query.where(notification.c.id < before)
    rows = await connection.execute(query.order_by(notification.c.id.desc()).limit(limit))
    return [Notification(**row) for row in rows.mappings()]


async def first(
    connection: AsyncConnection, tenant_id: UUID, *, wanted: ParkedFilter, limit: int
) -> list[Notification]:
    """Returns the notifications that an operation with this filter takes up first: those that were accepted first."""
    query = selected(tenant_id).where(conditions(tenant_id, wanted)).order_by(notification.c.id).limit(limit)
    return [Notification(**row) for row in (await connection.execute(query)).mappings()]


async def accounts(connection: AsyncConnection, tenant_id: UUID, wanted: ParkedFilter) -> Sequence[UUID]:
    """Returns the accounts whose trouble keeps the notifications that a filter means."""
    asked = select(notification.c.parked_account_id).distinct().where(conditions(tenant_id, wanted))
    rows = await connection.execute(asked.where(notification.c.parked_account_id.is_not(None)))
    return sorted(rows.scalars())


_BY_CAUSE = text("""
SELECT parked_cause, count(*) AS count FROM (
    SELECT parked_cause FROM notification WHERE parked_at IS NOT NULL LIMIT :most
) AS parked GROUP BY parked_cause
""")


async def by_cause(connection: AsyncConnection, *, most: int) -> Mapping[str, int]:
    """Returns how many notifications of all tenants are parked for each cause, looking at `most` of them."""
    rows: Any = await connection.execute(_BY_CAUSE, {"most": most})
    return {row.parked_cause: row.count for row in rows}


_TENANTS = text("""
SELECT t.id FROM tenant AS t WHERE EXISTS (
    SELECT FROM notification AS n
    WHERE n.tenant_id = t.id AND n.parked_at IS NOT NULL AND n.parked_cause = :cause AND n.parked_at < :before
) ORDER BY t.id
""")


async def tenants_with(connection: AsyncConnection, cause: Reason, *, before: datetime) -> Sequence[UUID]:
    """Returns the tenants of whom something is parked for a cause since before a moment."""
    return list((await connection.execute(_TENANTS, {"cause": cause.value, "before": before})).scalars())
