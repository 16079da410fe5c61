"""The check of the ledger: rows that contradict each other are found page by page, and mended."""

from uuid import UUID

import structlog
from temporalio import activity

from activities.repairs import about_notification, count
from activities.sweeping import Sweep, Swept, counted
from db import findings, ledger
from db.errors import FAILURES
from db.findings import NewFinding
from db.ledger import LedgerRow
from db.session import Database
from domain.findings import Kind, Repair
from domain.ledger import contradictions

log = structlog.get_logger(__name__)

_BEGINNING = (UUID(int=0), UUID(int=0))


class Ledger:
    """Checks every notification in turn, and begins anew after the last one."""

    def __init__(self, database: Database, *, batch: int = 1000) -> None:
        self._database = database
        self._batch = batch

    @activity.defn(name="housekeeping.ledger")
    @counted("housekeeping.ledger")
    async def check(self, sweep: Sweep) -> Swept:
        """Checks the next notifications for contradictions between their rows, and mends those."""
        async with self._database.system() as connection:
            rows = await ledger.page(connection, after=_place(sweep.cursor), limit=self._batch)
        found = 0
        for row in rows:
            if _contradictions(row):
                found += await self._try_to_mend(row.tenant_id, row.id)
        cursor = f"{rows[-1].tenant_id}/{rows[-1].id}" if len(rows) >= self._batch else None
        return Swept(cursor=cursor, seen=len(rows), found=found)

    async def _try_to_mend(self, tenant_id: UUID, notification_id: UUID) -> int:
        try:
            return len(await self._mend(tenant_id, notification_id))
        except FAILURES:  # one that cannot be mended must not keep the others from it
            log.exception("ledger.not_mended", notification_id=str(notification_id))
            return 0

    async def _mend(self, tenant_id: UUID, notification_id: UUID) -> list[NewFinding]:
        """Mends a notification under its lock, and returns what was really wrong."""
        found = []
        async with self._database.tenant(tenant_id) as connection:
            row = await ledger.read(connection, tenant_id, notification_id)
            wrong = _contradictions(row) if row else frozenset()
            if row and Kind.RECEIPT_NOT_APPLIED in wrong:
                states = await ledger.attempt_states(connection, tenant_id, row.id)
                await ledger.merge_again(connection, tenant_id, row.id)
                row, before = await ledger.read(connection, tenant_id, row.id) or row, row
                if row != before or states != await ledger.attempt_states(connection, tenant_id, row.id):
                    found.append(about_notification(Kind.RECEIPT_NOT_APPLIED, row.id, Repair.MERGED))
            if row and Kind.WAIT_AFTER_END in wrong and await ledger.close_waits(connection, tenant_id, row.id):
                found.append(about_notification(Kind.WAIT_AFTER_END, row.id, Repair.WAIT_CLOSED))
            if row and Kind.STATUS_DIVERGED in wrong:
                status = await ledger.summarise_again(connection, tenant_id, row)
                if status is not row.status:
                    detail = {"was": row.status.value, "is": status.value}
                    found.append(about_notification(Kind.STATUS_DIVERGED, row.id, Repair.SUMMARISED, **detail))
            await findings.record(connection, tenant_id, found)
        for item in found:
            count(item)
        return found


def _contradictions(row: LedgerRow) -> frozenset[Kind]:
    return contradictions(row.status, ended=row.ended, messages=row.messages)


def _place(cursor: str | None) -> tuple[UUID, UUID]:
    if cursor is None:
        return _BEGINNING
    tenant_id, notification_id = cursor.split("/")
    return UUID(tenant_id), UUID(notification_id)
