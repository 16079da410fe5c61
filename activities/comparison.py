"""Both sides compared completely: open notifications with their workflows, running workflows with their rows, clocks.

For after a restore, and for whoever wants to be sure. Housekeeping looks at a part at a time and repairs by itself;
this looks at all of it, says what would be done, and does it only when told to.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from temporalio.client import Client

from activities.open_operations import LIVING, OpenOperations
from activities.owners import ABANDONED, restored_finding
from activities.repairs import Repairs, about_notification, repair_of
from activities.schedule_comparison import ScheduleComparison
from activities.workflow_facts import RunningWorkflow, WorkflowFacts
from db import comparing, findings, sweeps, waiting_receipts
from db.comparing import Known
from db.findings import NewFinding
from db.owned import Owned
from db.session import Database
from db.sweeps import OpenNotification
from domain import keys
from domain.findings import Kind, Repair
from domain.recovery import End, Ground, Leave, Life, Restored, Workflow

_JUST_ENDED = timedelta(minutes=1)
_YOUNG = timedelta(minutes=10)
_MOST = 10_000
_WORKFLOW = keys.notification_workflow("")


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence:
    """Something on which both sides disagree.

    Attributes:
        tenant_id: Whose it is; None where nobody knows.
        found: What it is, with the repair that it gets; without one a person decides.
        done: The repair was made.
        waits: It may mend itself, so it is told and counts for nothing.
    """

    tenant_id: UUID | None
    found: NewFinding
    done: bool = False
    waits: bool = False


class Comparison:
    """Compares, and repairs what it was told to repair."""

    def __init__(self, database: Database, client: Client, repairs: Repairs, *, batch: int = 500) -> None:
        self._database = database
        self._facts = WorkflowFacts(client)
        self._repairs = repairs
        self._operations = OpenOperations(database, self._facts, quiet=timedelta(0), batch=_MOST)
        self._waiting = OpenOperations(database, self._facts, quiet=timedelta(0), batch=batch)
        self._clocks = ScheduleComparison(database, client, self._facts)
        self._batch = batch

    async def run(self, ground: Ground, *, repair: bool) -> AsyncIterator[Divergence]:
        """Yields every divergence as it is found, and with `repair` as it was mended."""
        parts = (
            self._open_notifications(ground, repair=repair),
            self._running_workflows(repair=repair),
            self._abandoned_attempts(repair=repair),
            self._waiting_starts(repair=repair),
            self._open_operations(ground, repair=repair),
            self._schedules(ground, repair=repair),
            self._waiting_receipts(),
        )
        for part in parts:
            async for divergence in part:
                yield divergence
        if repair and ground.restored in {Restored.POSTGRES, Restored.BOTH}:
            await self._release_holds()

    async def _open_notifications(self, ground: Ground, *, repair: bool) -> AsyncIterator[Divergence]:
        held = await self._held(ground)
        after: UUID | None = None
        while rows := await self._page(after):
            after = rows[-1].id
            facts = await self._facts.of_each([row.workflow_id for row in rows])
            for row in rows:
                its_ground = replace(ground, held=row.tenant_id in held)
                found = await self._settle(row, facts[row.workflow_id], its_ground, repair=repair)
                if found is not None:
                    yield found

    async def _held(self, ground: Ground) -> frozenset[UUID]:
        """Returns for whom nothing is done, since nobody said what was restored of what seems to be so."""
        async with self._database.system() as connection:
            return await findings.held_tenants(connection) if ground.restored is Restored.NOTHING else frozenset()

    async def _page(self, after: UUID | None) -> list[OpenNotification]:
        async with self._database.system() as connection:
            return await sweeps.open_notifications(connection, after=after, age=timedelta(0), limit=self._batch)

    async def _settle(
        self, row: OpenNotification, workflow: Workflow, ground: Ground, *, repair: bool
    ) -> Divergence | None:
        verdict = await self._repairs.look(row.tenant_id, row.id, workflow, ground)
        if isinstance(verdict, Leave):
            return None
        if not repair:
            detail = {"workflow": workflow.life.value}
            if isinstance(verdict, End):
                detail["status"] = verdict.status.value
            proposed = about_notification(verdict.kind, row.id, repair_of(verdict), **detail)
            return Divergence(tenant_id=row.tenant_id, found=proposed)
        if isinstance(verdict, End) and verdict.terminate:
            await self._facts.terminate(row.workflow_id, reason=_reason(verdict.kind))
        made = await self._repairs.settle(row.tenant_id, row.id, workflow, ground)
        return Divergence(tenant_id=row.tenant_id, found=made, done=made.repair is not None) if made else None

    async def _running_workflows(self, *, repair: bool) -> AsyncIterator[Divergence]:
        async with self._database.system() as connection:
            everybody = frozenset(await sweeps.everybody(connection))
        async for batch in _batches(self._facts.running("notification"), self._batch):
            ids = {item: UUID(item.workflow_id.removeprefix(_WORKFLOW)) for item in batch if _is_ours(item)}
            async with self._database.system() as connection:
                known = await comparing.known(connection, list(ids.values()))
            for item, notification_id in ids.items():
                found = await self._without_need(item, notification_id, known.get(notification_id))
                if found is None:
                    continue
                tenant_id = item.tenant_id if item.tenant_id in everybody else None
                if repair:
                    await self._facts.terminate(item.workflow_id, reason=_reason(found.kind))
                    if tenant_id is not None:
                        await self._repairs.record(tenant_id, found)
                yield Divergence(tenant_id=tenant_id, found=found, done=repair)

    async def _without_need(self, item: RunningWorkflow, notification_id: UUID, row: Known | None) -> NewFinding | None:
        """Returns what is wrong with a workflow that the index shows as running, asked closely where it seems so."""
        if row is not None and (row.ended_at is None or datetime.now(UTC) - row.ended_at < _JUST_ENDED):
            return None
        workflow = await self._facts.of(item.workflow_id)
        if workflow.life not in LIVING:
            return None
        kind = Kind.WORKFLOW_WITHOUT_ROW if row is None else Kind.WORKFLOW_AFTER_END
        return about_notification(kind, notification_id, Repair.TERMINATED, workflow=workflow.life.value)

    async def _abandoned_attempts(self, *, repair: bool) -> AsyncIterator[Divergence]:
        """Attempts of open notifications are judged with those; here are the ones whose notification has ended."""
        async with self._database.system() as connection:
            rows = await sweeps.abandoned(connection, age=ABANDONED, limit=_MOST)
            known = await comparing.known(connection, [row.id for row in rows])
        for row in rows:
            if known[row.id].ended_at is None or (await self._facts.of(row.workflow_id)).life in LIVING:
                continue
            found = about_notification(Kind.ATTEMPT_ABANDONED, row.id, Repair.CALLED_UNKNOWN)
            done = repair and await self._repairs.call_unknown(row.tenant_id, row.id) is not None
            yield Divergence(tenant_id=row.tenant_id, found=found, done=done)

    async def _waiting_starts(self, *, repair: bool) -> AsyncIterator[Divergence]:
        after: UUID | None = None
        while True:
            async with self._database.system() as connection:
                rows = await comparing.waiting_starts(connection, after=after, limit=self._batch)
            if not rows:
                return
            after = rows[-1].id
            facts = await self._facts.of_each([row.workflow_id for row in rows])
            for row in rows:
                workflow = facts[row.workflow_id]
                if workflow.life is Life.GONE:
                    continue
                found = NewFinding(
                    kind=Kind.OUTBOX_ALREADY_STARTED,
                    subject_type="outbox",
                    subject_id=row.dedup_key,
                    repair=Repair.REMOVED,
                    detail={"workflow": workflow.life.value},
                )
                if repair:
                    async with self._database.system() as connection:
                        await comparing.remove_start(connection, row)
                    await self._repairs.record(row.tenant_id, found)
                yield Divergence(tenant_id=row.tenant_id, found=found, done=repair)

    async def _open_operations(self, ground: Ground, *, repair: bool) -> AsyncIterator[Divergence]:
        held = await self._held(ground)
        async for item, workflow in self._orphans():
            if repair:
                found = await self._operations.mend(item, workflow, held=item.tenant_id in held)
            else:
                found = await self._operations.tell(item, workflow)
            if found is not None:
                yield Divergence(tenant_id=item.tenant_id, found=found, done=repair and found.repair is not None)

    async def _orphans(self) -> AsyncIterator[tuple[Owned, Workflow]]:
        for orphan in await self._operations.orphans():
            yield orphan
        after: UUID | None = None
        while True:
            page = await self._waiting.waiting(after)
            for orphan in await self._waiting.without_workflow(page.series):
                yield orphan
            if page.last is None:
                return
            after = page.last

    async def _schedules(self, ground: Ground, *, repair: bool) -> AsyncIterator[Divergence]:
        async for item in self._clocks.run(ground, repair=repair, held=await self._held(ground)):
            yield Divergence(tenant_id=item.tenant_id, found=item.found, done=item.done)

    async def _waiting_receipts(self) -> AsyncIterator[Divergence]:
        """Housekeeping tells of them and gives them up; here they are only shown."""
        async with self._database.system() as connection:
            rows = await waiting_receipts.waiting(connection, age=_YOUNG, limit=_MOST)
        for row in rows:
            detail = {"provider": row.provider, "since": row.since.isoformat(), "receipts": row.receipts}
            found = NewFinding(
                kind=Kind.RECEIPT_UNMATCHED,
                subject_type="provider_message",
                subject_id=row.provider_message_id,
                detail=detail,
            )
            yield Divergence(tenant_id=row.tenant_id, found=found, waits=True)

    async def _release_holds(self) -> None:
        """Tells housekeeping, in every tenant, that what it remembers of another database has been dealt with."""
        async with self._database.system() as connection:
            everybody = await sweeps.everybody(connection)
        for tenant_id in everybody:
            await self._repairs.record(tenant_id, restored_finding({}, Repair.RECONCILED))


async def _batches(items: AsyncIterator[RunningWorkflow], size: int) -> AsyncIterator[Sequence[RunningWorkflow]]:
    batch = []
    async for item in items:
        batch.append(item)
        if len(batch) >= size:
            yield batch
            batch = []
    if batch:
        yield batch


def _is_ours(item: RunningWorkflow) -> bool:
    """Tells whether the id of a workflow is that of a notification."""
    try:
        return item.workflow_id == keys.notification_workflow(str(UUID(item.workflow_id.removeprefix(_WORKFLOW))))
    except ValueError:
        return False


def _reason(kind: Kind) -> str:
    return f"carillon reconcile: {kind.value}"
