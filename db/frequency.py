"""How often people were written to lately, counted under a lock of each person: what is allowed once is taken once."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import delete, select, text, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.consent_tables import frequency_entry
from db.consents import Subject
from domain.frequency import LONGEST, FrequencyCap, Sent, TooMany, judge
from domain.recipients import Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A message that is about to go to somebody, and the caps that hold for it."""

    notification_id: UUID
    subject: Subject
    channel: Channel
    topic: str | None
    caps: tuple[FrequencyCap, ...]


_LOCK = text("SELECT pg_advisory_xact_lock(place) FROM unnest(CAST(:places AS bigint[])) AS place")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lately:
    """What went to people lately, read under their locks, which hold until the transaction ends."""

    now: datetime
    sent: Mapping[Subject, Sequence[Sent]]
    counted: Collection[UUID]

    def too_many(self, turn: Turn) -> TooMany | None:
        """Returns what becomes of a message for which there is no room; one that is counted already has its own."""
        if turn.notification_id in self.counted:
            return None
        return judge(turn.caps, _wanted(turn, self.now), self.sent[turn.subject])


async def read(connection: AsyncConnection, tenant_id: UUID, turns: Sequence[Turn], now: datetime) -> Lately:
    """Locks the people of some turns and returns what went to them lately; nothing is locked where there is no turn."""
    if not turns:
        return Lately(now=now, sent={}, counted=())
    subjects = {turn.subject for turn in turns}
    await connection.execute(_LOCK, {"places": sorted(_place(tenant_id, subject) for subject in subjects)})
    return await _lately(connection, tenant_id, subjects, now)


async def take(
    connection: AsyncConnection, tenant_id: UUID, turns: Sequence[Turn], lately: Lately
) -> dict[UUID, TooMany]:
    """Counts messages, in their order, and returns what becomes of those for which a cap leaves no room.

    A notification counts once, whatever attempts and channels it takes.
    """
    refused: dict[UUID, TooMany] = {}
    taken: list[dict[str, Any]] = []
    sent = {subject: list(former) for subject, former in lately.sent.items()}
    for turn in turns:
        if turn.notification_id in lately.counted:
            continue
        too_many = replace(lately, sent=sent).too_many(turn)
        if too_many is not None:
            refused[turn.notification_id] = too_many
            continue
        sent[turn.subject].append(_wanted(turn, lately.now))
        taken.append(_row(tenant_id, turn, lately.now))
    if taken:
        await connection.execute(insert(frequency_entry).on_conflict_do_nothing(), taken)
    return refused


async def _lately(connection: AsyncConnection, tenant_id: UUID, subjects: set[Subject], now: datetime) -> Lately:
    """Returns what went to people lately, and which notifications are counted; forgets what is too old to count."""
    named = tuple_(frequency_entry.c.subject_kind, frequency_entry.c.subject)
    whose = (frequency_entry.c.tenant_id == tenant_id, named.in_([(one.kind, one.value) for one in subjects]))
    await connection.execute(delete(frequency_entry).where(*whose, frequency_entry.c.at <= now - LONGEST))
    found: dict[Subject, list[Sent]] = {subject: [] for subject in subjects}
    counted: set[UUID] = set()
    for row in (await connection.execute(select(frequency_entry).where(*whose))).mappings():
        sent = Sent(channel=Channel(row["channel"]), topic=row["topic"], at=row["at"])
        found[Subject(row["subject_kind"], row["subject"])].append(sent)
        counted.add(row["notification_id"])
    return Lately(now=now, sent=found, counted=counted)


def _wanted(turn: Turn, now: datetime) -> Sent:
    return Sent(channel=turn.channel, topic=turn.topic, at=now)


def _place(tenant_id: UUID, subject: Subject) -> int:
    name = f"frequency|{tenant_id}|{subject.kind}|{subject.value}"
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)


def _row(tenant_id: UUID, turn: Turn, now: datetime) -> dict[str, Any]:
    return {
        "tenant_id": tenant_id,
        "id": uuid_utils.compat.uuid7(),
        "subject_kind": turn.subject.kind,
        "subject": turn.subject.value,
        "channel": turn.channel.value,
        "topic": turn.topic,
        "notification_id": turn.notification_id,
        "at": now,
    }
