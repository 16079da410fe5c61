"""The audit trail: written in the transaction of the change that it tells about, never changed afterwards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from db.tables import audit_entry


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """Who did what to which thing."""

    id: UUID
    actor: str
    action: str
    subject_type: str
    subject_id: str
    detail: Mapping[str, Any]
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which entries are wanted; what is not set does not restrict."""

    actor: str | None = None
    action: str | None = None
    subject_type: str | None = None
    subject_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is to be written down; the detail holds names and states, never secrets, addresses or content."""

    actor: str
    action: str
    subject_type: str
    subject_id: str
    detail: Mapping[str, Any] = field(default_factory=dict)


async def record(connection: AsyncConnection, tenant_id: UUID, change: Change) -> None:
    """Writes down a change."""
    await record_all(connection, tenant_id, [change])


async def record_all(connection: AsyncConnection, tenant_id: UUID, changes: Sequence[Change]) -> None:
    """Writes down changes."""
    rows = [
        {
            "tenant_id": tenant_id,
            "id": uuid_utils.compat.uuid7(),
            "actor": change.actor,
            "action": change.action,
            "subject_type": change.subject_type,
            "subject_id": change.subject_id,
            "detail": dict(change.detail),
        }
        for change in changes
    ]
    if rows:
        await connection.execute(audit_entry.insert(), rows)


async def page(
    connection: AsyncConnection, tenant_id: UUID, *, wanted: AuditFilter, limit: int, before: UUID | None
) -> list[AuditEntry]:
    """Returns entries, the newest first."""
    query = select(audit_entry).where(audit_entry.c.tenant_id == tenant_id)
    for name in ("actor", "action", "subject_type", "subject_id"):
        if (value := getattr(wanted, name)) is not None:
            query = query.where(audit_entry.c[name] == value)
    if wanted.since is not None:
        query = query.where(audit_entry.c.created_at >= wanted.since)
    if wanted.until is not None:
        query = query.where(audit_entry.c.created_at < wanted.until)
    if before is not None:
        query = query.where(audit_entry.c.id < before)
    rows = await connection.execute(query.order_by(audit_entry.c.id.desc()).limit(limit))
    return [
        AuditEntry(**{name: value for name, value in row.items() if name != "tenant_id"}) for row in rows.mappings()
    ]
