"""The owners of what is open: workflows that are gone, closed, or remember a newer database than this one."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from temporalio import activity

from activities.repairs import Repairs
from activities.sweeping import Sweep, Swept, counted
from activities.workflow_facts import WorkflowFacts
from db import findings, sweeps
from db.errors import FAILURES
from db.findings import NewFinding
from db.session import Database
from db.sweeps import Mark, OpenNotification
from domain.findings import Kind, Repair
from domain.recovery import Ground, Life

log = structlog.get_logger(__name__)

ABANDONED = timedelta(minutes=5)
"""How long an attempt may be under way: ten times what one takes at most."""

QUIET = timedelta(minutes=2)
"""How long an open notification is left alone after anything happened to it."""


class Owners:
    """Looks whether what is open still has an owner, in turns that reach everything."""

    def __init__(
        self,
        database: Database,
        facts: WorkflowFacts,
        repairs: Repairs,
        *,
        abandoned: timedelta = ABANDONED,
        quiet: timedelta = QUIET,
        batch: int = 500,
    ) -> None:
        self._database = database
        self._facts = facts
        self._repairs = repairs
        self._abandoned = abandoned
        self._quiet = quiet
        self._batch = batch

    @activity.defn(name="housekeeping.recognise")
    @counted("housekeeping.recognise")
    async def recognise(self, sweep: Sweep) -> Swept:
        """Looks whether this is the database that the last run saw; rows that are gone tell that it was restored."""
        taken_at, marks = _read_marks(sweep.cursor)
        async with self._database.system() as connection:
            lacking = [mark for mark in marks if await sweeps.lacks(connection, mark)]
            now, newest = await sweeps.newest(connection)
            alarmed = await findings.not_reconciled_since(connection, taken_at) if lacking else []
        detail = {mark.table: str(mark.id) for mark in lacking}
        for tenant_id in alarmed:
            await self._repairs.record(tenant_id, restored_finding(detail, None))
        return Swept(cursor=_write_marks(now, newest), seen=len(marks), found=len(alarmed))

    @activity.defn(name="housekeeping.attempts")
    @counted("housekeeping.attempts")
    async def attempts(self, sweep: Sweep) -> Swept:  # noqa: ARG002 - every step takes its order
        """Ends notifications with an attempt under way whose workflow is gone; a living one finds it by itself."""
        async with self._database.system() as connection:
            abandoned = await sweeps.abandoned(connection, age=self._abandoned, limit=self._batch)
        found = await self._look_after(abandoned, kind=Kind.ATTEMPT_ABANDONED)
        return Swept(seen=len(abandoned), found=found)

    @activity.defn(name="housekeeping.workflows")
    @counted("housekeeping.workflows")
    async def workflows(self, sweep: Sweep) -> Swept:
        """Looks after the next open notifications: starts their workflows again, or ends them with what is known."""
        after = UUID(sweep.cursor) if sweep.cursor else None
        async with self._database.system() as connection:
            rows = await sweeps.open_notifications(connection, after=after, age=self._quiet, limit=self._batch)
        found = await self._look_after([row for row in rows if row.quiet])
        cursor = str(rows[-1].id) if len(rows) >= self._batch else None
        return Swept(cursor=cursor, more=cursor is not None, seen=len(rows), found=found)

    async def _look_after(self, rows: Sequence[OpenNotification], *, kind: Kind | None = None) -> int:
        facts = await self._facts.of_many([row.workflow_id for row in rows])
        async with self._database.system() as connection:
            held = await findings.held_tenants(connection)
        now, found = datetime.now(UTC), 0
        for row in rows:
            workflow, ground = facts[row.workflow_id], Ground(now=now, held=row.tenant_id in held)
            if workflow.life in {Life.RUNNING, Life.INTERRUPTED}:
                continue
            try:
                told = await self._repairs.settle(row.tenant_id, row.id, workflow, ground, kind=kind)
                if told is None and kind is Kind.ATTEMPT_ABANDONED:
                    told = await self._repairs.call_unknown(row.tenant_id, row.id)
            except FAILURES:  # one that cannot be mended must not keep the others from it
                log.exception("notification.not_mended", notification_id=str(row.id))
            else:
                found += told is not None
        return found


def restored_finding(detail: Mapping[str, str], repair: Repair | None) -> NewFinding:
    """Returns the finding that the database is older than Temporal; while it is open, nothing that sends is done."""
    return NewFinding(
        kind=Kind.DATABASE_RESTORED, subject_type="database", subject_id="rows", repair=repair, detail=detail
    )


def _write_marks(now: datetime, marks: Sequence[Mark]) -> str:
    return " ".join([now.isoformat(), *(f"{mark.table}/{mark.tenant_id}/{mark.id}" for mark in marks)])


def _read_marks(text: str | None) -> tuple[datetime, list[Mark]]:
    """Returns when marks were taken, and the marks."""
    taken_at, *marks = (text or datetime.now(UTC).isoformat()).split(" ")
    parts = [mark.split("/") for mark in marks]
    read = [Mark(table=table, tenant_id=UUID(tenant_id), id=UUID(row_id)) for table, tenant_id, row_id in parts]
    return datetime.fromisoformat(taken_at), read
