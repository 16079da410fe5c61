"""Records: what is written after a provider answered, or after nobody can say whether it did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db import duplicates, opt_outs, settlement
from db.opt_outs import Refusal
from domain.notifications import AttemptRecord, Outcome
from domain.progress import after_outcome
from domain.reasons import Reason
from domain.status import Status, advance, after_attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where an attempt, its message and its notification stand at the moment of recording.

    Attributes:
        told: The record says more of the attempt than was known.
    """

    attempt_id: UUID
    attempt_state: str
    number: int
    message_id: UUID
    message_status: Status
    notification_id: UUID
    notification_status: Status
    ended: bool = False
    told: bool = True


_STANDING = text("""
SELECT a.id AS attempt_id, a.state AS attempt_state, a.number, m.id AS message_id, m.status AS message_status,
       n.id AS notification_id, n.status AS notification_status
FROM attempt AS a
JOIN message AS m ON m.tenant_id = a.tenant_id AND m.id = a.message_id
JOIN notification AS n ON n.tenant_id = m.tenant_id AND n.id = m.notification_id
WHERE a.tenant_id = :tenant AND a.id = ANY(CAST(:attempts AS uuid[]))
ORDER BY n.id FOR NO KEY UPDATE OF n, m, a
""")

_RECORD = text("""
WITH asked AS (
    SELECT * FROM unnest(
        CAST(:attempts AS uuid[]), CAST(:messages AS uuid[]), CAST(:notifications AS uuid[]),
        CAST(:states AS text[]), CAST(:message_statuses AS text[]), CAST(:notification_statuses AS text[]),
        CAST(:provider_ids AS text[]), CAST(:error_codes AS text[]), CAST(:provider_codes AS text[]),
        CAST(:details AS text[]), CAST(:retry_afters AS integer[]), CAST(:hashes AS text[]),
        CAST(:ats AS timestamptz[]),
        CAST(:ends AS boolean[]), CAST(:awaited AS boolean[]), CAST(:mains AS boolean[]), CAST(:told AS boolean[])
    ) AS t(attempt_id, message_id, notification_id, state, message_status, notification_status, provider_message_id,
           error_code, provider_code, detail, retry_after, snapshot_hash, at, ends, awaited, main, told)
), attempts AS (
    UPDATE attempt SET state = asked.state, error_code = asked.error_code, provider_code = asked.provider_code,
           detail = asked.detail, retry_after = asked.retry_after, finished_at = coalesce(finished_at, asked.at),
           provider_message_id = coalesce(asked.provider_message_id, attempt.provider_message_id),
           settled_by = CASE WHEN settled_by = 'person' THEN NULL ELSE settled_by END
    FROM asked WHERE attempt.tenant_id = :tenant AND attempt.id = asked.attempt_id AND asked.told
), messages AS (
    UPDATE message SET status = asked.message_status, awaited = asked.awaited,
           status_at = CASE WHEN status = asked.message_status THEN status_at ELSE asked.at END,
           reason = CASE WHEN status = asked.message_status THEN message.reason ELSE asked.error_code END,
           snapshot_hash = coalesce(asked.snapshot_hash, message.snapshot_hash),
           provider_message_id = coalesce(asked.provider_message_id, message.provider_message_id),
           accepted_at = CASE WHEN asked.state = 'accepted' THEN coalesce(accepted_at, asked.at) ELSE accepted_at END,
           failed_at = CASE asked.message_status WHEN 'rejected' THEN coalesce(failed_at, asked.at) ELSE failed_at END
    FROM asked WHERE message.tenant_id = :tenant AND message.id = asked.message_id
    RETURNING message.id, message.channel, message.provider
)
UPDATE notification SET status = asked.notification_status,
       status_at = CASE WHEN status = asked.notification_status THEN status_at ELSE asked.at END,
       updated_at = asked.at,
       reason = CASE asked.state WHEN 'unknown' THEN asked.error_code WHEN 'accepted' THEN NULL ELSE reason END,
       channel = CASE WHEN asked.main THEN messages.channel ELSE notification.channel END,
       provider_id = CASE WHEN asked.main THEN messages.provider ELSE provider_id END,
       external_id = CASE WHEN asked.main THEN coalesce(asked.provider_message_id, external_id) ELSE external_id END,
       accepted_at = CASE WHEN asked.state = 'accepted' THEN coalesce(accepted_at, asked.at) ELSE accepted_at END,
       ended_at = CASE WHEN asked.ends THEN coalesce(ended_at, asked.at) ELSE ended_at END,
       parked_at = CASE WHEN asked.ends THEN NULL ELSE parked_at END,
       parked_cause = CASE WHEN asked.ends THEN NULL ELSE parked_cause END,
       parked_account_id = CASE WHEN asked.ends THEN NULL ELSE parked_account_id END
FROM asked JOIN messages ON messages.id = asked.message_id
WHERE notification.tenant_id = :tenant AND notification.id = asked.notification_id AND (asked.main OR asked.ends)
""")


async def record(connection: AsyncConnection, tenant_id: UUID, records: Sequence[AttemptRecord]) -> dict[str, Standing]:
    """Records how attempts ended and returns where they stand afterwards, by attempt id.

    Recording twice changes nothing. What a receipt settled meanwhile is never taken back, doubt replaces nothing that
    is known, and an answer of the provider replaces what a person said.
    """
    asked = {"tenant": tenant_id, "attempts": [UUID(record.attempt_id) for record in records]}
    rows = (await connection.execute(_STANDING, asked)).mappings()
    before = {str(row["attempt_id"]): _standing(dict(row)) for row in rows}
    after = {record.attempt_id: _settle(before[record.attempt_id], record) for record in records}
    await connection.execute(_RECORD, _recorded(tenant_id, records, after))
    await opt_outs.refused(connection, tenant_id, _refusals(before, after, records))
    await duplicates.confirm(connection, tenant_id, _perhaps_twice(before, after))
    for name in _answered(before, after):
        stand = after[name]
        await settlement.answered(connection, tenant_id, stand.notification_id, stand.attempt_id)
    return after


def _refusals(
    before: Mapping[str, Standing], after: Mapping[str, Standing], records: Sequence[AttemptRecord]
) -> list[Refusal]:
    """Returns the refusals that are news: one that is recorded again must not undo what was restored since."""
    return [
        Refusal(
            cause=f"attempt/{record.attempt_id}",
            message_id=after[record.attempt_id].message_id,
            error_code=record.error_code,
            provider_code=record.provider_code,
            at=record.at,
        )
        for record in records
        if after[record.attempt_id].attempt_state == "refused" and before[record.attempt_id].attempt_state != "refused"
    ]


def _perhaps_twice(before: Mapping[str, Standing], after: Mapping[str, Standing]) -> list[UUID]:
    """Returns the messages that may have been accepted twice: not those whose first attempt is recorded at once."""
    return [
        stand.message_id
        for name, stand in after.items()
        if stand.attempt_state == "accepted" and (stand.number > 1 or before[name].attempt_state != "sending")
    ]


def _answered(before: Mapping[str, Standing], after: Mapping[str, Standing]) -> list[str]:
    """Returns the attempts that were in doubt and were not sent, as their provider answered after all."""
    return [
        name
        for name, stand in after.items()
        if before[name].attempt_state == "unknown" and stand.attempt_state in {"not_sent", "refused"}
    ]


def _standing(row: dict[str, Any]) -> Standing:
    for name in ("message_status", "notification_status"):
        row[name] = Status(row[name])
    return Standing(**row)


def _is_news(before: Standing, record: AttemptRecord) -> bool:
    """Tells whether a record says something about its attempt that was not known better."""
    if record.outcome is Outcome.UNKNOWN:
        return before.attempt_state in {"sending", "unknown"}
    return before.attempt_state != "accepted" or record.outcome is Outcome.ACCEPTED


def _settle(before: Standing, record: AttemptRecord) -> Standing:
    """Returns the standing after `record`: proof of acceptance outranks whatever the connection looked like."""
    told = _is_news(before, record)
    outcome = record.outcome if told else Outcome(before.attempt_state)
    reason = Reason(record.error_code) if record.error_code else None
    message_status = after_attempt(before.message_status, after_outcome(outcome, reason))
    handed_over = message_status.reaches(Status.ACCEPTED)
    # A failure is for the workflow to judge: it may still fall back.
    news = message_status if handed_over or message_status is Status.UNKNOWN else Status.QUEUED
    return Standing(
        attempt_id=before.attempt_id,
        attempt_state=outcome.value,
        number=before.number,
        message_id=before.message_id,
        message_status=message_status,
        notification_id=before.notification_id,
        notification_status=advance(before.notification_status, news),
        ended=record.closes and handed_over,
        told=told,
    )


def _recorded(tenant_id: UUID, records: Sequence[AttemptRecord], after: Mapping[str, Standing]) -> dict[str, Any]:
    stands = [after[record.attempt_id] for record in records]
    accepted = [stand.attempt_state == "accepted" for stand in stands]
    return {
        "tenant": tenant_id,
        "attempts": [stand.attempt_id for stand in stands],
        "messages": [stand.message_id for stand in stands],
        "notifications": [stand.notification_id for stand in stands],
        "states": [stand.attempt_state for stand in stands],
        "message_statuses": [stand.message_status.value for stand in stands],
        "notification_statuses": [stand.notification_status.value for stand in stands],
        "provider_ids": [record.provider_message_id for record in records],
        "error_codes": [None if yes else record.error_code for yes, record in zip(accepted, records, strict=True)],
        "provider_codes": [record.provider_code for record in records],
        "details": [None if yes else record.detail for yes, record in zip(accepted, records, strict=True)],
        "retry_afters": [None if record.retry_after is None else int(record.retry_after) for record in records],
        "hashes": [record.snapshot_hash for record in records],
        "ats": [record.at for record in records],
        "ends": [stand.ended for stand in stands],
        "awaited": [record.awaited for record in records],
        "mains": [record.part == 0 for record in records],
        "told": [stand.told for stand in stands],
    }
