"""What a series hears between being steered and its next look: what it waits for there, and what ends it, has room."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest

from db.session import Database
from domain.series import MOST_HEARD
from tests.activities.series_clock import Clock
from tests.api import flowing, sending
from tests.api.test_series_operations import carry_out, operate

ASKING = """
name: reminder
stop_when: event:order.paid
steps:
- {wait: P1D, id: a_day}
- branch: [{when: "has(data.name)", steps: [{wait_for: reply, id: answer}]}]
- {wait: P1D, id: second}
"""
CANCELLED = ASKING.replace("order.paid", "order.cancelled").replace("a_day", "one_day")


@pytest.fixture
async def clock(client: httpx.AsyncClient, database: Database, tenant_id: UUID) -> Clock:
    """A series that waits for a day."""
    await sending.publish(client)
    await flowing.publish(client, ASKING)
    made = Clock(database, tenant_id, UUID(await flowing.start(client)), now=datetime.now(UTC))
    await made.look()
    return made


async def hears(clock: Clock, kind: str, name: str | None = None) -> bool:
    """Tells whether a series keeps something that has heard too much already."""
    before = max((await clock.row()).heard, MOST_HEARD)
    await clock.change(heard=before)
    await clock.hears(kind, name)
    return (await clock.row()).heard > before


async def steered(client: httpx.AsyncClient, clock: Clock, way: str, **asked: Any) -> None:
    answer = await client.post(f"/v1/series/{clock.series_id}/{way}", json=asked)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("way", "asked"), [("skip", {}), ("run-again", {"step": "answer"})], ids=["past a step", "to a step"]
)
async def test_a_paused_one_waits_at_once_for_what_it_is_steered_to(
    client: httpx.AsyncClient, clock: Clock, way: str, asked: dict[str, str]
) -> None:
    await steered(client, clock, "pause")
    await steered(client, clock, way, **asked)
    assert (await client.get(f"/v1/series/{clock.series_id}")).json()["awaits"] == ["event:order.paid", "reply"]
    assert await hears(clock, "reply")
    assert await hears(clock, "event", "order.paid")


async def test_one_that_is_steered_with_many_others_does_so_too(
    client: httpx.AsyncClient, clock: Clock, database: Database
) -> None:
    await steered(client, clock, "pause")
    made = await operate(client, kind="skip", filter={"flow": "reminder"})
    assert await carry_out(database, clock.tenant_id, made) == 1
    assert (await clock.row()).step == "branch_1"
    assert await hears(clock, "reply")
    assert await hears(clock, "event", "order.paid")


async def test_what_ends_it_by_another_version_is_heard_before_it_looks(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    await flowing.publish(client, CANCELLED, mode="migrate", steps={"a_day": "one_day"})
    assert not await hears(clock, "event", "order.paid")
    assert await hears(clock, "event", "order.cancelled")
    assert (await clock.look()).ended == "stopped_by"


async def test_one_that_has_not_begun_hears_what_ends_it_by_another_version(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await flowing.publish(client, ASKING)
    clock = Clock(database, tenant_id, UUID(await flowing.start(client)), now=datetime.now(UTC))
    await flowing.publish(client, CANCELLED, mode="migrate")
    assert await hears(clock, "event", "order.cancelled")
