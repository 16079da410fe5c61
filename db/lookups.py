"""Which notifications an id belongs to, whosever id it is: ours, the caller's key, or a provider's."""

import re
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_HEX = re.compile(r"[0-9a-f]{8,32}")
_WORKFLOW = "notification/"

_FOUND = text("""
WITH tried AS (
    SELECT message_id FROM attempt WHERE tenant_id = :tenant AND reference = :text
    UNION SELECT message_id FROM attempt WHERE tenant_id = :tenant AND provider_message_id = :text
    UNION SELECT id FROM message WHERE tenant_id = :tenant AND id BETWEEN :low AND :high
    UNION SELECT id FROM message WHERE tenant_id = :tenant AND provider_message_id = :text
), found AS (
    (SELECT id FROM notification WHERE tenant_id = :tenant AND id BETWEEN :low AND :high ORDER BY id DESC LIMIT :limit)
    UNION SELECT id FROM notification WHERE tenant_id = :tenant AND idempotency_key = :text
    UNION SELECT m.notification_id FROM message AS m JOIN tried AS t ON t.message_id = m.id WHERE m.tenant_id = :tenant
)
SELECT id FROM found ORDER BY id DESC LIMIT :limit
""")


async def notifications(connection: AsyncConnection, tenant_id: UUID, given: str, *, limit: int) -> list[UUID]:
    """Returns the notifications that somebody may mean with an id, the newest first.

    Args:
        connection: A transaction of the tenant.
        tenant_id: The tenant.
        given: A notification's or message's id or its beginning, a workflow's id, an idempotency key, an attempt's
            reference, or the id that a provider gave to a message.
        limit: How many at most.
    """
    wanted = given.strip().removeprefix(_WORKFLOW)
    low, high = _between(wanted)
    asked = {"tenant": tenant_id, "text": wanted, "low": low, "high": high, "limit": limit}
    return list((await connection.execute(_FOUND, asked)).scalars())


def _between(wanted: str) -> tuple[UUID | None, UUID | None]:
    """Returns the lowest and the highest id that begin as given; none where it is no beginning of an id."""
    digits = wanted.lower().replace("-", "")
    if not _HEX.fullmatch(digits):
        return None, None
    return UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))
