"""The steps of operations over many parked notifications or series, and the one that every new day begins with."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from temporalio import activity

from activities.persistence import persist
from activities.series_operations import SeriesTurns
from activities.sweeping import Sweep, Swept, counted
from db import operations, parked
from db.operations import NewOperation
from db.session import Database
from domain.operations import (
    DEFAULT_RATE,
    OperationInput,
    OperationKind,
    OperationState,
    OperationSubject,
    ParkedFilter,
    Stepped,
)
from domain.reasons import Reason

log = structlog.get_logger(__name__)

DAY = "day"
"""Who resumes what a daily cap kept: nobody but the new day."""

# The clocks of workers differ by seconds: the caps of the former day are over for all of them.
_SETTLED = timedelta(minutes=1)


def _clock() -> datetime:
    return datetime.now(UTC)


class Operations:
    """Takes up the next notifications or series of an operation, and begins those of a new day."""

    def __init__(self, database: Database, *, now: Callable[[], datetime] = _clock) -> None:
        self._database = database
        self._now = now
        self._series = SeriesTurns()

    @activity.defn(name="operations.step")
    async def step(self, order: OperationInput) -> Stepped:
        """Makes one step; repeated after a commit whose answer got lost, it makes the next one."""
        return await persist(lambda: self._step(order))

    @activity.defn(name="parking.resume_capped")
    @counted("parking.resume_capped")
    async def resume_capped(self, sweep: Sweep) -> Swept:  # noqa: ARG002 - every step takes its order
        """Resumes, once in each tenant, what was parked for a daily cap before this day began in UTC."""
        now = self._now()
        began = (now - _SETTLED).replace(hour=0, minute=0, second=0, microsecond=0)
        async with self._database.system() as connection:
            # What the former day decided may have been parked a moment after midnight.
            tenants = await parked.tenants_with(connection, Reason.DAILY_CAP, before=began + _SETTLED)
        for tenant_id in tenants:
            await self._begin(tenant_id, began, now)
        return Swept(seen=len(tenants))

    async def _step(self, order: OperationInput) -> Stepped:
        tenant_id = UUID(order.tenant_id)
        async with self._database.tenant(tenant_id) as connection:
            found = await operations.lock(connection, tenant_id, UUID(order.operation_id))
            if found is None:
                return Stepped(state=OperationState.STOPPED, done=0)
            if found.subject is OperationSubject.SERIES:
                return await self._series.step(connection, tenant_id, found, self._now())
            return await operations.step(connection, tenant_id, found)

    async def _begin(self, tenant_id: UUID, began: datetime, now: datetime) -> None:
        """Creates the day's operation over all that is parked, unless it was created already, whatever became of it."""
        reason = f"{began.date().isoformat()} began"
        new = NewOperation(
            kind=OperationKind.RESUME,
            filter=ParkedFilter(cause=Reason.DAILY_CAP, parked_before=now),
            rate=DEFAULT_RATE,
            actor=DAY,
            reason=reason,
        )
        async with self._database.tenant(tenant_id) as connection:
            if await operations.exists(connection, tenant_id, actor=DAY, reason=reason):
                return
            made = await operations.create(connection, tenant_id, new)
        log.info("operation.created", tenant_id=str(tenant_id), operation_id=str(made), actor=DAY)
