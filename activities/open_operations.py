"""Operations, outages and series that are open: what others wait for must not lose its workflow."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import structlog
from temporalio import activity

from activities.repairs import count
from activities.sweeping import Sweep, Swept, counted
from activities.workflow_facts import WorkflowFacts
from db import findings, owned
from db.errors import FAILURES
from db.findings import NewFinding
from db.owned import Owned
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
    async def look(self, sweep: Sweep) -> Swept:
        """Gives what is open and lost its workflow another one, or ends it as somebody wanted.

        Series that wait for no instant may be very many: they are looked at in turns that reach all of them.
        """
        after = UUID(sweep.cursor) if sweep.cursor else None
        orphans = await self.orphans() if after is None else []
        waiting = await self.waiting(after)
        orphans += await self.without_workflow(waiting)
        for item, workflow in orphans:
            try:
                await self.mend(item, workflow)
            except FAILURES:  # one that cannot be mended must not keep the others from it
                log.exception("owner.not_mended", workflow_id=item.workflow_id)
        cursor = str(waiting[-1].id) if len(waiting) >= self._batch else None
        return Swept(cursor=cursor, more=cursor is not None, seen=len(orphans), found=len(orphans))

    async def orphans(self) -> list[tuple[Owned, Workflow]]:
        """Returns what is open and has no living workflow, with what became of that."""
        async with self._database.system() as connection:
            rows = await owned.page(connection, age=self._quiet, limit=self._batch)
        return await self.without_workflow(rows)

    async def waiting(self, after: UUID | None) -> list[Owned]:
        """Returns the next series that wait for no instant."""
        async with self._database.system() as connection:
            return await owned.waiting(connection, age=self._quiet, after=after, limit=self._batch)

    async def without_workflow(self, rows: Sequence[Owned]) -> list[tuple[Owned, Workflow]]:
        """Returns those that have no living workflow, with what became of that."""
        facts = await self._facts.of_many([row.workflow_id for row in rows])
        return [(row, facts[row.workflow_id]) for row in rows if facts[row.workflow_id].life not in LIVING]

    async def mend(self, item: Owned, workflow: Workflow) -> NewFinding:
        """Starts what is gone under its own id; of what was closed, an operation stops and everything else goes on.

        Where a series stands is in the database: another workflow goes on from there, under the same id.
        """
        found = about(item, workflow)
        async with self._database.tenant(item.tenant_id) as connection:
            if workflow.life is Life.GONE or item.subject_type == "series":
                await owned.start(connection, item)
            elif found.repair is Repair.ENDED:
                await owned.stop(connection, item)
            else:
                await owned.renew(connection, item)
            await findings.record(connection, item.tenant_id, [found])
        count(found)
        return found


def about(item: Owned, workflow: Workflow) -> NewFinding:
    """Returns the finding about an owner that is gone or closed, with the repair that it gets."""
    stops = item.subject_type == "operation" and workflow.life is not Life.GONE
    return NewFinding(
        kind=Kind.OWNER_LOST,
        subject_type=item.subject_type,
        subject_id=str(item.id),
        repair=Repair.ENDED if stops else Repair.STARTED,
        detail={"workflow": workflow.life.value, "workflow_id": item.workflow_id},
    )
