"""Duplicates that are proven: two attempts of one message, each accepted by an answer or by a receipt."""

from collections.abc import Sequence
from uuid import UUID

from prometheus_client import Counter
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db import decisions
from domain import keys
from domain.reasons import Reason

# Counted where it is written: one that is rolled back afterwards is written again, and then counted twice.
CONFIRMED = Counter("carillon_duplicates_confirmed", "Messages that were proven to be accepted twice.", ("policy",))

# An attempt that was taken and then failed reached nobody; what a person says is no proof.
_PROVEN = text("""
SELECT m.notification_id, m.hop, m.part, m.channel, m.provider, n.on_unknown, found.numbers
FROM (
    SELECT a.message_id, array_agg(a.number ORDER BY a.number) AS numbers
    FROM attempt AS a
    WHERE a.tenant_id = :tenant AND a.message_id = ANY(CAST(:messages AS uuid[])) AND a.state = 'accepted'
      AND a.settled_by IS DISTINCT FROM 'person'
      AND (NOT EXISTS (SELECT FROM receipt AS r WHERE r.tenant_id = a.tenant_id AND r.attempt_id = a.id
                       AND r.status IN ('rejected', 'failed', 'bounced'))
           OR EXISTS (SELECT FROM receipt AS r WHERE r.tenant_id = a.tenant_id AND r.attempt_id = a.id
                      AND r.status IN ('delivered', 'read')))
    GROUP BY a.message_id HAVING count(*) > 1
) AS found
JOIN message AS m ON m.tenant_id = :tenant AND m.id = found.message_id
JOIN notification AS n ON n.tenant_id = :tenant AND n.id = m.notification_id
""")


async def confirm(connection: AsyncConnection, tenant_id: UUID, message_ids: Sequence[UUID]) -> None:
    """Records, once for each message, that two of its attempts are proven to have been accepted.

    Their notifications must be locked in this transaction.
    """
    if not message_ids:
        return
    asked = {"tenant": tenant_id, "messages": list(message_ids)}
    for row in (await connection.execute(_PROVEN, asked)).all():
        is_new = await decisions.note(
            connection,
            tenant_id,
            row.notification_id,
            sequence=keys.duplicate_sequence(row.hop, row.part),
            kind="duplicate",
            reason=Reason.DUPLICATE_CONFIRMED,
            hop=row.hop,
            detail={"channel": row.channel, "provider": row.provider, "part": row.part, "numbers": row.numbers},
        )
        if is_new:
            CONFIRMED.labels(row.on_unknown).inc()
