"""Series that are parked for one cause and go on together, because what they were parked for is mended."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.series_tables import series_entry

# Locked in the order of their ids. Runs of schedules that replace series lock them in the order of their keys, so the
# two may wait for each other; who puts a calendar then repeats it.
_GO_ON = text("""
WITH parked AS (
    SELECT id FROM series
    WHERE tenant_id = :tenant AND status = 'parked' AND reason = :reason AND detail = :detail
    ORDER BY id FOR NO KEY UPDATE
)
UPDATE series AS s SET status = 'running', reason = NULL, detail = NULL, entries = s.entries + 1, updated_at = now()
FROM parked WHERE s.tenant_id = :tenant AND s.id = parked.id AND s.status = 'parked'
RETURNING s.id, s.entries, s.step
""")


async def go_on(
    connection: AsyncConnection, tenant_id: UUID, *, reason: str, detail: str, told: Mapping[str, Any], at: datetime
) -> list[UUID]:
    """Lets series run that are parked for a reason in these very words, and writes that on their timelines.

    Returns:
        Which they are; nobody has woken them yet.
    """
    rows = (await connection.execute(_GO_ON, {"tenant": tenant_id, "reason": reason, "detail": detail})).all()
    lines = [
        {
            "tenant_id": tenant_id, "id": uuid_utils.compat.uuid7(), "series_id": row.id, "number": row.entries,
            "kind": "resumed", "step": row.step, "detail": dict(told), "at": at,
        }
        for row in rows
    ]  # fmt: skip
    if lines:
        await connection.execute(insert(series_entry), lines)
    return sorted(row.id for row in rows)
