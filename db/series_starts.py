"""What requests to start a series were answered, by their idempotency keys: kept for ever, whatever the answer was."""

from dataclasses import dataclass, field
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from db.series_tables import series, series_start


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a request was answered.

    Attributes:
        replaced: The series that was stopped for the one that began.
    """

    request_hash: bytes = field(repr=False)
    result: str
    series_id: UUID | None
    replaced: UUID | None = None


async def answered(connection: AsyncConnection, tenant_id: UUID, idempotency_key: str) -> Answered | None:
    """Returns what the first request of a key was answered; lock the key before."""
    asked = select(*(series_start.c[name] for name in Answered.__dataclass_fields__)).where(
        series_start.c.tenant_id == tenant_id, series_start.c.idempotency_key == idempotency_key
    )
    row = (await connection.execute(asked)).mappings().one_or_none()
    return Answered(**row) if row else await _begun(connection, tenant_id, idempotency_key)


async def _begun(connection: AsyncConnection, tenant_id: UUID, idempotency_key: str) -> Answered | None:
    """Returns what the series of a key tells alone: of what began before answers were kept nothing else does."""
    asked = select(series.c.id, series.c.request_hash).where(
        series.c.tenant_id == tenant_id, series.c.idempotency_key == idempotency_key
    )
    row = (await connection.execute(asked)).one_or_none()
    return Answered(request_hash=row.request_hash, result="started", series_id=row.id) if row else None


async def keep(connection: AsyncConnection, tenant_id: UUID, idempotency_key: str, answer: Answered) -> None:
    """Keeps the answer of a key."""
    values = {name: getattr(answer, name) for name in Answered.__dataclass_fields__}
    statement = insert(series_start).values(
        tenant_id=tenant_id, id=uuid_utils.compat.uuid7(), idempotency_key=idempotency_key, **values
    )
    await connection.execute(statement)
