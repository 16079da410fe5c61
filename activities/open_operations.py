"""Operations, outages and series that are open: what others wait for must not lose its workflow."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio import activity

from activities.repairs import count
from activities.sweeping import Sweep, Swept, counted
from activities.workflow_facts import WorkflowFacts
from db import findings, owned
from db.errors import FAILURES
from db.findings import NewFinding
from db.owned import Owned, Waiting
from db.session import Database
from domain.findings import Kind, Repair
from domain.recovery import Life, Workflow

log = structlog.get_logger(__name__)

LIVING = frozenset({Life.RUNNING, Life.INTERRUPTED})


class OpenOperations:
    """Looks whether open operations, outages and series still have their workflow."""

    def __init__(
        self,
        database: Database,
        facts: WorkflowFacts,
        *,
        quiet: timedelta = timedelta(minutes=2),
        batch: int = 500,
    ) -> None:
        self._database = database
        self._facts = facts
        self._quiet = quiet
        self._batch = batch

    @activity.defn(name="housekeeping.operations")
    @counted("housekeeping.operations")
    async def look(self, sweep: Sweep) -> Swept:  # noqa: ARG002 - every step takes its order
        """Gives what is open and lost its workflow another one, or ends it as somebody wanted."""
        found = await self._mend_all(await self.orphans())
        return Swept(seen=found, found=found)

    @activity.defn(name="housekeeping.waiting_series")
    @counted("housekeeping.waiting_series")
    async def look_at_waiting(self, sweep: Sweep) -> Swept:
        """Looks after the next series that wait for no instant: they may be very many, so in turns that reach all."""
        page = await self.waiting(UUID(sweep.cursor) if sweep.cursor else None)
        found = await self._mend_all(await self.without_workflow(page.series))
        cursor = str(page.last) if page.last else None
        return Swept(cursor=cursor, more=cursor is not None, seen=page.seen, found=found)

    async def orphans(self) -> list[tuple[Owned, Workflow]]:
        """Returns what is open and has no living workflow, with what became of that."""
        async with self._database.system() as connection:
            rows = await owned.page(connection, age=self._quiet, limit=self._batch)
        return await self.without_workflow(rows)

    async def waiting(self, after: UUID | None) -> Waiting:
        """Returns the next series that wait for no instant."""
        async with self._database.system() as connection:
            return await owned.waiting(connection, age=self._quiet, after=after, limit=self._batch)

    async def without_workflow(self, rows: Sequence[Owned]) -> list[tuple[Owned, Workflow]]:
        """Returns those that have no living workflow, with what became of that."""
        facts = await self._facts.of_many([row.workflow_id for row in rows])
        return [(row, facts[row.workflow_id]) for row in rows if facts[row.workflow_id].life not in LIVING]

    async def _mend_all(self, orphans: Sequence[tuple[Owned, Workflow]]) -> int:
        async with self._database.system() as connection:
            held = await findings.held_tenants(connection)
        found = 0
        for item, workflow in orphans:
            try:
                told = await self.mend(item, workflow, held=item.tenant_id in held)
            except FAILURES:  # one that cannot be mended must not keep the others from it
                log.exception("owner.not_mended", workflow_id=item.workflow_id)
            else:
                found += told is not None
        return found

    async def tell(self, item: Owned, workflow: Workflow) -> NewFinding | None:
        """Returns what would be mended, unless it is open no more by now, or its start waits."""
        async with self._database.tenant(item.tenant_id) as connection:
            return about(item, workflow) if await owned.stands(connection, item) else None

    async def mend(self, item: Owned, workflow: Workflow, *, held: bool = False) -> NewFinding | None:
        """Starts what is gone under its own id; of what was closed, an operation stops and everything else goes on.

        Where a series stands is in the database: another workflow goes on from there, under the same id. What is open
        no more by now is left alone, and while nobody knows whether this database is the newest (`held`), it is told of
        and nothing is done.
        """
        found = about(item, workflow, held=held)
        async with self._database.tenant(item.tenant_id) as connection:
            if not await owned.stands(connection, item):
                return None
            if held and await findings.told_lately(connection, item.tenant_id, found):
                return None
            if not held:
                await self._go_on(connection, item, workflow, found)
            await findings.record(connection, item.tenant_id, [found])
        count(found)
        return found

    async def _go_on(self, connection: AsyncConnection, item: Owned, workflow: Workflow, found: NewFinding) -> None:
        if workflow.life is Life.GONE or item.subject_type == "series":
            await owned.start(connection, item)
        elif found.repair is Repair.ENDED:
            await owned.stop(connection, item)
        else:
            await owned.renew(connection, item)


def about(item: Owned, workflow: Workflow, *, held: bool = False) -> NewFinding:
    """Returns the finding about an owner that is gone or closed, with the repair that it gets: none while held."""
    stops = item.subject_type == "operation" and workflow.life is not Life.GONE
    return NewFinding(
        kind=Kind.OWNER_LOST,
        subject_type=item.subject_type,
        subject_id=str(item.id),
        repair=None if held else Repair.ENDED if stops else Repair.STARTED,
        detail={"workflow": workflow.life.value, "workflow_id": item.workflow_id},
    )
