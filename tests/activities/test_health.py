"""Measuring on a real database: levels change by several windows, are told once, and shown as gauges."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from prometheus_client import REGISTRY

from activities.health import APART, AccountsGauge, HealthMeasurement
from activities.sweeping import Sweep
from db import health
from db.health import AccountHealth
from db.session import Database
from domain.health import LEAST_ATTEMPTS, Level
from sealing import KeyRing
from tests.conftest import make_tenant
from tests.db.test_health import Ground, ground
from tests.factories import make_account

__all__ = ["ground"]

NOW = datetime(2026, 7, 14, 9, tzinfo=UTC)


def at(seconds: float) -> Callable[[], datetime]:
    return lambda: NOW + timedelta(seconds=seconds)


async def measure(ground: Ground, seconds: float) -> AccountHealth | None:
    await HealthMeasurement(ground.database, ["meta"], now=at(seconds)).measure(Sweep())
    async with ground.database.tenant(ground.tenant_id) as connection:
        return (await health.read(connection, ground.tenant_id, [ground.account_id])).get(ground.account_id)


def level_changes(to: Level) -> float:
    return REGISTRY.get_sample_value("carillon_account_level_changes_total", {"to": to.value}) or 0.0


@pytest.fixture
async def failing(ground: Ground) -> Ground:
    for _ in range(LEAST_ATTEMPTS):
        await ground.attempt(state="unknown")
    return ground


async def test_two_bad_windows_make_an_account_failing_once(failing: Ground) -> None:
    before = level_changes(Level.FAILING)
    first, second, third = [await measure(failing, seconds) for seconds in (0, 30, 60)]
    assert first is not None
    assert (first.health.level, first.health.streak, first.health.reasons) == (
        Level.HEALTHY,
        1,
        ("attempts_troubled",),
    )
    assert second is not None
    assert (second.health.level, second.since) == (Level.FAILING, NOW + timedelta(seconds=30))
    assert third is not None
    assert third.since == second.since
    assert level_changes(Level.FAILING) == before + 1


async def test_a_measurement_made_twice_is_one_window(failing: Ground) -> None:
    await measure(failing, 0)
    again = await measure(failing, APART.total_seconds() - 1)
    assert again is not None
    assert (again.health.streak, again.measured_at) == (1, NOW)


async def test_an_account_that_is_passed_over_gets_its_chance_again(failing: Ground) -> None:
    for seconds in (0, 30):
        await measure(failing, seconds)
    levels = [await measure(failing, 3600 + seconds) for seconds in (0, 30, 60)]
    assert [found.health.level for found in levels if found] == [Level.FAILING, Level.FAILING, Level.HEALTHY]


async def test_an_account_that_never_sent_has_no_health(ground: Ground) -> None:
    assert await measure(ground, 0) is None


async def test_a_sweep_goes_on_where_the_last_one_stopped(database: Database, key_ring: KeyRing) -> None:
    tenants = [await make_tenant(database, f"t{number}") for number in range(101)]
    for tenant_id in tenants:
        await make_account(database, tenant_id, key_ring, provider="smtp", channel="email", config={})
    first = await HealthMeasurement(database, [], now=at(0)).measure(Sweep())
    assert (first.more, first.cursor) == (True, str(sorted(tenants)[99]))
    second = await HealthMeasurement(database, [], now=at(0)).measure(Sweep(cursor=first.cursor))
    assert (second.more, second.cursor) == (False, None)


def level_of(account_id: UUID, channel: str, provider: str) -> float | None:
    labels = {"account": str(account_id), "channel": channel, "provider": provider}
    return REGISTRY.get_sample_value("carillon_account_level", labels)


async def test_gauges_show_levels_and_forget_who_is_gone(failing: Ground) -> None:
    gauge = AccountsGauge(failing.database)
    for seconds in (0, 30):
        await measure(failing, seconds)
    await gauge.look()
    assert level_of(failing.account_id, "whatsapp", "meta") == 2
    async with failing.database.tenant(failing.tenant_id) as connection:
        await connection.exec_driver_sql("UPDATE account SET state = 'retired'")
    await gauge.look()
    assert level_of(failing.account_id, "whatsapp", "meta") is None
