"""Both sides compared: what PostgreSQL holds about workflows that Temporal has, or should have."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The row of a notification whose workflow runs."""

    tenant_id: UUID
    id: UUID
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingStart:
    """A start that waits in the outbox and that no dispatcher holds."""

    tenant_id: UUID
    id: UUID
    workflow_id: str
    dedup_key: str


_KNOWN = text("SELECT tenant_id, id, ended_at FROM notification WHERE id = ANY(CAST(:ids AS uuid[]))")

_STARTS = text("""
SELECT tenant_id, id, workflow_id, dedup_key FROM outbox
WHERE kind = 'start' AND (leased_until IS NULL OR leased_until < now()) AND id > :cursor ORDER BY id LIMIT :limit
""")


async def known(connection: AsyncConnection, ids: Sequence[UUID]) -> dict[UUID, Known]:
    """Returns the notifications with these ids, of whichever tenant."""
    rows = (await connection.execute(_KNOWN, {"ids": list(ids)})).mappings()
    return {row["id"]: Known(**row) for row in rows}


async def waiting_starts(connection: AsyncConnection, *, after: UUID | None, limit: int) -> list[WaitingStart]:
    """Returns the starts after an id that wait in the outbox."""
    asked = {"cursor": after or UUID(int=0), "limit": limit}
    return [WaitingStart(**row) for row in (await connection.execute(_STARTS, asked)).mappings()]


async def remove_start(connection: AsyncConnection, start: WaitingStart) -> None:
    """Takes a start out of the outbox."""
    asked = {"tenant": start.tenant_id, "id": start.id}
    await connection.execute(text("DELETE FROM outbox WHERE tenant_id = :tenant AND id = :id"), asked)
