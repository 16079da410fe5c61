"""Health: measures every account again and again, as a step of housekeeping, and shows the result as gauges."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from prometheus_client import Counter, Gauge
from temporalio import activity

from activities.sweeping import Sweep, Swept, counted
from db import health
from db.errors import FAILURES
from db.health import AccountHealth
from db.session import Database
from domain.health import Health, Window, judge

log = structlog.get_logger(__name__)

APART = timedelta(seconds=20)
"""Windows that follow each other sooner are the same one, measured again."""

_TENANTS = 100
_ACCOUNTS = 2000
_LABELS = ["account", "channel", "provider"]
_CHANGES = Counter("carillon_account_level_changes_total", "Accounts whose health got another level", ["to"])
_LEVEL = Gauge("carillon_account_level", "Health of active accounts: 0 healthy, 1 slow, 2 failing", _LABELS)
_OPEN = Gauge("carillon_circuit_open", "Circuits that are not closed, of active accounts", [*_LABELS, "of"])


def _clock() -> datetime:
    return datetime.now(UTC)


class HealthMeasurement:
    """Judges accounts by what became of their attempts and by when their receipts came."""

    def __init__(self, database: Database, confirming: Sequence[str], *, now: Callable[[], datetime] = _clock) -> None:
        self._database = database
        self._confirming = confirming
        self._now = now

    @activity.defn(name="health.measure")
    @counted("health.measure")
    async def measure(self, sweep: Sweep) -> Swept:
        """Measures the accounts of the next tenants."""
        after = UUID(sweep.cursor) if sweep.cursor else None
        async with self._database.system() as connection:
            tenants = await health.tenants(connection, after=after, limit=_TENANTS)
        seen = 0
        for tenant_id in tenants:
            seen += await self.measure_tenant(tenant_id)
        more = len(tenants) == _TENANTS
        return Swept(cursor=str(tenants[-1]) if more else None, more=more, seen=seen)

    async def measure_tenant(self, tenant_id: UUID) -> int:
        """Measures the accounts of a tenant and returns how many were judged."""
        now = self._now()
        async with self._database.tenant(tenant_id) as connection:
            windows = await health.measure(connection, tenant_id, now, confirming=self._confirming)
            former = await health.read(connection, tenant_id, list(windows))
            judged = _judge(windows, former, now)
            await health.write(connection, tenant_id, judged)
        for item in judged:
            _tell(former.get(item.account_id), item)
        return len(judged)


class AccountsGauge:
    """Shows how accounts stand among the metrics of every worker."""

    def __init__(self, database: Database, *, pause: float = 15.0) -> None:
        self._database = database
        self._pause = pause

    async def run(self) -> None:
        """Looks until cancelled; while the database is away, what was seen last stands."""
        while True:
            try:
                await self.look()
            except FAILURES as error:
                log.warning("accounts.not_looked_at", error=type(error).__name__)
            await asyncio.sleep(self._pause)

    async def look(self) -> None:
        """Sets the gauges to how accounts stand now; those that are not active any more have none."""
        async with self._database.system() as connection:
            standings = await health.standings(connection, most=_ACCOUNTS)
        _LEVEL.clear()
        _OPEN.clear()
        for one in standings:
            labels = (str(one.account_id), one.channel, one.provider)
            _LEVEL.labels(*labels).set(one.level.severity)
            _OPEN.labels(*labels, "account").set(one.account_open)
            _OPEN.labels(*labels, "template").set(one.templates_open)


def _judge(windows: Mapping[UUID, Window], former: Mapping[UUID, AccountHealth], now: datetime) -> list[AccountHealth]:
    judged = []
    for account_id, window in windows.items():
        known = former.get(account_id)
        if known is None and window == Window():
            continue  # it never sent anything
        if known is not None and now - known.measured_at < APART:
            continue
        before = known.health if known else Health()
        after = judge(before, window)
        since = known.since if known and after.level is before.level else now
        judged.append(AccountHealth(account_id=account_id, health=after, window=window, since=since, measured_at=now))
    return judged


def _tell(former: AccountHealth | None, item: AccountHealth) -> None:
    before = former.health if former else Health()
    if item.health.level is before.level:
        return
    _CHANGES.labels(item.health.level.value).inc()
    log.warning(
        "account.health_changed",
        account_id=str(item.account_id),
        level=item.health.level.value,
        reasons=list(item.health.reasons),
    )
