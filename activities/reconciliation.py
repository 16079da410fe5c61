"""Reconciliation in the background: receipts that came before their message could be known find it later."""

import asyncio

import structlog
from prometheus_client import Counter

from crashpoints import crash_here
from db import receipts
from db.errors import FAILURES
from db.session import Database

log = structlog.get_logger(__name__)

_ADOPTED = Counter("carillon_receipts_adopted", "Receipts that found their message later")


class Reconciliation:
    """Looks every few seconds for receipts that belong to no message yet."""

    def __init__(self, database: Database, *, pause: float = 5.0) -> None:
        self._database = database
        self._pause = pause

    async def run(self) -> None:
        """Looks until cancelled; while the database is away, it waits."""
        while True:
            try:
                await self.adopt()
            except FAILURES as error:
                log.warning("reconciliation.waiting", error=type(error).__name__)
            await asyncio.sleep(self._pause)

    async def adopt(self) -> int:
        """Gives receipts of all tenants to their messages, and returns how many."""
        async with self._database.system() as connection:
            tenants = await receipts.tenants_with_orphans(connection)
        adopted = 0
        for tenant_id in tenants:
            try:
                async with self._database.tenant(tenant_id) as connection:
                    adopted += await receipts.adopt(connection, tenant_id)
                    crash_here("before_adopt_commit")
            except FAILURES:  # one tenant's receipts must not keep the others from theirs
                log.exception("receipts.not_adopted", tenant_id=str(tenant_id))
        if adopted:
            _ADOPTED.inc(adopted)
            log.info("receipts.adopted", count=adopted)
        return adopted
