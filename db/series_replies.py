"""Replies and taps find their series: by what they quote, else by being the only one that they can mean."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.callbacks import NewInbound
from db.series_hearing import NewHearing, hear

_MEANT = text("""
SELECT asked.place, q.series_id, q.notification_id, q.step, c.waiting, c.running
FROM unnest(CAST(:quotes AS text[]), CAST(:kinds AS text[]), CAST(:authors AS text[]))
     WITH ORDINALITY AS asked(quotes, kind, author, place)
LEFT JOIN LATERAL (
    SELECT n.series_id, n.id AS notification_id, n.series_step AS step
    FROM message AS m JOIN notification AS n ON n.tenant_id = m.tenant_id AND n.id = m.notification_id
    WHERE m.tenant_id = :tenant AND m.provider_message_id = asked.quotes LIMIT 1
) AS q ON asked.quotes IS NOT NULL
CROSS JOIN LATERAL (
    SELECT array_agg(s.id) FILTER (WHERE s.wakes @> '[{"kind": "reply"}]' OR s.wakes @> '[{"kind": "tap"}]'
                                         OR s.wakes @> '[{"kind": "*"}]') AS waiting,
           array_agg(s.id) AS running
    FROM series AS s
    WHERE s.tenant_id = :tenant AND s.ended_at IS NULL
      AND (s."to" = asked.author AND s.to_kind = asked.kind OR s.receiver_id IN (
          SELECT a.recipient_id FROM address AS a
          WHERE a.tenant_id = :tenant AND a.kind = asked.kind AND a.value = asked.author
      ))
) AS c
ORDER BY asked.place
""")


async def tell(connection: AsyncConnection, tenant_id: UUID, messages: Sequence[NewInbound]) -> None:
    """Lets series hear the inbound messages that mean them; one that is unclear is heard by none."""
    if not messages:
        return
    asked = {
        "tenant": tenant_id,
        "quotes": [one.quotes for one in messages],
        "kinds": [one.author_kind for one in messages],
        "authors": [one.author for one in messages],
    }
    rows = (await connection.execute(_MEANT, asked)).mappings()
    news = [_news(one, dict(row)) for one, row in zip(messages, rows, strict=True)]
    await hear(connection, tenant_id, [one for one in news if one is not None])


def meant(series_id: UUID | None, waiting: Sequence[UUID] | None, running: Sequence[UUID] | None) -> UUID | None:
    """Returns the series that a message means: the quoted one, else the only one that waits, else the only one."""
    if series_id is not None:
        return series_id
    candidates = waiting or running or ()
    return candidates[0] if len(candidates) == 1 else None


def _news(message: NewInbound, row: Mapping[str, Any]) -> NewHearing | None:
    series_id = meant(row["series_id"], row["waiting"], row["running"])
    if series_id is None:
        return None
    notification_id = row["notification_id"]
    return NewHearing(
        series_id=series_id,
        cause=f"inbound/{message.provider}/{message.event_key}",
        kind="reply" if message.payload is None else "tap",
        name=message.payload,
        at=message.occurred_at,
        data={
            "kind": message.kind,
            "text": message.body,
            "payload": message.payload,
            "notification_id": str(notification_id) if notification_id else None,
            "step": row["step"],
        },
    )
