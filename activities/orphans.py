"""Parked notifications whose cause was mended before they were parked, so that nobody will let them go on any more.

A claim reads that an account is suspended; the account's resumption commits, and with it the operation over what is
parked; then the notification is parked. The same happens with a circuit that closes meanwhile.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio import activity

from activities.sweeping import Sweep, Swept, counted
from db import operations, orphans, outages
from db.operations import NewOperation
from db.orphans import Carrier, ParkedRow, Place
from db.session import Database
from domain.circuits import account_subject
from domain.operations import OperationKind, ParkedFilter
from domain.reasons import Reason

log = structlog.get_logger(__name__)

ACTOR = "housekeeping"
"""Who resumes, in the eyes of people: nobody in particular."""

_OF_ACCOUNTS = frozenset(
    {
        Reason.ACCOUNT_SUSPENDED,
        Reason.MISCONFIGURED,
        Reason.TEMPLATE_UNAVAILABLE,
        Reason.PROVIDER_UNAVAILABLE,
        Reason.UNAVAILABLE,
    }
)
_MOST = 2000
_SETTLED = timedelta(minutes=2)
_PAUSE = timedelta(minutes=10)

# What was mended long before something was parked did not help it then, and would not now.
_RACE = timedelta(hours=1)


def _clock() -> datetime:
    return datetime.now(UTC)


class Orphans:
    """Lets go on what was parked too late to be let go by whoever mended its cause."""

    def __init__(self, database: Database, *, now: Callable[[], datetime] = _clock, most: int = _MOST) -> None:
        self._database = database
        self._now = now
        self._most = most

    @activity.defn(name="parking.resume_orphans")
    @counted("parking.resume_orphans")
    async def resume(self, sweep: Sweep) -> Swept:
        """Looks at the next parked notifications, and creates an operation for each group that could go on."""
        async with self._database.system() as connection:
            rows = await orphans.read(connection, Place.parse(sweep.cursor), most=self._most)
        by_tenant: dict[UUID, list[ParkedRow]] = defaultdict(list)
        for row in rows:
            if row.cause in _OF_ACCOUNTS and row.parked_at < self._now() - _SETTLED:
                by_tenant[row.tenant_id].append(row)
        for tenant_id, parked in by_tenant.items():
            async with self._database.tenant(tenant_id) as connection:
                await self._resume(connection, tenant_id, parked)
        is_last = len(rows) < self._most
        return Swept(cursor=None if is_last else rows[-1].place.as_cursor(), more=not is_last, seen=len(rows))

    async def _resume(self, connection: AsyncConnection, tenant_id: UUID, parked: Sequence[ParkedRow]) -> None:
        versions = {row.template_version_id for row in parked}
        channels = await orphans.channels(connection, tenant_id, versions)
        carriers = await orphans.carriers(connection, tenant_id)
        groups: dict[ParkedFilter, Carrier] = {}
        for row in parked:
            carrier = mended(row, row.channels or channels[row.template_version_id], carriers)
            if carrier is not None:
                former = groups.get(_group(row), carrier)
                groups[_group(row)] = max(former, carrier, key=lambda one: one.changed_at)
        for meant, carrier in groups.items():
            await self._let_go(connection, tenant_id, meant, carrier)

    async def _let_go(
        self, connection: AsyncConnection, tenant_id: UUID, meant: ParkedFilter, carrier: Carrier
    ) -> None:
        since = self._now() - _PAUSE
        if await orphans.is_attended(connection, tenant_id, meant, since=since, mended=carrier.changed_at):
            return
        new = NewOperation(
            kind=OperationKind.RESUME,
            filter=meant,
            rate=await outages.rate_of(connection, tenant_id, carrier.id),
            actor=ACTOR,
            reason="parked after its cause was mended",
        )
        made = await operations.create(connection, tenant_id, new)
        log.info("operation.created", tenant_id=str(tenant_id), operation_id=str(made), actor=ACTOR)


def mended(row: ParkedRow, channels: Iterable[str], carriers: Sequence[Carrier]) -> Carrier | None:
    """Returns an account that can carry a parked notification by now, though not long before it was parked."""
    for channel in channels:
        carrying = [one for one in carriers if one.channel == channel]
        pinned = [one for one in carrying if one.id == row.sender]
        for one in pinned or carrying:
            if one.state == "active" and not _is_held(row, one) and one.changed_at > row.parked_at - _RACE:
                return one
    return None


def _is_held(row: ParkedRow, carrier: Carrier) -> bool:
    """Tells whether a circuit of the account keeps a notification, in whatever language it would be sent."""
    template = f"template/{carrier.id}/{row.template_version_id}/"
    return any(one == account_subject(carrier.id) or one.startswith(template) for one in carrier.troubled)


def _group(row: ParkedRow) -> ParkedFilter:
    """Returns which operation means a notification; who waits for any active account may not name one."""
    cause = Reason(row.cause)
    return ParkedFilter(cause=cause, account_id=None if cause is Reason.ACCOUNT_SUSPENDED else row.account_id)
