"""What receipts do to messages and notifications, under the lock that claims, records and cancelling take too."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db import duplicates, outbox
from db.delivery_tables import attempt, receipt
from db.series_hearing import NewHearing, hear
from domain import keys
from domain.reasons import Reason
from domain.status import Status, advance, after_receipt, failure_of, summarise


@dataclass(frozen=True, slots=True, kw_only=True)
class NewReceipt:
    """What a provider said about a message, ready to be stored; `callback_id` is the request that said it."""

    callback_id: UUID
    provider: str
    event_key: str
    status: Status
    raw_status: str
    occurred_at: datetime
    provider_message_id: str
    reference: str | None = None
    error_code: str | None = None
    provider_code: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The attempt, the message and the notification that a receipt speaks of."""

    attempt_id: UUID
    message_id: UUID
    notification_id: UUID


@dataclass(slots=True, kw_only=True)
class _Standing:
    """A message under its notification's lock, changed by one receipt after the other.

    Attributes:
        summary: The status of its notification, which ended at `ended_at`.
    """

    message_id: UUID
    notification_id: UUID
    hop: int
    part: int
    status: Status
    success: Status
    awaited: bool
    summary: str
    ended_at: datetime | None
    series_id: UUID | None
    series_step: str | None
    attempts: int
    changes: dict[str, Any]


_LOCK = text("""
SELECT m.id AS message_id, m.notification_id, m.hop, m.part, m.status, m.success, m.awaited,
       n.status AS summary, n.ended_at, n.series_id, n.series_step,
       (SELECT count(*) FROM attempt AS a WHERE a.tenant_id = m.tenant_id AND a.message_id = m.id) AS attempts
FROM notification AS n JOIN message AS m ON m.tenant_id = n.tenant_id AND m.notification_id = n.id
WHERE n.tenant_id = :tenant AND n.id = ANY(CAST(:ids AS uuid[]))
ORDER BY n.id, m.hop, m.part FOR NO KEY UPDATE OF n, m
""")

# Whatever an attempt counted as, and whatever a person said of it: a provider that tells where a message stands has
# taken it. Only that a refused one failed is nothing new.
_SETTLE = text("""
UPDATE attempt AS a SET state = 'accepted', settled_by = 'receipt', finished_at = asked.at, error_code = NULL,
       detail = NULL, provider_message_id = coalesce(asked.provider_message_id, a.provider_message_id)
FROM unnest(CAST(:attempts AS uuid[]), CAST(:provider_ids AS text[]), CAST(:ats AS timestamptz[]),
            CAST(:failures AS boolean[])) AS asked(id, provider_message_id, at, failure)
WHERE a.tenant_id = :tenant AND a.id = asked.id
  AND (a.state IN ('sending', 'unknown', 'not_sent') OR a.state = 'refused' AND NOT asked.failure
       OR a.state = 'accepted' AND a.settled_by = 'person')
""")

_ADVANCE = text("""
UPDATE message AS m SET status = asked.status, status_at = coalesce(asked.status_at, m.status_at),
       reason = CASE WHEN m.status = asked.status THEN m.reason ELSE asked.reason END,
       provider_message_id = coalesce(m.provider_message_id, asked.provider_message_id),
       accepted_at = coalesce(m.accepted_at, asked.accepted_at), sent_at = coalesce(m.sent_at, asked.sent_at),
       delivered_at = coalesce(m.delivered_at, asked.delivered_at), read_at = coalesce(m.read_at, asked.read_at),
       failed_at = coalesce(m.failed_at, asked.failed_at)
FROM unnest(CAST(:ids AS uuid[]), CAST(:statuses AS text[]), CAST(:status_ats AS timestamptz[]),
            CAST(:reasons AS text[]), CAST(:provider_ids AS text[]), CAST(:accepted_ats AS timestamptz[]),
            CAST(:sent_ats AS timestamptz[]), CAST(:delivered_ats AS timestamptz[]),
            CAST(:read_ats AS timestamptz[]), CAST(:failed_ats AS timestamptz[]))
     AS asked(id, status, status_at, reason, provider_message_id, accepted_at, sent_at, delivered_at, read_at,
              failed_at)
WHERE m.tenant_id = :tenant AND m.id = asked.id
""")

# What a provider says of a failure replaces a person's word for it, also where the status stays.
_SUMMARISE = text("""
UPDATE notification AS n SET updated_at = now(),
       status = asked.status, status_at = CASE WHEN n.status = asked.status THEN n.status_at ELSE now() END,
       reason = CASE WHEN n.status = asked.status AND (n.reason IS DISTINCT FROM 'settled_not_sent'
                                                       OR asked.reason IS NULL) THEN n.reason ELSE asked.reason END,
       accepted_at = coalesce(n.accepted_at, seen.accepted_at), sent_at = coalesce(n.sent_at, seen.sent_at),
       delivered_at = coalesce(n.delivered_at, seen.delivered_at), read_at = coalesce(n.read_at, seen.read_at),
       external_id = coalesce(n.external_id, seen.external_id), channel = coalesce(n.channel, seen.channel),
       provider_id = coalesce(n.provider_id, seen.provider)
FROM unnest(CAST(:ids AS uuid[]), CAST(:statuses AS text[]), CAST(:reasons AS text[])) AS asked(id, status, reason)
CROSS JOIN LATERAL (
    SELECT min(accepted_at) AS accepted_at, min(sent_at) AS sent_at, min(delivered_at) AS delivered_at,
           min(read_at) AS read_at, (array_agg(provider_message_id ORDER BY hop DESC))[1] AS external_id,
           (array_agg(channel ORDER BY hop DESC))[1] AS channel, (array_agg(provider ORDER BY hop DESC))[1] AS provider
    FROM message WHERE tenant_id = :tenant AND notification_id = asked.id AND part = 0
) AS seen
WHERE n.tenant_id = :tenant AND n.id = asked.id
""")

_HEARD = {Status.DELIVERED: ("delivered",), Status.READ: ("delivered", "read")}
_MOMENTS = {Status.SENT: "sent_at", Status.DELIVERED: "delivered_at", Status.READ: "read_at"}


def is_heard(status: Status) -> bool:
    """Tells whether the series of a message hears of such a receipt."""
    return status in _HEARD


async def apply(connection: AsyncConnection, tenant_id: UUID, news: Sequence[tuple[NewReceipt, Match]]) -> None:
    """Merges receipts into their messages: a handful of statements, however many receipts there are."""
    if not news:
        return
    ids = sorted({match.notification_id for _, match in news})
    rows = (await connection.execute(_LOCK, {"tenant": tenant_id, "ids": ids})).mappings()
    standings = {row["message_id"]: _standing(dict(row)) for row in rows}
    await connection.execute(_SETTLE, _settled(tenant_id, news))
    others = await _other_attempts(connection, tenant_id, news)
    signals: list[outbox.Signal] = []
    told: list[NewHearing] = []
    for item, match in news:
        standing = standings[match.message_id]
        told += _told(item, standing)
        before = standing.status
        if item.status.is_failure and others.get(match.message_id, set()) - {match.attempt_id}:
            continue  # it speaks of one attempt; another one is on its way, or may be
        _merge(standing, item)
        signals += _signals(item, standing, before)
    changed = [standing for standing in standings.values() if standing.changes]
    if changed:
        await connection.execute(_ADVANCE, _advanced(tenant_id, changed))
        await _summarise(connection, tenant_id, standings.values())
    await duplicates.confirm(connection, tenant_id, [one.message_id for one in standings.values() if one.attempts > 1])
    await outbox.add_signals(connection, tenant_id, signals)
    await hear(connection, tenant_id, told)


def _told(item: NewReceipt, standing: _Standing) -> list[NewHearing]:
    """Returns what the series of a message hears of its receipt; what was read was delivered."""
    if standing.series_id is None or standing.part != 0 or item.status not in _HEARD:
        return []
    data = {"notification_id": str(standing.notification_id), "step": standing.series_step}
    return [
        NewHearing(
            series_id=standing.series_id,
            cause=f"{standing.notification_id}/{kind}",
            kind=kind,
            at=item.occurred_at,
            data=data,
        )
        for kind in _HEARD[item.status]
    ]


def _standing(row: dict[str, Any]) -> _Standing:
    return _Standing(**{**row, "status": Status(row["status"]), "success": Status(row["success"]), "changes": {}})


def _settled(tenant_id: UUID, news: Sequence[tuple[NewReceipt, Match]]) -> dict[str, Any]:
    by_attempt: dict[UUID, NewReceipt] = {}
    for item, match in news:
        if match.attempt_id not in by_attempt or not item.status.is_failure:
            by_attempt[match.attempt_id] = item
    return {
        "tenant": tenant_id,
        "attempts": list(by_attempt),
        "provider_ids": [item.provider_message_id or None for item in by_attempt.values()],
        "ats": [item.occurred_at for item in by_attempt.values()],
        "failures": [item.status.is_failure for item in by_attempt.values()],
    }


async def _other_attempts(
    connection: AsyncConnection, tenant_id: UUID, news: Sequence[tuple[NewReceipt, Match]]
) -> dict[UUID, set[UUID]]:
    """Returns, for messages that are said to have failed, the attempts that may still arrive."""
    failed = list({match.message_id for item, match in news if item.status.is_failure})
    if not failed:
        return {}
    refuted = select(receipt.c.attempt_id).where(
        receipt.c.tenant_id == tenant_id,
        receipt.c.attempt_id == attempt.c.id,
        receipt.c.status.in_([status.value for status in Status if status.is_failure]),
    )
    asked = select(attempt.c.message_id, attempt.c.id).where(
        attempt.c.tenant_id == tenant_id,
        attempt.c.message_id.in_(failed),
        attempt.c.state.in_(("sending", "accepted", "unknown")),
        ~refuted.exists(),
    )
    found: dict[UUID, set[UUID]] = {}
    for row in await connection.execute(asked):
        found.setdefault(row.message_id, set()).add(row.id)
    return found


def _merge(standing: _Standing, item: NewReceipt) -> None:
    """Advances a message by a receipt; a receipt that says less than is known changes nothing but its own moment."""
    changes = standing.changes
    changes.setdefault("provider_message_id", item.provider_message_id or None)
    changes.setdefault("accepted_at", item.occurred_at)
    moment = "failed_at" if item.status.is_failure else _MOMENTS.get(item.status)
    if moment is not None:
        changes.setdefault(moment, item.occurred_at)
    after = after_receipt(standing.status, item.status)
    if after is not standing.status:
        standing.status = after
        changes["status_at"] = item.occurred_at
        changes["reason"] = (item.error_code or "delivery_failed") if after.is_failure else None


def _signals(item: NewReceipt, standing: _Standing, before: Status) -> list[outbox.Signal]:
    """Returns the signal for a workflow that waits, if the news can change what it does."""
    decisive = standing.status.is_failure or standing.status.reaches(standing.success) or before is Status.UNKNOWN
    if not standing.awaited or not decisive or standing.status is before or standing.part != 0:
        return []
    signal = outbox.Signal(
        workflow_id=keys.notification_workflow(str(standing.notification_id)),
        signal="receipt",
        cause=item.event_key,
        arguments=[standing.hop, standing.status.value],
    )
    return [signal]


def _advanced(tenant_id: UUID, changed: Sequence[_Standing]) -> dict[str, Any]:
    def column(name: str) -> list[Any]:
        return [standing.changes.get(name) for standing in changed]

    return {
        "tenant": tenant_id,
        "ids": [standing.message_id for standing in changed],
        "statuses": [standing.status.value for standing in changed],
        "status_ats": column("status_at"),
        "reasons": column("reason"),
        "provider_ids": column("provider_message_id"),
        "accepted_ats": column("accepted_at"),
        "sent_ats": column("sent_at"),
        "delivered_ats": column("delivered_at"),
        "read_ats": column("read_at"),
        "failed_ats": column("failed_at"),
    }


async def _summarise(connection: AsyncConnection, tenant_id: UUID, standings: Iterable[_Standing]) -> None:
    """Brings notifications up to their messages; while a workflow may still fall back, a failure ends nothing."""
    mine: dict[UUID, list[_Standing]] = {}
    before: dict[UUID, _Standing] = {}
    for standing in standings:
        before[standing.notification_id] = standing
        if standing.part == 0:
            mine.setdefault(standing.notification_id, []).append(standing)
    found = {name: _judge(one.summary, one.ended_at, mine.get(name, [])) for name, one in before.items()}
    columns = {
        "tenant": tenant_id,
        "ids": list(found),
        "statuses": [status.value for status, _ in found.values()],
        "reasons": [reason for _, reason in found.values()],
    }
    await connection.execute(_SUMMARISE, columns)


def _judge(current: str, ended_at: datetime | None, standings: Sequence[_Standing]) -> tuple[Status, str | None]:
    """Returns the status of a notification after its messages changed, and the reason where it needs one."""
    before = Status(current)
    summary = summarise(standing.status for standing in standings)
    settled = ended_at is not None and summary is not Status.QUEUED
    if summary.is_failure:
        summary = failure_of([standing.status for standing in standings])
    after = summary if settled else advance(before, summary) if summary.reaches(Status.ACCEPTED) else before
    if after is Status.UNKNOWN:
        return after, Reason.OUTCOME_UNKNOWN.value
    reasons = [standing.changes["reason"] for standing in standings if standing.changes.get("reason")]
    return after, reasons[-1] if after.is_failure and reasons else None
