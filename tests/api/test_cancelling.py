"""Cancelling tells the fact, whoever was quicker: a claim, a cancellation, or a request that comes afterwards."""

import asyncio
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select, text

from db import acceptance
from db.delivery_tables import notification
from db.session import Database
from db.tables import outbox
from domain.notifications import Outcome
from domain.reasons import Reason
from sealing import KeyRing
from tests import factories
from tests.api import deliveries, sending
from tests.locks import waits_for_a_lock


@pytest.fixture
async def account_id(database: Database, tenant_id: UUID, key_ring: KeyRing) -> UUID:
    """An account that carries text messages."""
    return await factories.make_account(database, tenant_id, key_ring, provider="sandbox", channel="sms", config={})


async def _cancel(client: httpx.AsyncClient, name: UUID) -> dict[str, Any]:
    answer = await client.post(f"/v1/notifications/{name}/cancel")
    assert answer.status_code == 200, answer.text
    fact: dict[str, Any] = answer.json()
    return fact


async def _signals(database: Database, tenant_id: UUID) -> list[str]:
    async with database.tenant(tenant_id) as connection:
        rows = await connection.execute(select(outbox.c.workflow_id).where(outbox.c.kind == "signal"))
        return list(rows.scalars())


async def test_what_nobody_attempted_is_stopped(client: httpx.AsyncClient, database: Database, tenant_id: UUID) -> None:
    await sending.publish(client)
    name = await sending.send(client)
    first, again = await _cancel(client, name), await _cancel(client, name)
    assert first == again
    assert first == {
        "result": "stopped",
        "notification_id": str(name),
        "status": "cancelled",
        "reason": "cancelled",
        "message": None,
        "stopped_remaining": True,
    }
    assert await _signals(database, tenant_id) == [f"notification/{name}"]
    shown = (await client.get(f"/v1/notifications/{name}")).json()
    assert (shown["status"], shown["reason"]) == ("cancelled", "cancelled")
    assert shown["cancel_requested_at"] == shown["ended_at"]
    entries = (await client.get("/v1/audit?action=notification.cancelled")).json()["data"]
    assert [entry["subject_id"] for entry in entries] == [str(name)]


async def test_a_claim_that_was_quicker_is_told(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID, account_id: UUID
) -> None:
    await sending.publish(client)
    name = await sending.send(client)
    async with database.tenant(tenant_id) as connection:
        claimed = await deliveries.claim(connection, tenant_id, deliveries.order(tenant_id, name, account_id))
        cancelling = asyncio.create_task(_cancel(client, name))
        await waits_for_a_lock(database)
        assert not cancelling.done()
    fact = await cancelling
    assert claimed is not None
    assert (fact["result"], fact["stopped_remaining"], fact["status"]) == ("too_late", True, "queued")
    assert (fact["message"]["id"], fact["message"]["channel"]) == (str(claimed.message_id), "sms")
    assert fact["message"]["accepted_at"] is None
    assert await _signals(database, tenant_id) == [f"notification/{name}"]


async def test_a_claim_that_comes_later_finds_the_cancellation(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID, account_id: UUID
) -> None:
    await sending.publish(client)
    name = await sending.send(client)
    async with database.tenant(tenant_id) as connection:
        query = select(notification.c.id).where(notification.c.id == name)
        await connection.execute(query.with_for_update(key_share=True))
        cancelling = asyncio.create_task(_cancel(client, name))
        await waits_for_a_lock(database)
    assert (await cancelling)["result"] == "stopped"
    async with database.tenant(tenant_id) as connection:
        assert await deliveries.claim(connection, tenant_id, deliveries.order(tenant_id, name, account_id)) is None


@pytest.mark.parametrize("round_number", range(5))
async def test_a_claim_and_a_cancellation_at_once_never_both_win(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID, account_id: UUID, round_number: int
) -> None:
    await sending.publish(client)
    name = await sending.send(client)

    async def claim() -> bool:
        async with database.tenant(tenant_id) as connection:
            asked = deliveries.order(tenant_id, name, account_id)
            return await deliveries.claim(connection, tenant_id, asked) is not None

    claimed, fact = await asyncio.gather(claim(), _cancel(client, name))
    assert (fact["result"] == "too_late") == claimed


@pytest.mark.parametrize(
    ("outcome", "result", "status"),
    [
        (Outcome.ACCEPTED, "too_late", "accepted"),
        (Outcome.UNKNOWN, "too_late", "unknown"),
        (Outcome.NOT_SENT, "stopped", "cancelled"),
        (Outcome.REFUSED, "stopped", "cancelled"),
    ],
)
async def test_only_what_a_provider_may_have_taken_is_too_late(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID, account_id: UUID,
    outcome: Outcome, result: str, status: str,
) -> None:  # fmt: skip
    await sending.publish(client)
    name = await sending.send(client)
    await deliveries.attempt(database, tenant_id, deliveries.order(tenant_id, name, account_id), outcome)
    fact = await _cancel(client, name)
    assert (fact["result"], fact["status"]) == (result, status)
    assert (fact["message"] is not None) == (result == "too_late")


async def test_what_ended_without_being_sent_is_told_as_it_is(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await sending.publish(client)
    name = await sending.send(client)
    values = {"status": "rejected", "reason": Reason.NO_ACCOUNT.value, "ended_at": text("now()")}
    async with database.tenant(tenant_id) as connection:
        await connection.execute(notification.update().values(values))
    fact = await _cancel(client, name)
    assert (fact["result"], fact["status"], fact["reason"]) == ("ended", "rejected", "no_account")
    assert await _signals(database, tenant_id) == []


async def test_a_key_cancels_like_an_id(client: httpx.AsyncClient) -> None:
    await sending.publish(client)
    name = await sending.send(client, "k")
    answer = await client.post("/v1/notifications/cancel", json={"idempotency_key": "k"})
    assert (answer.json()["result"], answer.json()["notification_id"]) == ("stopped", str(name))
    assert answer.json() == await _cancel(client, name)


async def test_a_cancellation_before_the_request_stops_it(
    client: httpx.AsyncClient, other_client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    for tenant in (client, other_client):
        await sending.publish(tenant)
    body = {"idempotency_key": "k"}
    facts = [(await client.post("/v1/notifications/cancel", json=body)).json() for _ in range(2)]
    assert facts[0] == facts[1]
    assert (facts[0]["result"], facts[0]["notification_id"]) == ("stopped", None)
    for _ in range(2):
        answer = await sending.post(client, "k")
        assert (answer.status_code, answer.json()["type"]) == (409, "urn:carillon:problem:cancelled-before-start")
    async with database.tenant(tenant_id) as connection:
        assert (await connection.execute(select(outbox.c.id))).all() == []
    assert (await sending.post(other_client, "k")).status_code == 202


async def test_a_cancellation_waits_for_the_request_that_is_being_accepted(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await sending.publish(client)

    async def both(key: str) -> tuple[httpx.Response, dict[str, Any]]:
        cancelling = client.post("/v1/notifications/cancel", json={"idempotency_key": key})
        accepted, cancelled = await asyncio.gather(sending.post(client, key), cancelling)
        return accepted, cancelled.json()

    for accepted, fact in await asyncio.gather(*(both(f"k{n}") for n in range(8))):
        assert fact["result"] == "stopped"
        if accepted.status_code == 202:
            assert fact["notification_id"] == accepted.json()["id"]
        else:
            assert (accepted.status_code, fact["notification_id"]) == (409, None)
    async with database.tenant(tenant_id) as connection:
        statuses = (await connection.execute(select(notification.c.status))).scalars().all()
    assert set(statuses) <= {"cancelled"}


async def test_a_cancellation_that_waits_too_long_is_told_to_come_back(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:

    reference = acceptance.Reference(key="k", template="hello")
    async with database.tenant(tenant_id) as connection:
        await acceptance.look_up(connection, tenant_id, [reference], patience=1)
        answer = await client.post("/v1/notifications/cancel", json={"idempotency_key": "k"})
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:carillon:problem:idempotency-in-flight")


async def test_nobody_cancels_what_does_not_exist(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/notifications/0199b0c0-0000-7000-8000-000000000000/cancel")
    assert answer.status_code == 404
