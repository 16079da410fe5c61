"""Series that ask for consent: whoever chooses something makes them look again."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db import outbox
from db.series_hearing import woken

# By the definition, not by what a series waits for at this moment: one that is just about to wait looks again, too.
_ASKING = text("""
SELECT s.id FROM series AS s JOIN flow_version AS v ON v.tenant_id = s.tenant_id AND v.id = s.flow_version_id
WHERE s.tenant_id = :tenant AND s.ended_at IS NULL AND jsonb_path_exists(v.definition, '$.** ? (@.do == "confirm")')
  AND s.id IN (
    -- each by an index of its own: people may have had many series, and tenants have very many
    SELECT t.id FROM series AS t
    WHERE t.tenant_id = :tenant AND t.receiver_id = CAST(:receiver AS uuid) AND t.ended_at IS NULL
    UNION ALL
    SELECT t.id FROM series AS t
    WHERE t.tenant_id = :tenant AND t."to" = :value AND t.to_kind = :kind AND t.ended_at IS NULL
    UNION ALL
    SELECT t.id FROM address AS a JOIN series AS t ON t.tenant_id = :tenant AND t.receiver_id = a.recipient_id
    WHERE a.tenant_id = :tenant AND a.kind = :kind AND a.value = :value AND t.ended_at IS NULL
  )
""")


async def wake(connection: AsyncConnection, tenant_id: UUID, subjects: Collection[tuple[str, str]], cause: str) -> None:
    """Lets the series look again that ask a recipient, or whoever has an address."""
    found: set[UUID] = set()
    for kind, value in subjects:
        receiver = value if kind == "recipient" else None
        asked = {"tenant": tenant_id, "receiver": receiver, "kind": kind, "value": value}
        found.update((await connection.execute(_ASKING, asked)).scalars())
    await outbox.add_signals(connection, tenant_id, [woken(one, cause) for one in sorted(found)])
