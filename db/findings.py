"""Findings: what housekeeping and reconciling came upon, one row per thing and kind, counted when it comes again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.care_tables import finding
from db.tables import tenant
from domain.findings import Kind, Repair


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFinding:
    """Something that was found; without a repair it stays open. The detail holds ids, states and moments alone."""

    kind: Kind
    subject_type: str
    subject_id: str
    repair: Repair | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A finding as it stands."""

    id: UUID
    kind: str
    subject_type: str
    subject_id: str
    state: str
    repair: str | None
    detail: Mapping[str, Any]
    times: int
    found_at: datetime
    last_found_at: datetime
    repaired_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingFilter:
    """Which findings are wanted; what is not set does not restrict."""

    kind: str | None = None
    state: str | None = None
    subject_type: str | None = None
    subject_id: str | None = None
    since: datetime | None = None


async def record(connection: AsyncConnection, tenant_id: UUID, found: Sequence[NewFinding]) -> None:
    """Records findings; what was found before is counted and takes the state of now."""
    if not found:
        return
    ordered = sorted(found, key=lambda item: (item.kind.value, item.subject_type, item.subject_id))
    statement = insert(finding).values([_row(tenant_id, item) for item in ordered])
    new = statement.excluded
    again = {
        "times": finding.c.times + 1,
        "last_found_at": func.now(),
        **{name: new[name] for name in ("state", "repair", "detail", "repaired_at")},
    }
    keys = ["tenant_id", "kind", "subject_type", "subject_id"]
    await connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=again))


async def told_lately(connection: AsyncConnection, tenant_id: UUID, item: NewFinding) -> bool:
    """Tells whether the same is open already and was told of within the last hour."""
    asked = select(finding.c.id).where(
        finding.c.tenant_id == tenant_id,
        finding.c.kind == item.kind.value,
        finding.c.subject_type == item.subject_type,
        finding.c.subject_id == item.subject_id,
        finding.c.state == "open",
        finding.c.last_found_at > func.now() - timedelta(hours=1),
    )
    return (await connection.execute(asked)).first() is not None


async def repaired(
    connection: AsyncConnection, tenant_id: UUID, kind: Kind, subject_ids: Sequence[str], repair: Repair
) -> int:
    """Closes the open findings of a kind about these subjects, and returns how many there were."""
    where = (
        finding.c.tenant_id == tenant_id,
        finding.c.kind == kind.value,
        finding.c.subject_id.in_(subject_ids),
        finding.c.state == "open",
    )
    values = {"state": "repaired", "repair": repair.value, "repaired_at": func.now()}
    return (await connection.execute(update(finding).where(*where).values(values))).rowcount


async def page(
    connection: AsyncConnection, tenant_id: UUID, *, wanted: FindingFilter, limit: int, before: UUID | None
) -> list[Finding]:
    """Returns findings, the first found last; `since` asks when something was found the last time."""
    columns = [finding.c[name] for name in Finding.__dataclass_fields__]
    query = select(*columns).where(finding.c.tenant_id == tenant_id)
    for name in ("kind", "state", "subject_type", "subject_id"):
        if (value := getattr(wanted, name)) is not None:
            query = query.where(finding.c[name] == value)
    if wanted.since is not None:
        query = query.where(finding.c.last_found_at >= wanted.since)
    if before is not None:
        query = query.where(finding.c.id < before)
    rows = await connection.execute(query.order_by(finding.c.id.desc()).limit(limit))
    return [Finding(**row) for row in rows.mappings()]


async def open_counts(connection: AsyncConnection) -> dict[Kind, int]:
    """Returns how many findings of all tenants are open, by kind; zero where there are none."""
    asked = select(finding.c.kind, func.count()).where(finding.c.state == "open").group_by(finding.c.kind)
    counted = {row[0]: row[1] for row in await connection.execute(asked)}
    return {kind: counted.get(kind.value, 0) for kind in Kind}


async def held_tenants(connection: AsyncConnection) -> frozenset[UUID]:
    """Returns the tenants whose rows seem to be older than what Temporal remembers of them."""
    asked = select(finding.c.tenant_id).where(finding.c.state == "open", finding.c.kind == Kind.DATABASE_RESTORED.value)
    return frozenset((await connection.execute(asked)).scalars())


async def not_reconciled_since(connection: AsyncConnection, moment: datetime) -> list[UUID]:
    """Returns the tenants for whom nobody has reconciled both sides after a moment."""
    reconciled = select(finding.c.id).where(
        finding.c.tenant_id == tenant.c.id,
        finding.c.kind == Kind.DATABASE_RESTORED.value,
        finding.c.repair == Repair.RECONCILED.value,
        finding.c.repaired_at > moment,
    )
    return list((await connection.execute(select(tenant.c.id).where(~reconciled.exists()))).scalars())


def _row(tenant_id: UUID, item: NewFinding) -> dict[str, Any]:
    return {
        "tenant_id": tenant_id,
        "id": uuid_utils.compat.uuid7(),
        "kind": item.kind.value,
        "subject_type": item.subject_type,
        "subject_id": item.subject_id,
        "state": "open" if item.repair is None else "repaired",
        "repair": item.repair.value if item.repair else None,
        "detail": dict(item.detail),
        "repaired_at": None if item.repair is None else func.now(),
    }
