"""How many findings are open, as every worker shows it among its metrics."""

import asyncio

import structlog
from prometheus_client import Gauge

from db import findings
from db.errors import FAILURES
from db.session import Database

log = structlog.get_logger(__name__)

_OPEN = Gauge("carillon_findings_open", "Findings that are open, of all tenants; the same in every worker", ["kind"])


class FindingsGauge:
    """Counts the open findings now and then."""

    def __init__(self, database: Database, *, pause: float = 30.0) -> None:
        self._database = database
        self._pause = pause

    async def run(self) -> None:
        """Counts until cancelled; while the database is away, the last count stands."""
        while True:
            try:
                await self.count()
            except FAILURES as error:
                log.warning("findings.not_counted", error=type(error).__name__)
            await asyncio.sleep(self._pause)

    async def count(self) -> None:
        """Sets the gauge to what is open now."""
        async with self._database.system() as connection:
            counts = await findings.open_counts(connection)
        for kind, number in counts.items():
            _OPEN.labels(kind.value).set(number)
