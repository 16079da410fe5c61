"""Series over HTTP where it gets hard: replaced, ended from outside, started with odd things, given other dates."""

import asyncio
from uuid import UUID

import httpx
import pytest

from db.session import Database
from tests.api import flowing, sending
from tests.api.test_series import DUE, INVOICE
from tests.api.test_series import _look as look


async def test_a_replaced_series_takes_back_what_it_handed_over(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await sending.publish(client)
    await flowing.publish(client)
    first = await flowing.start(client)
    clock = await look(database, tenant_id, first)
    (message,) = await clock.sent()
    await flowing.start(client, again="replace")
    assert (await client.get(f"/v1/notifications/{message['id']}")).json()["status"] == "cancelled"


async def test_what_ends_a_series_takes_back_what_it_handed_over(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await sending.publish(client)
    await flowing.publish(client)
    await flowing.tell(client, flowing.event())
    (series,) = (await client.get("/v1/series")).json()["data"]
    clock = await look(database, tenant_id, series["id"])
    (message,) = await clock.sent()
    await flowing.tell(client, flowing.event("order.paid"))
    assert (await clock.look()).ended == "stopped_by"
    assert (await client.get(f"/v1/notifications/{message['id']}")).json()["status"] == "cancelled"


async def test_one_key_of_a_request_is_one_start_whatever_the_flow(client: httpx.AsyncClient) -> None:
    await flowing.publish(client)
    await flowing.publish(client, flowing.REMINDER.replace("name: reminder", "name: other"), "other")
    named = {"Idempotency-Key": "start-1"}
    answers = await asyncio.gather(
        *(client.post("/v1/series", json=flowing.BODY | {"flow": one}, headers=named) for one in ("reminder", "other"))
    )
    assert sorted(answer.status_code for answer in answers) == [201, 422]


@pytest.mark.parametrize("order", [None, "", True, [1], "  "], ids=repr)
async def test_a_key_that_is_no_text_is_nobody_s(client: httpx.AsyncClient, order: object) -> None:
    await flowing.publish(client)
    body = {name: value for name, value in flowing.BODY.items() if name != "key"}
    answer = await client.post("/v1/series", json=body | {"event": {"data": {"order": order}}})
    assert answer.status_code == 422
    assert "gives no text" in answer.json()["detail"]


async def test_an_event_whose_type_is_no_text_starts_one_all_the_same(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await sending.publish(client)
    await flowing.publish(client)
    made = await flowing.start(client, event={"type": 5})
    clock = await look(database, tenant_id, made)
    assert [one["trigger_type"] for one in await clock.sent()] == [None]


async def test_a_date_that_a_new_version_counts_from_can_be_given(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await sending.publish(client)
    await flowing.publish(client)
    made = await flowing.start(client)
    await look(database, tenant_id, made)
    await flowing.publish(client, INVOICE, mode="migrate", steps={"a_day": "due"})
    clock = await look(database, tenant_id, made)
    assert (await clock.row()).reason == "anchor_missing"
    assert (await client.patch(f"/v1/series/{made}", json={"anchors": {"due_at": DUE}})).status_code == 200
    resumed = await client.post(f"/v1/series/{made}/resume")
    assert resumed.json()["status"] == "running"
    clock = await look(database, tenant_id, made)
    assert (await clock.row()).next_at is not None


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00"])
async def test_a_moment_outside_of_all_years_is_refused(client: httpx.AsyncClient, moment: str) -> None:
    await flowing.publish(client, INVOICE)
    answer = await client.post("/v1/series", json=flowing.BODY | {"anchors": {"due_at": moment}})
    assert answer.status_code == 422
