"""What is parked because of circuits: the next one to probe with, and letting all of it go on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, case, null, select
from sqlalchemy.ext.asyncio import AsyncConnection

from db import operations, outbox
from db.care_tables import operation
from db.circuits import Stored
from db.delivery_tables import notification
from db.flow_json import rest_of
from db.operations import CIRCUIT, NewOperation
from db.tables import account, recipient, template, template_version
from domain import keys
from domain.circuits import template_of
from domain.operations import DEFAULT_RATE, MOST_PER_SECOND, REOPENED, REPLACED, OperationKind, ParkedFilter
from domain.quiet_hours import Rest
from domain.reasons import Reason

Limits = Mapping[str, Any]
"""Limits as they are stored."""

OF_ACCOUNTS = (Reason.PROVIDER_UNAVAILABLE, Reason.UNAVAILABLE, Reason.MISCONFIGURED)
OF_TEMPLATES = (Reason.TEMPLATE_UNAVAILABLE,)
OF_OTHERS = (Reason.ACCOUNT_SUSPENDED, Reason.DAILY_CAP)
"""What keeps a message at the account that it tried last, after this one held it back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provided:
    """An account as a probe of its provider needs it."""

    state: str
    provider: str
    sealed_config: bytes = field(repr=False)
    updated_at: datetime


async def provided(connection: AsyncConnection, tenant_id: UUID, account_id: UUID) -> Provided:
    """Returns what is needed to ask the provider of an account."""
    columns = account.c
    query = select(columns.state, columns.provider, columns.sealed_config, columns.updated_at)
    row = (await connection.execute(query.where(columns.tenant_id == tenant_id, columns.id == account_id))).one()
    return Provided(**row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name for the row as a mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A parked notification that may be the probe; its quiet hours and its recipient's zone say whether it can be."""

    id: UUID
    rest: Rest | None
    zone: str | None


async def candidates(
    connection: AsyncConnection, tenant_id: UUID, stored: Stored, *, after: UUID | None, most: int
) -> list[Candidate]:
    """Returns the notifications that wait the longest and may be the probe, beginning anew after the last one.

    One that is parked at another account of the channel may go through this one as well, but only those that are
    parked at this one are known to have come to it.
    """
    version = template_of(stored.subject)
    own_causes = OF_ACCOUNTS if version is None else OF_TEMPLATES
    wanted = _kept(tenant_id, stored.account_id, (*own_causes, *OF_OTHERS))
    wanted &= notification.c.parked_cause.in_([*own_causes]) | (notification.c.parked_account_id != stored.account_id)
    if version is not None:
        wanted &= notification.c.template_version_id == version
    holder = (recipient.c.tenant_id == tenant_id) & (recipient.c.id == notification.c.receiver_id)
    query = select(notification.c.id, notification.c.quiet, recipient.c.zone).outerjoin_from(
        notification, recipient, holder
    )
    query = query.order_by(notification.c.id).limit(most)
    found: dict[UUID, Candidate] = {}
    its_own = notification.c.parked_account_id == stored.account_id
    for meant in (wanted & its_own, wanted):
        for since in (after, None) if after is not None else (None,):
            asked = query.where(meant) if since is None else query.where(meant, notification.c.id > since)
            for row in await connection.execute(asked):
                rest = rest_of(row.quiet) if row.quiet is not None else None
                found.setdefault(row.id, Candidate(id=row.id, rest=rest, zone=row.zone))
            if len(found) >= most:
                return list(found.values())
    return list(found.values())


async def let_probe(connection: AsyncConnection, tenant_id: UUID, notification_id: UUID, *, cause: str) -> None:
    """Lets one parked notification go on; the same cause lets it go once."""
    name = keys.notification_workflow(str(notification_id))
    await outbox.add_signal(connection, tenant_id, name, signal="resume", cause=cause, arguments=())


async def release(
    connection: AsyncConnection, tenant_id: UUID, stored: Stored, *, reason: str, parked_after: datetime | None = None
) -> int:
    """Lets go on what a circuit that closed kept, as operations in the order of acceptance; returns how many.

    What is parked at another account of the channel goes on too, because it may go through this one. Those that cannot
    are parked again, and nothing is attempted with them. The same `reason` releases once.
    """
    if await _was_released(connection, tenant_id, reason):
        return 0
    columns, version = notification.c, template_of(stored.subject)
    name = await _template_name(connection, tenant_id, version) if version is not None else None
    wanted = _kept(tenant_id, stored.account_id, (*OF_ACCOUNTS, *OF_TEMPLATES, *OF_OTHERS))
    # A template's trouble is not over with its account's, nor the other way round.
    own_causes = OF_ACCOUNTS if version is None else OF_TEMPLATES
    wanted &= columns.parked_cause.in_([*own_causes]) | (columns.parked_account_id != stored.account_id)
    if name is not None:
        wanted &= columns.template == name
    if parked_after is not None:
        wanted &= columns.parked_at >= parked_after
    groups = select(columns.parked_cause, columns.parked_account_id).where(wanted).distinct()
    found = (await connection.execute(groups.order_by(*groups.selected_columns))).all()
    rate = await rate_of(connection, tenant_id, stored.account_id)
    for cause, account_id in found:
        meant = ParkedFilter(cause=Reason(cause), account_id=account_id, template=name, parked_after=parked_after)
        # The new one means all that the former one has left, and what was parked since.
        await operations.replace(connection, tenant_id, meant, actor=CIRCUIT)
        await operations.create(connection, tenant_id, _resumption(meant, rate, reason))
    return len(found)


async def release_to(connection: AsyncConnection, tenant_id: UUID, account_id: UUID, *, actor: str) -> int:
    """Lets go on what an account can carry that just became active; returns how many operations do it."""
    columns = notification.c
    suspended = columns.parked_cause == Reason.ACCOUNT_SUSPENDED.value
    wanted = _kept(tenant_id, account_id, (*OF_ACCOUNTS, *OF_TEMPLATES)) | (
        (columns.tenant_id == tenant_id) & columns.parked_at.is_not(None) & suspended
    )
    # Who waits for any active account may not name one.
    of = case((suspended, null()), else_=columns.parked_account_id)
    groups = select(columns.parked_cause, of).where(wanted).distinct()
    found = sorted((await connection.execute(groups)).all(), key=str)
    rate = await rate_of(connection, tenant_id, account_id)
    for cause, parked_account_id in found:
        meant = ParkedFilter(cause=Reason(cause), account_id=parked_account_id)
        new = replace(_resumption(meant, rate, "an account of the channel became active"), actor=actor)
        await operations.create(connection, tenant_id, new)
    return len(found)


async def release_capped(
    connection: AsyncConnection, tenant_id: UUID, account_id: UUID | None, *, actor: str, before: Limits, now: Limits
) -> int:
    """Lets go on what a daily cap kept that was raised or removed; returns how many operations do it.

    The cap is an account's, or the whole tenant's. One that is parked at another account of the channel may go through
    this one as well.
    """
    cap, former = now.get("per_day"), before.get("per_day")
    if former is None or (cap is not None and cap <= former):
        return 0
    columns = notification.c
    wanted = (columns.tenant_id == tenant_id) & columns.parked_at.is_not(None)
    wanted &= columns.parked_cause == Reason.DAILY_CAP.value
    if account_id is not None:
        wanted &= _kept(tenant_id, account_id, (Reason.DAILY_CAP,))
    groups = select(columns.parked_account_id).where(wanted).distinct()
    found = sorted((await connection.execute(groups)).scalars(), key=str)
    for parked_account_id in found:
        meant = ParkedFilter(cause=Reason.DAILY_CAP, account_id=parked_account_id)
        rate = DEFAULT_RATE if parked_account_id is None else await rate_of(connection, tenant_id, parked_account_id)
        new = replace(_resumption(meant, rate, "the cap of the day was raised"), actor=actor)
        await operations.create(connection, tenant_id, new)
    return len(found)


def _kept(tenant_id: UUID, account_id: UUID, causes: Sequence[Reason]) -> ColumnElement[bool]:
    """Returns the condition that a notification is parked for one of `causes` at an account of the same channel."""
    same = select(account.c.channel).where(account.c.tenant_id == tenant_id, account.c.id == account_id)
    siblings = select(account.c.id).where(account.c.tenant_id == tenant_id, account.c.channel == same.scalar_subquery())
    columns = notification.c
    return (
        (columns.tenant_id == tenant_id)
        & columns.parked_at.is_not(None)
        & columns.parked_cause.in_([cause.value for cause in causes])
        & columns.parked_account_id.in_(siblings)
    )


async def _template_name(connection: AsyncConnection, tenant_id: UUID, version_id: UUID) -> str | None:
    version = select(template_version.c.template_id).where(
        template_version.c.tenant_id == tenant_id, template_version.c.id == version_id
    )
    query = select(template.c.name).where(template.c.tenant_id == tenant_id, template.c.id == version.scalar_subquery())
    found: str | None = await connection.scalar(query)
    return found


def _resumption(meant: ParkedFilter, rate: int, reason: str) -> NewOperation:
    return NewOperation(kind=OperationKind.RESUME, filter=meant, rate=rate, actor=CIRCUIT, reason=reason)


async def _was_released(connection: AsyncConnection, tenant_id: UUID, reason: str) -> bool:
    columns = operation.c
    query = select(columns.id).where(columns.tenant_id == tenant_id, columns.actor == CIRCUIT)
    query = query.where(columns.reason.in_([reason, f"{REPLACED}{reason}", f"{REOPENED}{reason}"]))
    return (await connection.execute(query.limit(1))).first() is not None


async def rate_of(connection: AsyncConnection, tenant_id: UUID, account_id: UUID) -> int:
    """Returns how many parked notifications an account takes back in a second."""
    query = select(account.c.limits).where(account.c.tenant_id == tenant_id, account.c.id == account_id)
    limits = await connection.scalar(query) or {}
    return max(1, min(int(limits.get("rate") or DEFAULT_RATE), MOST_PER_SECOND))
