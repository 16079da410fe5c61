"""Plans are made from what the database holds at that moment: circuits, health, priority and weight of accounts."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from activities.resolution import Resolution, ResolutionPage
from db import circuits, health
from db.health import AccountHealth
from db.session import Database
from db.tables import account
from domain.circuits import News, account_subject, template_subject
from domain.health import Health, Level, Window
from domain.reasons import Reason
from sealing import KeyRing
from tests.factories import TEXT_PART, make_account, make_notification, make_version

NOW = datetime.now(UTC)


@dataclass
class Ground:
    """A notification that two mail accounts can carry; the first is preferred."""

    database: Database
    tenant_id: UUID
    accounts: tuple[UUID, UUID]
    version_id: UUID
    notification_id: UUID

    async def order(self) -> list[int]:
        """Returns which of the accounts is tried first and which take over, by their place."""
        page = ResolutionPage(tenant_id=str(self.tenant_id), notification_ids=(str(self.notification_id),))
        [plan] = await Resolution(self.database, {}).resolve(page)
        named = [plan.hops[0].account_id, *(one.account_id for one in plan.hops[0].alternates)]
        return [self.accounts.index(UUID(name)) for name in named]

    async def change(self, place: int, **values: Any) -> None:
        async with self.database.tenant(self.tenant_id) as connection:
            await connection.execute(update(account).where(account.c.id == self.accounts[place]).values(**values))

    async def trouble(self, place: int, reason: Reason, subject: str, at: datetime = NOW) -> None:
        news = News(subject=subject, account_id=self.accounts[place], trouble=reason, at=at)
        async with self.database.tenant(self.tenant_id) as connection:
            await circuits.note(connection, self.tenant_id, [news])


@pytest.fixture
async def ground(database: Database, tenant_id: UUID, key_ring: KeyRing) -> Ground:
    first, second = [
        await make_account(
            database, tenant_id, key_ring, provider="smtp", channel="email", config={}, priority=1 - place
        )
        for place in range(2)
    ]
    version_id = await make_version(database, tenant_id, TEXT_PART | {"locale": "default"})
    made = await make_notification(database, tenant_id, version_id, to="asha@example.org", to_kind="email")
    return Ground(database, tenant_id, (first, second), version_id, made)


async def test_the_preferred_account_goes_first_and_the_other_takes_over(ground: Ground) -> None:
    assert await ground.order() == [0, 1]
    await ground.change(1, priority=2)
    assert await ground.order() == [1, 0]


async def test_an_account_that_is_not_active_is_not_planned_with(ground: Ground) -> None:
    await ground.change(0, state="suspended")
    assert await ground.order() == [1]


async def test_an_open_circuit_comes_last_until_its_probe_is_due(ground: Ground) -> None:
    subject = account_subject(ground.accounts[0])
    await ground.trouble(0, Reason.MISCONFIGURED, subject)
    assert await ground.order() == [1, 0]
    async with ground.database.tenant(ground.tenant_id) as connection:
        await circuits.close(connection, ground.tenant_id, ground.accounts[0])
    await ground.trouble(0, Reason.MISCONFIGURED, subject, NOW - timedelta(hours=1))
    assert await ground.order() == [0, 1]


async def test_a_template_that_is_paused_at_one_account_goes_over_the_other(ground: Ground) -> None:
    subject = template_subject(ground.accounts[0], ground.version_id, "default")
    await ground.trouble(0, Reason.TEMPLATE_UNAVAILABLE, subject)
    assert await ground.order() == [1, 0]


async def test_the_healthier_account_goes_first(ground: Ground) -> None:
    slow = AccountHealth(
        account_id=ground.accounts[0],
        health=Health(level=Level.SLOW),
        window=Window(),
        since=NOW,
        measured_at=NOW,
    )
    async with ground.database.tenant(ground.tenant_id) as connection:
        await health.write(connection, ground.tenant_id, [slow])
    assert await ground.order() == [1, 0]


async def test_an_account_without_weight_is_used_when_no_other_is_left(ground: Ground) -> None:
    await ground.change(0, priority=0, weight=0)
    assert await ground.order() == [1, 0]
    await ground.change(1, state="retired")
    assert await ground.order() == [0]
