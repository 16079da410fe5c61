"""Many notifications at once: each has its own result, and all good ones are accepted together."""

import asyncio
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select

from db.delivery_tables import notification
from db.session import Database
from db.tables import outbox
from tests.api import sending
from tests.api.sending import BODY


def _item(key: str, **changes: Any) -> dict[str, Any]:
    return BODY | {"idempotency_key": key} | changes


async def _send(client: httpx.AsyncClient, *items: Any) -> dict[str, Any]:
    answer = await client.post("/v1/notifications/bulk", json={"items": list(items)})
    assert answer.status_code == 200, answer.text
    results: dict[str, Any] = answer.json()
    return results


async def test_each_item_has_its_own_result(client: httpx.AsyncClient, database: Database, tenant_id: UUID) -> None:
    await sending.publish(client)
    before = await sending.send(client, "sent")
    await client.post("/v1/notifications/cancel", json={"idempotency_key": "buried"})
    answer = await _send(
        client,
        _item("a"),
        _item("sent"),
        _item("b", data={}),
        _item("sent", data={"name": "Ravi"}),
        _item("buried"),
        _item("c", to={"phone": "12"}),
        _item("d", to={"recipient": "nobody"}),
        {"idempotency_key": "e"},
        "no item",
        _item("f", critical=True),
    )
    found = [(result["index"], result["status"]) for result in answer["results"]]
    expected = ["accepted", "replayed", *["rejected"] * 7, "accepted"]
    assert found == list(enumerate(expected))
    assert (answer["accepted"], answer["replayed"], answer["rejected"]) == (2, 1, 7)
    assert answer["results"][1]["id"] == str(before)
    kinds = [result["problem"]["type"].rpartition(":")[2] for result in answer["results"][2:9]]
    assert kinds == [
        "validation-failed", "idempotency-mismatch", "cancelled-before-start", "validation-failed",
        "unknown-recipient", "validation-failed", "validation-failed",
    ]  # fmt: skip
    assert answer["results"][2]["problem"]["errors"][0]["pointer"] == "/data/name"
    assert answer["results"][5]["problem"]["errors"][0]["pointer"] == "/to/phone"
    async with database.tenant(tenant_id) as connection:
        rows = await connection.execute(select(notification.c.idempotency_key, notification.c.lane))
        assert {row.idempotency_key: row.lane for row in rows} == {"sent": 1, "a": 2, "f": 0}
        assert (await connection.execute(select(func.count()).select_from(outbox))).scalar_one() == 3


async def test_a_key_that_stands_twice_is_accepted_once(client: httpx.AsyncClient) -> None:
    await sending.publish(client)
    answer = await _send(client, _item("k"), _item("k"), _item("k", data={"name": "Ravi"}))
    assert [result["status"] for result in answer["results"]] == ["accepted", "replayed", "rejected"]
    assert answer["results"][0]["id"] == answer["results"][1]["id"]


async def test_an_item_is_the_same_request_as_a_single_one(client: httpx.AsyncClient) -> None:
    await sending.publish(client)
    answer = await _send(client, _item("k"))
    single = await sending.post(client, "k")
    assert (single.headers["Idempotency-Replayed"], single.json()["id"]) == ("true", answer["results"][0]["id"])


async def test_a_thousand_are_accepted_and_repeated(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await sending.publish(client)
    items = [_item(f"k{number}") for number in range(1000)]
    first = await _send(client, *items)
    again = await _send(client, *items)
    assert (first["accepted"], again["replayed"]) == (1000, 1000)
    assert [result["id"] for result in first["results"]] == [result["id"] for result in again["results"]]
    async with database.tenant(tenant_id) as connection:
        assert (await connection.execute(select(func.count()).select_from(outbox))).scalar_one() == 1000


async def test_requests_with_the_same_items_in_another_order_do_not_block_each_other(
    client: httpx.AsyncClient,
) -> None:
    await sending.publish(client)
    items = [_item(f"k{number}") for number in range(100)]
    answers = await asyncio.gather(*(_send(client, *order) for order in (items, items[::-1], items, items[::-1])))
    assert sum(answer["accepted"] for answer in answers) == 100
    assert sum(answer["replayed"] for answer in answers) == 300


@pytest.mark.parametrize(
    ("body", "pointer"),
    [({"items": []}, "/items"), ({"items": [BODY] * 1001}, "/items"), ({}, "/items"), ({"items": 1}, "/items")],
    ids=["no items", "too many", "nothing", "no list"],
)
async def test_a_request_that_is_no_list_of_items_is_refused(
    client: httpx.AsyncClient, body: dict[str, Any], pointer: str
) -> None:
    answer = await client.post("/v1/notifications/bulk", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)


async def test_a_full_line_refuses_the_whole_request(client: httpx.AsyncClient, app: FastAPI) -> None:
    await sending.publish(client)
    app.state.services.lines.bound = 3
    await _send(client, *(_item(f"k{number}") for number in range(5)))
    answer = await client.post("/v1/notifications/bulk", json={"items": [_item("late")]})
    assert (answer.status_code, answer.json()["type"]) == (429, "urn:carillon:problem:line-full")
