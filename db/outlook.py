"""What the ledger knows of a notification on its way: the ground on which it is said what it waits for."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain import keys
from domain.outlook import LastAttempt, Ledger
from domain.reasons import Reason
from domain.status import Status

_LEDGER = text("""
SELECT n.ended_at IS NOT NULL AS ended, n.send_at, n.expires_at, n.parked_cause, last.*,
       (SELECT CAST(d.detail ->> 'until' AS timestamptz) FROM decision AS d
        WHERE d.tenant_id = n.tenant_id AND d.notification_id = n.id AND d.kind = 'parked'
        ORDER BY d.created_at DESC, d.id DESC LIMIT 1) AS parked_until,
       CASE WHEN n.held_until > :now THEN n.held_reason END AS held_reason, n.held_until,
       EXISTS (SELECT FROM outbox AS o WHERE o.tenant_id = n.tenant_id
               AND o.dedup_key IN (:start, :page_start || n.page_id)) AS in_line
FROM notification AS n
JOIN template_version AS v ON v.tenant_id = n.tenant_id AND v.id = n.template_version_id
JOIN template AS t ON t.tenant_id = n.tenant_id AND t.id = v.template_id
LEFT JOIN LATERAL (
    SELECT m.id::text AS message_id, a.number, a.state, a.claimed_at, a.finished_at, a.retry_after, m.channel,
           m.status AS message_status, m.success, m.awaited, used.provider,
           CAST((coalesce(t.defaults -> 'fallback', '{}'::jsonb) || n.fallback) -> m.channel ->> 'within'
                AS double precision) AS within,
           CAST(used.public_config ->> 'quarantine_seconds' AS double precision) AS quarantine,
           (SELECT count(*) FROM attempt AS spent
            WHERE spent.tenant_id = m.tenant_id AND spent.message_id = m.id AND spent.claimed_at < (
                SELECT max(d.created_at) FROM decision AS d
                WHERE d.tenant_id = n.tenant_id AND d.notification_id = n.id AND d.kind = 'resumed')) AS spent
    FROM message AS m
    JOIN attempt AS a ON a.tenant_id = m.tenant_id AND a.message_id = m.id
    JOIN account AS used ON used.tenant_id = m.tenant_id AND used.id = coalesce(a.account_id, m.account_id)
    WHERE m.tenant_id = n.tenant_id AND m.notification_id = n.id AND m.part = 0
    ORDER BY a.claimed_at DESC, m.hop DESC, a.number DESC LIMIT 1
) AS last ON true
WHERE n.tenant_id = :tenant AND n.id = :id
""")


async def read(
    connection: AsyncConnection,
    tenant_id: UUID,
    notification_id: UUID,
    *,
    quarantines: Mapping[str, float],
    now: datetime,
) -> Ledger | None:
    """Returns what is known of a notification; `quarantines` holds the usual seconds by provider."""
    start = keys.start_of(keys.notification_workflow(str(notification_id)))
    page_start = keys.start_of(keys.page_workflow(""))
    asked = {"tenant": tenant_id, "id": notification_id, "start": start, "page_start": page_start, "now": now}
    row = (await connection.execute(_LEDGER, asked)).mappings().one_or_none()
    if row is None:
        return None
    held = (Reason(row["held_reason"]), row["held_until"]) if row["held_reason"] else None
    return Ledger(
        ended=row["ended"],
        send_at=row["send_at"],
        expires_at=row["expires_at"],
        parked_cause=Reason(row["parked_cause"]) if row["parked_cause"] else None,
        parked_until=row["parked_until"],
        in_line=row["in_line"],
        last=_last(dict(row), quarantines) if row["message_id"] else None,
        held=held,
    )


def _last(row: dict[str, Any], quarantines: Mapping[str, float]) -> LastAttempt:
    usual = quarantines.get(row["provider"], 120.0)
    own = ("message_id", "number", "state", "claimed_at", "finished_at", "retry_after", "channel", "awaited", "within")
    return LastAttempt(
        **{name: row[name] for name in own},
        made=row["number"] - row["spent"],
        message_status=Status(row["message_status"]),
        success=Status(row["success"]),
        quarantine=usual if row["quarantine"] is None else row["quarantine"],
    )
