"""Repairs: what was judged about a notification without its workflow, done in one transaction with its finding."""

from datetime import timedelta
from typing import assert_never
from uuid import UUID

import structlog
from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncConnection

from crashpoints import crash_here
from db import findings, mending
from db.findings import NewFinding
from db.mending import Case
from db.session import Database
from domain.findings import Kind, Repair
from domain.recovery import End, Ground, Hold, Leave, StartAgain, Verdict, Workflow, judge

log = structlog.get_logger(__name__)

_FOUND = Counter("carillon_findings_total", "What housekeeping and reconciling found", ["kind", "repair"])
GRACE = timedelta(seconds=60)
"""How long after its end a workflow's last attempt may still be on its way in a worker."""


def count(found: NewFinding) -> None:
    """Counts a finding that was committed, and tells of it."""
    repair = found.repair.value if found.repair else "none"
    _FOUND.labels(found.kind.value, repair).inc()
    log.warning(
        "finding.recorded",
        kind=found.kind.value,
        repair=repair,
        subject=f"{found.subject_type}/{found.subject_id}",
    )


def about_notification(kind: Kind, notification_id: UUID, repair: Repair | None, **detail: str) -> NewFinding:
    """Returns a finding about a notification."""
    return NewFinding(
        kind=kind, subject_type="notification", subject_id=str(notification_id), repair=repair, detail=detail
    )


def repair_of(verdict: Verdict) -> Repair | None:
    """Returns the repair that a verdict asks for, None where a person decides or nothing is wrong."""
    match verdict:
        case Leave() | Hold():
            return None
        case StartAgain():
            return Repair.STARTED
        case End():
            return Repair.ENDED
        case _ as never:
            assert_never(never)


class Repairs:
    """Does what was judged, and records it."""

    def __init__(self, database: Database, *, grace: timedelta = GRACE) -> None:
        self._database = database
        self._grace = grace

    async def record(self, tenant_id: UUID, found: NewFinding) -> None:
        """Records a finding on its own."""
        async with self._database.tenant(tenant_id) as connection:
            await findings.record(connection, tenant_id, [found])
        count(found)

    async def look(self, tenant_id: UUID, notification_id: UUID, workflow: Workflow, ground: Ground) -> Verdict:
        """Returns what would be done with an open notification."""
        async with self._database.tenant(tenant_id) as connection:
            case = await mending.read(connection, tenant_id, notification_id)
        return self._verdict(case, workflow, ground)

    async def settle(
        self, tenant_id: UUID, notification_id: UUID, workflow: Workflow, ground: Ground, *, kind: Kind | None = None
    ) -> NewFinding | None:
        """Judges an open notification under its lock, does what that says, and returns the finding, if it is one.

        `kind` is what was found, where that is more than what is wrong with the workflow. What a dispatcher is about
        to start, what has ended meanwhile and what may still be under way is left alone.
        """
        async with self._database.tenant(tenant_id) as connection:
            case = await mending.read(connection, tenant_id, notification_id)
            verdict = self._verdict(case, workflow, ground)
            if case is None or isinstance(verdict, Leave):
                return None
            repair, detail = await _do(connection, tenant_id, case, verdict)
            detail["workflow"] = workflow.life.value
            found = about_notification(kind or verdict.kind, notification_id, repair, **detail)
            if repair is None and await findings.told_lately(connection, tenant_id, found):
                return None
            await findings.record(connection, tenant_id, [found])
            crash_here("before_repair_commit")
        count(found)
        return found

    async def call_unknown(self, tenant_id: UUID, notification_id: UUID) -> NewFinding | None:
        """Calls attempts unknown that are still under way in a notification that has ended."""
        async with self._database.tenant(tenant_id) as connection:
            case = await mending.read(connection, tenant_id, notification_id)
            if case is None or case.ended_at is None:
                return None
            status = await mending.call_unknown(connection, tenant_id, notification_id)
            if status is None:
                return None
            found = about_notification(
                Kind.ATTEMPT_ABANDONED, notification_id, Repair.CALLED_UNKNOWN, status=status.value
            )
            await findings.record(connection, tenant_id, [found])
        count(found)
        return found

    def _verdict(self, case: Case | None, workflow: Workflow, ground: Ground) -> Verdict:
        closed_lately = workflow.closed_at is not None and ground.now - workflow.closed_at < self._grace
        if case is None or case.ended_at is not None or case.leased or closed_lately:
            return Leave()
        return judge(case.standing, workflow, ground)


async def _do(
    connection: AsyncConnection, tenant_id: UUID, case: Case, verdict: StartAgain | End | Hold
) -> tuple[Repair | None, dict[str, str]]:
    """Carries a verdict out and returns the repair that it was."""
    match verdict:
        case Hold():
            return None, {}
        case StartAgain():
            await mending.start(connection, tenant_id, case)
            return Repair.STARTED, {}
        case End(status=wanted, reason=reason):
            status = await mending.end(connection, tenant_id, case, status=wanted, reason=reason)
            return Repair.ENDED, {"status": status.value}
        case _ as never:
            assert_never(never)
