"""Replies that may mean several series wait for a person, who gives each to one of them or to none."""

from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import update

from db.series_tables import series
from db.session import Database
from domain.series import MOST_HEARD_BYTES
from tests.activities.series_clock import Clock
from tests.api import flowing, sending
from tests.api.asking import ASKING, ask_twice
from tests.api.reply_rows import says


@pytest.fixture
async def two(client: httpx.AsyncClient, database: Database, tenant_id: UUID) -> list[str]:
    """Two series that wait for an answer of the same person."""
    return await ask_twice(client, database, tenant_id)


async def _held(client: httpx.AsyncClient, **asked: str) -> list[dict[str, Any]]:
    answer = await client.get("/v1/held-replies", params=asked)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


async def _timeline(client: httpx.AsyncClient, series_id: str) -> list[str]:
    return [line["kind"] for line in (await client.get(f"/v1/series/{series_id}/timeline")).json()["data"]]


async def test_a_reply_is_given_to_the_series_that_it_means(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID, two: list[str]
) -> None:
    await says(database, tenant_id, body="Yes, at ten")
    (held,) = await _held(client, state="open")
    assert (held["text"], held["reason"], held["author"]) == ("Yes, at ten", "several", {"phone": "+919876543210"})
    assert {one["id"] for one in held["candidates"]} == set(two)
    answer = await client.post(
        f"/v1/held-replies/{held['id']}/give", json={"series_id": two[1], "reason": "the second"}
    )
    assert (answer.json()["state"], answer.json()["series_id"]) == ("given", two[1])
    for name in two:
        await Clock(database, tenant_id, UUID(name)).look()
    assert (await client.get(f"/v1/series/{two[1]}")).json()["status"] == "completed"
    assert (await client.get(f"/v1/series/{two[0]}")).json()["status"] == "running"
    assert await _held(client, state="open") == []


async def test_what_was_settled_stays_so(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID, two: list[str]
) -> None:
    await says(database, tenant_id)
    (held,) = await _held(client)
    dismissed = await client.post(f"/v1/held-replies/{held['id']}/dismiss", json={"reason": "said on the phone"})
    assert dismissed.json()["settled_reason"] == "said on the phone"
    again = await client.post(f"/v1/held-replies/{held['id']}/give", json={"series_id": two[0]})
    assert (again.status_code, again.json()["state"]) == (409, "dismissed")
    actions = [row["action"] for row in (await client.get("/v1/audit")).json()["data"]]
    assert "reply.dismissed" in actions


async def test_a_series_that_is_over_hears_nothing_and_the_reply_stays_open(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID, two: list[str]
) -> None:
    await says(database, tenant_id)
    (held,) = await _held(client)
    await client.post(f"/v1/series/{two[0]}/stop")
    answer = await client.post(f"/v1/held-replies/{held['id']}/give", json={"series_id": two[0]})
    assert (answer.status_code, answer.json()["state"]) == (409, "stopped")
    assert [one["state"] for one in await _held(client)] == ["open"]
    standing = {one["id"]: one["status"] for one in (await _held(client))[0]["candidates"]}
    assert standing == {two[0]: "stopped", two[1]: "running"}


async def test_a_series_that_heard_too_much_is_full_not_over(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID, two: list[str]
) -> None:
    await flowing.publish(client)
    asleep = await flowing.start(client)
    await Clock(database, tenant_id, UUID(asleep)).look()
    await says(database, tenant_id)
    (held,) = await _held(client)
    async with database.tenant(tenant_id) as connection:
        await connection.execute(update(series).values(heard_bytes=MOST_HEARD_BYTES - 10))
    answer = await client.post(f"/v1/held-replies/{held['id']}/give", json={"series_id": asleep})
    assert (answer.status_code, answer.json()["state"]) == (409, "full")
    assert "4 MiB" in answer.json()["detail"]
    waiting = await client.post(f"/v1/held-replies/{held['id']}/give", json={"series_id": two[0]})
    assert waiting.json()["state"] == "given"


async def test_only_a_series_can_be_given_a_reply(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID, two: list[str]
) -> None:
    await says(database, tenant_id)
    (held,) = await _held(client, author="+91 98765 43210")
    answer = await client.post(f"/v1/held-replies/{held['id']}/give", json={"series_id": str(UUID(int=5))})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/series_id")
    assert await _held(client, author="+15550100") == []


async def test_a_reply_shows_on_the_notification_that_it_answers(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await sending.publish(client)
    await flowing.publish(client, ASKING, "asking")
    series_id = await flowing.start(client, flow="asking")
    clock = Clock(database, tenant_id, UUID(series_id))
    await clock.look()
    (sent,) = await clock.sent()
    assert (await client.get("/v1/notifications", params={"answered": "true"})).json()["data"] == []
    await clock.accepted(sent["id"])
    await says(database, tenant_id)
    (shown,) = (await client.get("/v1/notifications", params={"answered": "true"})).json()["data"]
    assert (shown["id"], shown["acted_on"]) == (str(sent["id"]), None)
    assert shown["replied_at"] is not None
    assert (await client.get("/v1/notifications", params={"acted_on": "accept"})).json()["data"] == []
