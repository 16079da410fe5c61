"""Buckets that a provider wants to be left alone for a while."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_CLOSED = text("""
SELECT key, not_before FROM rate_bucket
WHERE tenant_id = :tenant AND key = ANY(CAST(:keys AS text[])) AND not_before > :now
""")


async def closed(
    connection: AsyncConnection, tenant_id: UUID, keys: Collection[str], now: datetime
) -> dict[str, datetime]:
    """Returns until when buckets are closed, by key; a turn that was reserved before does not open them."""
    if not keys:
        return {}
    rows = await connection.execute(_CLOSED, {"tenant": tenant_id, "keys": sorted(keys), "now": now})
    return {row.key: row.not_before for row in rows}
