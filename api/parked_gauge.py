"""How much waits for a person: parked notifications and series, and replies, as the API shows it in its metrics."""

from datetime import datetime, timedelta

import structlog
from prometheus_client import CollectorRegistry, Gauge

from db import held_replies, parked, series_fleet
from db.errors import FAILURES
from db.session import Database

log = structlog.get_logger(__name__)

MOST = 100_000
"""How many parked notifications one look counts; more are shown as that many."""
_KEPT = timedelta(seconds=10)


class ParkedGauge:
    """Counts by cause over all tenants, at most every ten seconds, however often it is asked."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._gauge = Gauge(
            "carillon_parked",
            f"Parked notifications of all tenants, counted up to {MOST:,}; the same in every API process.",
            ("cause",),
            registry=registry,
        )
        self._of_series = Gauge(
            "carillon_series_parked",
            f"Parked series of all tenants, counted up to {MOST:,}; the same in every API process.",
            ("cause",),
            registry=registry,
        )
        self._replies = Gauge(
            "carillon_replies_held",
            f"Replies of all tenants that wait for a person, counted up to {MOST:,}; the same in every API process.",
            ("cause",),
            registry=registry,
        )
        self._seen: set[tuple[Gauge, str]] = set()
        self._counted_at: datetime | None = None

    async def refresh(self, database: Database, now: datetime) -> None:
        """Brings the counts up to date; while the database is away, the last ones stand."""
        if self._counted_at is not None and now - self._counted_at < _KEPT:
            return
        self._counted_at = now
        try:
            async with database.system() as connection:
                counts = {self._gauge: await parked.by_cause(connection, most=MOST)}
                counts[self._of_series] = await series_fleet.parked_by_cause(connection, most=MOST)
                counts[self._replies] = await held_replies.open_by_reason(connection, most=MOST)
        except FAILURES as error:
            log.warning("parked.not_counted", error=type(error).__name__)
            return
        self._seen |= {(gauge, cause) for gauge, found in counts.items() for cause in found}
        for gauge, cause in self._seen:
            gauge.labels(cause).set(counts[gauge].get(cause, 0))
