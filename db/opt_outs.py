"""Opt-outs that come back to us: words that people write, complaints, bounces, and opt-outs at the provider.

In one order always: what was chosen, then the suppression, then the addresses; so nobody waits in a circle.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db import consents, suppressions, topics
from db.consents import NewConsent, Subject
from db.delivery_tables import attempt, message
from domain.consent import Source, State
from domain.reasons import Reason
from domain.recipients import Address, AddressKind, Channel
from domain.suppression import Cause, cause_of

_TELLING = frozenset({Reason.INVALID_ADDRESS.value, Reason.UNSUBSCRIBED.value})


@dataclass(frozen=True, slots=True, kw_only=True)
class NewComplaint:
    """Somebody complained about the attempt with this reference; the same `cause` counts once."""

    cause: str
    reference: str
    occurred_at: datetime
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A provider refused a message, at once or later; the same `cause` counts once."""

    cause: str
    message_id: UUID
    error_code: str | None
    provider_code: str | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Wished:
    """Somebody wrote a word that ends or resumes messages; the same `cause` counts once."""

    cause: str
    author: Address
    channel: Channel
    at: datetime
    evidence: Mapping[str, Any] = field(repr=False)


_ADDRESSES = text("""
SELECT m.address_kind AS kind, m.address AS value FROM message AS m
WHERE m.tenant_id = :tenant AND m.id = ANY(CAST(:ids AS uuid[]))
UNION
SELECT m.address_kind, m.address
FROM attempt AS a JOIN message AS m ON m.tenant_id = a.tenant_id AND m.id = a.message_id
WHERE a.tenant_id = :tenant AND a.reference = ANY(CAST(:references AS text[]))
""")
# Sorted within, so that the locks are taken in this order.
_LOCK = text("""
SELECT pg_advisory_xact_lock(number) FROM (
    SELECT DISTINCT hashtextextended(concat_ws('|', 'opt_out', CAST(:tenant AS text), kind, value), 0) AS number
    FROM unnest(CAST(:kinds AS text[]), CAST(:values AS text[])) AS asked(kind, value) ORDER BY number
) AS sorted
""")


async def lock(
    connection: AsyncConnection,
    tenant_id: UUID,
    *,
    refusals: Sequence[Refusal] = (),
    complaints: Sequence[NewComplaint] = (),
    authors: Iterable[Address] = (),
) -> None:
    """Makes all who note several opt-outs at once wait for each other, one address after the other, in one order.

    Each of those is noted by address, but refusals before complaints and these before words: two that bring the same
    addresses in different ways would wait in a circle.
    """
    told = [one.message_id for one in refusals if one.error_code in _TELLING]
    found = {(one.kind.value, one.value) for one in authors}
    if told or complaints:
        asked = {"tenant": tenant_id, "ids": told, "references": [one.reference for one in complaints]}
        found |= {(row.kind, row.value) for row in await connection.execute(_ADDRESSES, asked)}
    if found:
        columns = {"kinds": [kind for kind, _ in found], "values": [value for _, value in found]}
        await connection.execute(_LOCK, {"tenant": str(tenant_id), **columns})


async def stopped(connection: AsyncConnection, tenant_id: UUID, wished: Wished) -> bool:
    """Lets nothing reach an author any more; tells whether that is new. An older word than the last changes nothing."""
    new = _chosen(wished, State.DENIED, Source.STOP_WORD)
    if not await consents.keep(connection, tenant_id, [new]):
        return False
    return await suppressions.add(connection, tenant_id, wished.author, Cause.STOP_WORD, wished.at)


async def started(connection: AsyncConnection, tenant_id: UUID, wished: Wished) -> bool:
    """Takes a STOP back, and only that; what was chosen before it holds again. Tells whether it changed anything."""
    new = _chosen(wished, State.UNSET, Source.START_WORD)
    if not await consents.keep(connection, tenant_id, [new]):
        return False
    return await suppressions.lift(connection, tenant_id, wished.author, Cause.STOP_WORD)


async def complained(connection: AsyncConnection, tenant_id: UUID, complaints: Sequence[NewComplaint]) -> None:
    """Lets nothing reach somebody who complained, and notes that they want no topic over that channel."""
    if not complaints:
        return
    about = {one.reference: one for one in complaints}
    columns = (attempt.c.reference, message.c.channel, message.c.address_kind, message.c.address)
    joined = (attempt.c.tenant_id == message.c.tenant_id) & (attempt.c.message_id == message.c.id)
    asked = select(*columns).select_from(attempt.join(message, joined))
    asked = asked.where(attempt.c.tenant_id == tenant_id, attempt.c.reference.in_(about))
    found = (await connection.execute(asked)).mappings().all()
    names = [one.name for one in await topics.every(connection, tenant_id)] if found else []
    for row in sorted(found, key=_by_address):
        one, to = about[row["reference"]], _address(row)
        new = [
            NewConsent(
                subject=Subject(to.kind.value, to.value),
                channel=Channel(row["channel"]),
                topic=name,
                state=State.DENIED,
                source=Source.COMPLAINT,
                at=one.occurred_at,
                evidence={"reference": one.reference, "kind": one.kind},
                cause=one.cause,
            )
            for name in (None, *names)
        ]
        if await consents.keep(connection, tenant_id, new):
            await suppressions.add(connection, tenant_id, to, Cause.COMPLAINT, one.occurred_at)


async def refused(connection: AsyncConnection, tenant_id: UUID, refusals: Iterable[Refusal]) -> None:
    """Notes what refusals say about addresses for good: that nobody is there, or that they opted out there."""
    told = {one.message_id: one for one in refusals if one.error_code in _TELLING}
    if not told:
        return
    asked = select(message.c.id, message.c.channel, message.c.address_kind, message.c.address)
    rows = await connection.execute(asked.where(message.c.tenant_id == tenant_id, message.c.id.in_(told)))
    for row in sorted(rows.mappings(), key=_by_address):
        one, channel, to = told[row["id"]], Channel(row["channel"]), _address(row)
        cause = cause_of(channel, one.error_code, one.provider_code)
        if cause is Cause.PROVIDER_OPT_OUT:
            evidence = {"message_id": str(one.message_id), "provider_code": one.provider_code}
            wished = Wished(cause=one.cause, author=to, channel=channel, at=one.at, evidence=evidence)
            await consents.keep(connection, tenant_id, [_chosen(wished, State.DENIED, Source.PROVIDER)])
        if cause is not None:
            await suppressions.add(connection, tenant_id, to, cause, one.at)


def _chosen(wished: Wished, state: State, source: Source) -> NewConsent:
    return NewConsent(
        subject=Subject(wished.author.kind.value, wished.author.value),
        channel=wished.channel,
        topic=None,
        state=state,
        source=source,
        at=wished.at,
        evidence=wished.evidence,
        cause=wished.cause,
    )


def _address(row: RowMapping) -> Address:
    return Address(AddressKind(row["address_kind"]), row["address"])


def _by_address(row: RowMapping) -> tuple[str, str]:
    return row["address_kind"], row["address"]
