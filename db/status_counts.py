"""How many notifications stand where: counted as far as people need it, however many there are."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.notifications import first_id
from domain.status import Status

# One walk along the index of (tenant, status, id) for each status, never longer than what is shown.
_COUNTS = text("""
SELECT s.status, (
    SELECT count(*) FROM (
        SELECT FROM notification AS n WHERE n.tenant_id = :tenant AND n.status = s.status AND n.id >= :first LIMIT :most
    ) AS counted
) AS count
FROM unnest(CAST(:statuses AS text[])) AS s(status)
""")


async def by_status(connection: AsyncConnection, tenant_id: UUID, *, since: datetime, most: int) -> dict[Status, int]:
    """Returns how many notifications accepted since a moment have each status, none of them counted beyond `most`."""
    asked = {
        "tenant": tenant_id,
        "first": first_id(since),
        "most": most,
        "statuses": [status.value for status in Status],
    }
    rows = (await connection.execute(_COUNTS, asked)).mappings()
    return {Status(row["status"]): row["count"] for row in rows if row["count"]}
