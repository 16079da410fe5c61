"""The timeline: every row that says something about a notification, united and put in order by the database."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.status import Status, advance

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TAIL = 12
"""Hexadecimal digits of an id that break ties between entries of the same moment and kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Something that happened.

    Attributes:
        order: What comes first when two things have the same moment.
        tail: The end of the row's id.
        kind: What happened, such as `attempt.accepted`.
        reason: Code of why, where there is one.
        detail: The facts, by name; those that are null are left out.
    """

    notification_id: UUID
    at: datetime
    order: int
    tail: str
    kind: str
    reason: str | None
    detail: Mapping[str, Any] = field(repr=False)

    @property
    def position(self) -> UUID:
        """Returns the place in the order of time as an id: microseconds, order, tail."""
        microseconds = (self.at - _EPOCH) // timedelta(microseconds=1)
        return UUID(bytes=microseconds.to_bytes(8) + bytes([self.order]) + bytes.fromhex(self.tail) + b"\x00")


# How far each status is: what a receipt says advances its message when it is further than all that came before it.
_REACH = {status.value: sum(advance(other, status) is not other for other in Status) for status in Status}

_ENTRIES = """
WITH chosen AS (
    SELECT * FROM notification AS n WHERE n.tenant_id = :tenant AND {chosen}
), reach AS (
    SELECT * FROM unnest(CAST(:statuses AS text[]), CAST(:reaches AS integer[])) AS t(status, reach)
), sent AS (
    SELECT m.* FROM message AS m JOIN chosen AS n ON m.notification_id = n.id WHERE m.tenant_id = :tenant
), tried AS (
    SELECT a.*, m.notification_id, m.channel, m.hop, m.part, used.provider, used.id AS used_id, used.name AS used_name,
           -- What a person said of it is a decision of its own; at its end the attempt was in doubt.
           CASE WHEN a.settled_by = 'person' THEN 'unknown' ELSE a.state END AS seen,
           CASE WHEN a.settled_by = 'person' THEN 'outcome_unknown' ELSE a.error_code END AS seen_code
    FROM attempt AS a JOIN sent AS m ON a.message_id = m.id
    JOIN account AS used ON used.tenant_id = :tenant AND used.id = coalesce(a.account_id, m.account_id)
    WHERE a.tenant_id = :tenant
), heard AS (
    SELECT r.*, m.notification_id, m.channel, reach.reach > greatest(
               max(reach.reach) OVER (PARTITION BY r.message_id ORDER BY r.received_at, r.id
                                      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
               (SELECT reach FROM reach WHERE status = 'accepted' AND EXISTS (
                   SELECT FROM tried AS a WHERE a.id = r.attempt_id AND a.state = 'accepted' AND a.settled_by IS NULL
                   AND a.finished_at <= r.received_at)),
               0) AS advanced
    FROM receipt AS r JOIN sent AS m ON r.message_id = m.id JOIN reach ON reach.status = r.status
    WHERE r.tenant_id = :tenant
), entry AS (
    SELECT n.id AS notification_id, n.created_at AS at, 0 AS ordering, n.id AS row_id, 'notification.accepted' AS kind,
           NULL AS reason, jsonb_build_object(
               'template', n.template, 'trigger', n.trigger_type, 'send_at', n.send_at, 'expires_at', n.expires_at,
               'original_notification_id', n.original_notification_id) AS detail
    FROM chosen AS n
    UNION ALL
    SELECT d.notification_id, d.created_at, 1, d.id, 'decision.' || d.kind, d.reason,
           d.detail || jsonb_build_object('hop', d.hop)
    FROM decision AS d JOIN chosen AS n ON d.notification_id = n.id WHERE d.tenant_id = :tenant
    UNION ALL
    SELECT a.notification_id, a.claimed_at, 2, a.id, 'attempt.claimed', NULL, jsonb_build_object(
               'channel', a.channel, 'provider', a.provider, 'account_id', a.used_id, 'account', a.used_name,
               'hop', a.hop, 'part', a.part, 'number', a.number, 'attempt_id', a.id, 'reference', a.reference,
               'message_id', a.message_id,
               'possible_duplicate', nullif(a.possible_duplicate, false))
    FROM tried AS a
    UNION ALL
    SELECT a.notification_id, a.finished_at, 3, a.id, 'attempt.' || a.seen, a.seen_code, jsonb_build_object(
               'channel', a.channel, 'provider', a.provider, 'account_id', a.used_id, 'account', a.used_name,
               'hop', a.hop, 'part', a.part, 'number', a.number, 'attempt_id', a.id, 'reference', a.reference,
               'message_id', a.message_id, 'provider_message_id', a.provider_message_id,
               'provider_code', a.provider_code, 'detail', a.detail, 'retry_after', a.retry_after,
               'settled_by', a.settled_by)
    FROM tried AS a WHERE a.finished_at IS NOT NULL
    UNION ALL
    SELECT r.notification_id, r.received_at, 4, r.id, 'receipt.' || r.status, r.error_code, jsonb_build_object(
               'channel', r.channel, 'provider', r.provider, 'message_id', r.message_id, 'reference', r.reference,
               'provider_message_id', r.provider_message_id, 'raw_status', r.raw_status, 'advanced', r.advanced,
               'provider_code', r.provider_code, 'detail', r.detail, 'occurred_at', r.occurred_at)
    FROM heard AS r
    UNION ALL
    SELECT n.id, i.received_at, 5, i.id, 'reply.received', NULL, jsonb_build_object(
               'channel', a.channel, 'message_id', a.message_id, 'kind', i.kind, 'text', i.body, 'payload', i.payload,
               'tap', i.tap, 'found_by', i.found_by, 'author_name', i.author_name, 'occurred_at', i.occurred_at)
    FROM inbound_message AS i JOIN chosen AS n ON i.notification_id = n.id
    LEFT JOIN LATERAL (
        SELECT t.channel, t.message_id FROM tried AS t WHERE t.notification_id = n.id
        ORDER BY coalesce(t.message_id = i.tapped_message_id, false) DESC,
                 coalesce(t.provider_message_id = i.quotes, false) DESC, t.claimed_at DESC LIMIT 1
    ) AS a ON true
    WHERE i.tenant_id = :tenant
    UNION ALL
    SELECT n.id, n.cancel_requested_at, 6, n.id, 'cancel.requested', NULL, '{{}}'::jsonb
    FROM chosen AS n WHERE n.cancel_requested_at IS NOT NULL
    UNION ALL
    SELECT n.id, f.last_found_at, 6, f.id, 'finding.' || f.kind, NULL, jsonb_build_object(
               'repair', f.repair, 'times', f.times)
    FROM finding AS f JOIN chosen AS n ON f.subject_id = n.id::text
    WHERE f.tenant_id = :tenant AND f.subject_type = 'notification'
    UNION ALL
    SELECT n.id, n.ended_at, 7, n.id, 'notification.ended', n.reason, jsonb_build_object(
               'status', n.status, 'channel', n.channel)
    FROM chosen AS n WHERE n.ended_at IS NOT NULL
    UNION ALL
    SELECT n.id, later.created_at, 8, later.id, 'notification.resent', NULL, jsonb_build_object(
               'notification_id', later.id)
    FROM notification AS later JOIN chosen AS n ON later.original_notification_id = n.id
    WHERE later.tenant_id = :tenant
)
SELECT notification_id, at, ordering AS "order", right(row_id::text, {tail}) AS tail, kind, reason,
       jsonb_strip_nulls(detail) AS detail
FROM entry
"""

_OF_NOTIFICATION = text(_ENTRIES.format(chosen="n.id = :id", tail=_TAIL) + 'ORDER BY at, "order", tail LIMIT :limit')
_OF_RESOURCE = text(
    _ENTRIES.format(chosen="n.resource_type = :type AND n.resource_id = :id", tail=_TAIL)
    + f"""
WHERE CAST(:at AS timestamptz) IS NULL
   OR (at, ordering, right(row_id::text, {_TAIL})) < (CAST(:at AS timestamptz), CAST(:order AS integer), :tail)
ORDER BY at DESC, "order" DESC, tail DESC LIMIT :limit
"""
)


async def of_notification(
    connection: AsyncConnection, tenant_id: UUID, notification_id: UUID, *, limit: int
) -> list[Entry]:
    """Returns everything that happened to a notification, from the beginning."""
    asked = {"tenant": tenant_id, "id": notification_id, "limit": limit, **_reaches()}
    return [Entry(**row) for row in (await connection.execute(_OF_NOTIFICATION, asked)).mappings()]


async def of_resource(
    connection: AsyncConnection, tenant_id: UUID, *, kind: str, name: str, limit: int, before: UUID | None
) -> list[Entry]:
    """Returns what happened to the notifications about a resource, the newest first, below a position."""
    at, order, tail = _place(before) if before is not None else (None, None, "")
    asked = {
        "tenant": tenant_id,
        "type": kind,
        "id": name,
        "limit": limit,
        "at": at,
        "order": order,
        "tail": tail,
        **_reaches(),
    }
    return [Entry(**row) for row in (await connection.execute(_OF_RESOURCE, asked)).mappings()]


def _reaches() -> dict[str, Any]:
    return {"statuses": list(_REACH), "reaches": list(_REACH.values())}


def _place(position: UUID) -> tuple[datetime, int, str]:
    raw = position.bytes
    return _EPOCH + timedelta(microseconds=int.from_bytes(raw[:8])), raw[8], raw[9:15].hex()
