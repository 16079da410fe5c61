"""Holds: what keeps a notification from its next attempt for a while, written down for people who ask meanwhile.

The workflow knows it by itself and writes its decision with the next attempt; nobody waits for these columns.
"""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.notifications import Delivered, Outcome

_NOTE = text("""
UPDATE notification AS n SET held_until = asked.until, held_reason = asked.reason
FROM unnest(CAST(:ids AS uuid[]), CAST(:untils AS timestamptz[]), CAST(:reasons AS text[]))
     AS asked(id, until, reason)
WHERE n.tenant_id = :tenant AND n.id = asked.id
""")


async def note(connection: AsyncConnection, tenant_id: UUID, answers: Mapping[str, Delivered]) -> None:
    """Writes down, for locked notifications by id, which of them wait for an instant; the others are left alone."""
    held = {name: one for name, one in answers.items() if one.outcome is Outcome.HELD and one.until is not None}
    if not held:
        return
    columns = {
        "tenant": tenant_id,
        "ids": [UUID(name) for name in held],
        "untils": [one.until for one in held.values()],
        "reasons": [one.reason.value if one.reason else None for one in held.values()],
    }
    await connection.execute(_NOTE, columns)
