"""What people chose: the present state, by subject, channel and topic, and every step that led to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import delete, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from db import asking_series
from db.consent_tables import EVERY, consent, consent_entry, frequency_entry
from domain.consent import Choice, Source, State
from domain.recipients import Channel


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose choice it is: of a recipient by id, or of whoever has an address."""

    kind: str
    value: str = field(repr=False)

    @classmethod
    def recipient(cls, recipient_id: UUID) -> "Subject":
        """Returns a recipient as the subject."""
        return cls("recipient", str(recipient_id))


@dataclass(frozen=True, slots=True, kw_only=True)
class NewConsent:
    """A choice to be kept; the same `cause` counts once."""

    subject: Subject
    channel: Channel | None
    topic: str | None
    state: State
    source: Source
    at: datetime
    evidence: Mapping[str, Any] = field(default_factory=dict, repr=False)
    cause: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """A choice as it stands, or as it once was made."""

    id: UUID
    subject_kind: str
    channel: str
    topic: str
    state: str
    source: str
    evidence: Mapping[str, Any] = field(repr=False)
    at: datetime

    def choice(self) -> Choice:
        """Returns the choice as the domain knows it."""
        return choice_of(self.channel, self.topic, self.state, self.at)


_COLUMNS = tuple(Consent.__dataclass_fields__)
_KEY = ["tenant_id", "subject_kind", "subject", "channel", "topic"]


def choice_of(channel: str, topic: str, state: str, at: datetime) -> Choice:
    """Returns a choice as the domain knows it, from its columns."""
    return Choice(
        channel=None if channel == EVERY else Channel(channel),
        topic=None if topic == EVERY else topic,
        state=State(state),
        at=at,
    )


async def keep(connection: AsyncConnection, tenant_id: UUID, new: Sequence[NewConsent]) -> list[NewConsent]:
    """Keeps choices and returns those that changed what holds; an older one than what stands is history only.

    A choice that says what stands already, in the same words, leaves no trace, so that a repetition does nothing.
    """
    changed: list[NewConsent] = []
    for one in sorted(new, key=_order):  # as everybody locks them
        row = _row(tenant_id, one)
        if await _is_repeated(connection, row) or not await _append(connection, row, one.cause):
            continue
        if await _put(connection, row):
            changed.append(one)
    if chosen := {(one.subject.kind, one.subject.value) for one in changed if one.state is not State.PENDING}:
        await asking_series.wake(connection, tenant_id, sorted(chosen), f"consent/{uuid_utils.compat.uuid7()}")
    return changed


async def of_subjects(connection: AsyncConnection, tenant_id: UUID, subjects: Sequence[Subject]) -> list[Consent]:
    """Returns what subjects chose, as it stands, by topic and channel."""
    found = select(*(consent.c[name] for name in _COLUMNS)).where(
        consent.c.tenant_id == tenant_id, _is_of(subjects, consent)
    )
    rows = await connection.execute(found.order_by(consent.c.topic, consent.c.channel, consent.c.id))
    return [Consent(**row) for row in rows.mappings()]


async def history(
    connection: AsyncConnection, tenant_id: UUID, subjects: Sequence[Subject], *, limit: int, before: UUID | None
) -> list[Consent]:
    """Returns every choice that subjects made, the newest first."""
    columns = (consent_entry.c[name] for name in _COLUMNS)
    query = select(*columns).where(consent_entry.c.tenant_id == tenant_id, _is_of(subjects, consent_entry))
    if before is not None:
        query = query.where(consent_entry.c.id < before)
    rows = await connection.execute(query.order_by(consent_entry.c.id.desc()).limit(limit))
    return [Consent(**row) for row in rows.mappings()]


async def erase(connection: AsyncConnection, tenant_id: UUID, subject: Subject) -> None:
    """Forgets what a subject chose, with its history, and what went to it lately."""
    for table in (consent, consent_entry, frequency_entry):
        await connection.execute(delete(table).where(table.c.tenant_id == tenant_id, _is_of([subject], table)))


def _is_of(subjects: Sequence[Subject], table: Any) -> Any:
    return tuple_(table.c.subject_kind, table.c.subject).in_([(one.kind, one.value) for one in subjects])


def _order(one: NewConsent) -> tuple[str, str, str, str]:
    return one.subject.kind, one.subject.value, one.channel or EVERY, one.topic or EVERY


def _row(tenant_id: UUID, one: NewConsent) -> dict[str, Any]:
    return {
        "tenant_id": tenant_id,
        "id": uuid_utils.compat.uuid7(),
        "subject_kind": one.subject.kind,
        "subject": one.subject.value,
        "channel": one.channel.value if one.channel else EVERY,
        "topic": one.topic or EVERY,
        "state": one.state.value,
        "source": one.source.value,
        "evidence": dict(one.evidence),
        "at": one.at,
    }


async def _is_repeated(connection: AsyncConnection, row: Mapping[str, Any]) -> bool:
    """Tells whether what stands says the same already; locks it until the transaction ends."""
    query = select(consent.c.state, consent.c.source, consent.c.evidence)
    query = query.where(*(consent.c[name] == row[name] for name in _KEY)).with_for_update()
    stands = (await connection.execute(query)).mappings().one_or_none()
    return stands is not None and all(stands[name] == row[name] for name in ("state", "source", "evidence"))


async def _append(connection: AsyncConnection, row: Mapping[str, Any], cause: str | None) -> bool:
    statement = insert(consent_entry).values(**row, cause=cause).on_conflict_do_nothing()
    return bool((await connection.execute(statement)).rowcount)


async def _put(connection: AsyncConnection, row: Mapping[str, Any]) -> bool:
    news = {name: row[name] for name in ("state", "source", "evidence", "at")}
    statement = insert(consent).values(**row)
    statement = statement.on_conflict_do_update(
        index_elements=_KEY,
        set_={**news, "updated_at": func.now()},
        where=consent.c.at <= statement.excluded.at,
    )
    return bool((await connection.execute(statement)).rowcount)
