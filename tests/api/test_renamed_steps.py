"""Steps that another version calls otherwise: what came of them goes with the series that go over."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx

from db.session import Database
from providers.web_calls import Answer
from sealing import KeyRing
from tests.activities.series_clock import Clock
from tests.activities.test_series_calls import Service, call
from tests.api import flowing, sending

ROUNDS = """
name: reminder
steps:
- send: hello
  id: first
- repeat: [{wait: PT1H, id: an_hour}, {send: hello, id: again}]
  id: days
  every: P1D
  most: 5
"""
CALLS = """
name: reminder
steps:
- {call: "https://example.com/check", id: check}
- {send: hello, id: told}
"""


async def begun(client: httpx.AsyncClient, database: Database, tenant_id: UUID, text: str) -> Clock:
    await sending.publish(client)
    await flowing.publish(client, text)
    return Clock(database, tenant_id, UUID(await flowing.start(client)), now=datetime.now(UTC))


async def test_a_repetition_around_the_step_goes_on_with_its_round(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    clock = await begun(client, database, tenant_id, ROUNDS)
    await clock.look()
    clock.now += timedelta(days=1)
    await clock.look()
    before = await clock.row()
    assert (before.step, list(before.state["rounds"])) == ("an_hour", ["days"])
    following = ROUNDS.replace("days", "nights").replace("first", "opening")
    steps = {"days": "nights", "first": "opening"}
    await flowing.publish(client, following, mode="migrate", steps=steps)
    after = await clock.row()
    assert after.state["rounds"] == {"nights": before.state["rounds"]["days"]}
    assert after.state["outcomes"] == {
        steps.get(name, name): outcome for name, outcome in before.state["outcomes"].items()
    }
    assert "opening" in after.state["outcomes"]


async def test_a_step_that_is_there_still_keeps_what_came_of_it(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    clock = await begun(client, database, tenant_id, flowing.REMINDER)
    await clock.look()
    before = await clock.row()
    following = flowing.REMINDER + "- {send: hello, id: third}\n"
    await flowing.publish(client, following, mode="migrate", steps={"first": "third"})
    assert (await clock.row()).state["outcomes"] == before.state["outcomes"]


async def test_a_call_that_is_open_is_the_same_one_for_its_service(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID, key_ring: KeyRing
) -> None:
    clock = await begun(client, database, tenant_id, CALLS)
    assert (await clock.look()).call
    service = Service(Answer(status=200, body={}))

    async def rename() -> None:
        for old, new in (("check", "ask"), ("ask", "ask_them")):
            await flowing.publish(client, CALLS.replace("id: check", f"id: {new}"),
                                  mode="migrate", steps={old: new})  # fmt: skip

    service.meanwhile = rename
    await call(clock, service, key_ring)
    row = await clock.row()
    assert (row.step, row.state["asked_as"], list(row.state["outcomes"])) == ("told", None, ["ask_them"])
    assert len(service.asked) == 1
