"""Settling doubt by a person's word: under the notification's lock, like claims, records and receipts.

Evidence beats opinion: a later receipt or answer of the provider replaces what a person said.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from db import decisions, outbox
from db.delivery_tables import attempt, message, notification
from domain import keys
from domain.reasons import Reason
from domain.settlement import REASONS, STATES, Beside, Verdict, message_after, notification_after
from domain.status import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """An attempt of a notification, with the message that it belongs to.

    Attributes:
        failure: What the newest receipt that speaks of a failure says.
        reason: Code of why it was refused or failed.
        verdict: What a person said of it.
    """

    id: UUID
    number: int
    reference: str
    state: str
    settled_by: str | None
    claimed_at: datetime
    message_id: UUID
    message_status: Status
    hop: int
    part: int
    channel: str
    provider: str
    failure: Status | None
    reason: str | None
    verdict: Verdict | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """A notification with all its attempts, in the order in which they were made."""

    notification_id: UUID
    status: Status
    reason: str | None
    ended_at: datetime | None
    attempts: tuple[Tried, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What a person says, who it is, and why they say it."""

    verdict: Verdict
    actor: str
    note: str


_TRIED = text("""
SELECT a.id, a.number, a.reference, a.state, a.settled_by, a.claimed_at, m.id AS message_id,
       m.status AS message_status, m.hop, m.part, m.channel, m.provider, failed.status AS failure,
       coalesce(failed.error_code, a.error_code) AS reason, d.detail ->> 'outcome' AS verdict
FROM message AS m
JOIN attempt AS a ON a.tenant_id = m.tenant_id AND a.message_id = m.id
LEFT JOIN LATERAL (
    SELECT r.status, coalesce(r.error_code, 'delivery_failed') AS error_code FROM receipt AS r
    WHERE r.tenant_id = a.tenant_id AND r.attempt_id = a.id AND r.status IN ('rejected', 'failed', 'bounced')
    ORDER BY r.received_at DESC LIMIT 1
) AS failed ON true
LEFT JOIN decision AS d ON d.tenant_id = m.tenant_id AND d.notification_id = m.notification_id
                       AND d.kind = 'settled' AND d.detail ->> 'attempt_id' = a.id::text
WHERE m.tenant_id = :tenant AND m.notification_id = :notification
ORDER BY a.claimed_at, m.hop, m.part, a.number
""")


async def lock(connection: AsyncConnection, tenant_id: UUID, notification_id: UUID) -> Ground | None:
    """Returns a notification with its attempts; nobody claims, records or ends it while this transaction lasts."""
    locked = _standing(tenant_id, notification_id).with_for_update(key_share=True)
    return await _ground(connection, tenant_id, notification_id, locked)


async def read(connection: AsyncConnection, tenant_id: UUID, notification_id: UUID) -> Ground | None:
    """Returns a notification with its attempts, to look at them."""
    return await _ground(connection, tenant_id, notification_id, _standing(tenant_id, notification_id))


def _standing(tenant_id: UUID, notification_id: UUID) -> Select[Any]:
    columns = (notification.c.status, notification.c.reason, notification.c.ended_at)
    return select(*columns).where(notification.c.tenant_id == tenant_id, notification.c.id == notification_id)


async def _ground(
    connection: AsyncConnection, tenant_id: UUID, notification_id: UUID, standing: Select[Any]
) -> Ground | None:
    found = (await connection.execute(standing)).one_or_none()
    if found is None:
        return None
    # A statement of its own: it sees what was committed while the first one waited for a lock.
    rows = await connection.execute(_TRIED, {"tenant": tenant_id, "notification": notification_id})
    return Ground(
        notification_id=notification_id,
        status=Status(found.status),
        reason=found.reason,
        ended_at=found.ended_at,
        attempts=tuple(_tried(dict(row)) for row in rows.mappings()),
    )


async def settle(connection: AsyncConnection, tenant_id: UUID, ground: Ground, chosen: Tried, word: Word) -> None:
    """Settles an attempt in doubt of a locked notification, and tells the workflow if it goes on."""
    others = [one for one in ground.attempts if one.message_id == chosen.message_id and one.id != chosen.id]
    beside = [_beside(one) for one in others]
    status, reason = message_after(chosen.message_status, word.verdict, beside)
    await _settle_attempt(connection, tenant_id, chosen, word.verdict)
    await _change_message(connection, tenant_id, chosen, status, reason)
    if chosen.part == 0:
        failure = Reason.SETTLED_NOT_SENT.value
        await _change_notification(connection, tenant_id, ground, chosen, status, failure=failure)
        await _tell_workflow(connection, tenant_id, ground, chosen, word.verdict)
    detail = {"outcome": word.verdict.value, "number": chosen.number, "attempt_id": str(chosen.id), "part": chosen.part}
    await decisions.note(
        connection,
        tenant_id,
        ground.notification_id,
        sequence=keys.settlement_sequence(chosen.hop, chosen.part, chosen.number),
        kind="settled",
        reason=REASONS[word.verdict],
        hop=chosen.hop,
        detail={**detail, "channel": chosen.channel, "provider": chosen.provider, "by": word.actor, "note": word.note},
    )


async def answered(connection: AsyncConnection, tenant_id: UUID, notification_id: UUID, attempt_id: UUID) -> None:
    """Takes doubt from a locked notification's message after its provider answered after all that it was not sent."""
    ground = await read(connection, tenant_id, notification_id)
    chosen = next((one for one in ground.attempts if one.id == attempt_id), None) if ground else None
    if ground is None or chosen is None:
        return
    beside = [_beside(one) for one in ground.attempts if one.message_id == chosen.message_id]
    status, reason = message_after(chosen.message_status, Verdict.NOT_SENT, beside)
    await _change_message(connection, tenant_id, chosen, status, reason if status.is_failure else None)
    if chosen.part == 0:
        await _change_notification(connection, tenant_id, ground, chosen, status, failure=chosen.reason)
        await _tell_workflow(connection, tenant_id, ground, chosen, Verdict.NOT_SENT)


def _beside(one: Tried) -> Beside:
    return Beside(state=one.state, failure=one.failure, reason=one.reason)


def _tried(row: dict[str, Any]) -> Tried:
    row["message_status"] = Status(row["message_status"])
    row["failure"] = Status(row["failure"]) if row["failure"] else None
    row["verdict"] = Verdict(row["verdict"]) if row["verdict"] else None
    return Tried(**row)


async def _settle_attempt(connection: AsyncConnection, tenant_id: UUID, chosen: Tried, verdict: Verdict) -> None:
    """Gives an attempt the state that a person found out; when it ended stays, and what was seen then."""
    values: dict[str, Any] = {
        "state": STATES[verdict],
        "settled_by": "person",
        "error_code": None if verdict is Verdict.SENT else REASONS[verdict].value,
        "finished_at": func.coalesce(attempt.c.finished_at, func.now()),
    }
    mine = update(attempt).where(attempt.c.tenant_id == tenant_id, attempt.c.id == chosen.id)
    await connection.execute(mine.values(values))


async def _change_message(
    connection: AsyncConnection, tenant_id: UUID, chosen: Tried, status: Status, reason: str | None
) -> None:
    values: dict[str, Any] = {}
    if status is not chosen.message_status:
        values |= {"status": status.value, "status_at": func.now(), "reason": reason}
    if status.reaches(Status.ACCEPTED):
        values["accepted_at"] = func.coalesce(message.c.accepted_at, func.now())
    if status.is_failure:
        values["failed_at"] = func.coalesce(message.c.failed_at, func.now())
    if values:
        mine = update(message).where(message.c.tenant_id == tenant_id, message.c.id == chosen.message_id)
        await connection.execute(mine.values(values))


async def _change_notification(
    connection: AsyncConnection,
    tenant_id: UUID,
    ground: Ground,
    chosen: Tried,
    message_status: Status,
    *,
    failure: str | None,
) -> None:
    status = notification_after(
        ground.status, _statuses(ground, chosen, message_status), ended=ground.ended_at is not None
    )
    values: dict[str, Any] = {"updated_at": func.now()}
    if status is not ground.status:
        reason = failure if status.is_failure else None
        values |= {"status": status.value, "status_at": func.now(), "reason": reason}
    if status.reaches(Status.ACCEPTED):
        values |= {
            "accepted_at": func.coalesce(notification.c.accepted_at, func.now()),
            "channel": func.coalesce(notification.c.channel, chosen.channel),
            "provider_id": func.coalesce(notification.c.provider_id, chosen.provider),
        }
    mine = update(notification).where(
        notification.c.tenant_id == tenant_id, notification.c.id == ground.notification_id
    )
    await connection.execute(mine.values(values))


def _statuses(ground: Ground, chosen: Tried, message_status: Status) -> Sequence[Status]:
    """Returns where the messages stand, with the one that was settled; images that follow are left out."""
    by_hop = {one.hop: one.message_status for one in ground.attempts if one.part == 0}
    return list({**by_hop, chosen.hop: message_status}.values())


async def _tell_workflow(
    connection: AsyncConnection, tenant_id: UUID, ground: Ground, chosen: Tried, verdict: Verdict
) -> None:
    if ground.ended_at is not None:
        return
    sent: tuple[str, list[Any]] = ("receipt", [chosen.hop, Status.ACCEPTED.value])
    name, arguments = sent if verdict is Verdict.SENT else ("settled", [chosen.hop, chosen.number])
    workflow_id = keys.notification_workflow(str(ground.notification_id))
    cause = f"settled/{chosen.id}"
    await outbox.add_signal(connection, tenant_id, workflow_id, signal=name, cause=cause, arguments=arguments)
