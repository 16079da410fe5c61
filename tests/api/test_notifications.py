"""Accepting notifications: once per key, judged at once, stored with its start."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select, text

from db.delivery_tables import notification
from db.outbox import CHANNEL
from db.session import Database
from db.tables import outbox
from sealing import KeyRing
from tests import factories
from tests.api import sending
from tests.api.sending import EMAIL, SMS

SOON = (datetime.now(UTC) + timedelta(days=1)).isoformat()
LATER = (datetime.now(UTC) + timedelta(days=2)).isoformat()
PAST = "2026-01-01T00:00:00Z"


async def _rows(database: Database, tenant_id: UUID) -> list[dict[str, Any]]:
    async with database.tenant(tenant_id) as connection:
        found = await connection.execute(select(notification).order_by(notification.c.id))
        return [dict(row) for row in found.mappings()]


async def _starts(database: Database, tenant_id: UUID) -> list[dict[str, Any]]:
    async with database.tenant(tenant_id) as connection:
        found = await connection.execute(select(outbox).order_by(outbox.c.id))
        return [dict(row) for row in found.mappings()]


async def test_a_notification_is_accepted_with_its_start(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await sending.publish(client)
    answer = await sending.post(
        client, "k 1", resource={"type": "invoice", "id": "7"}, trigger="invoice.due", send_at=SOON
    )
    assert answer.status_code == 202, answer.text
    accepted = answer.json()
    assert (accepted["status"], accepted["idempotency_key"]) == ("queued", "k 1")
    assert answer.headers["Location"] == f"/v1/notifications/{accepted['id']}"
    (row,) = await _rows(database, tenant_id)
    assert (str(row["id"]), row["to"], row["to_kind"], row["lane"], row["status"]) == (
        accepted["id"], "+919876543210", "phone", 1, "queued",
    )  # fmt: skip
    (start,) = await _starts(database, tenant_id)
    assert (start["kind"], start["lane"], start["workflow_id"]) == ("start", 1, f"notification/{accepted['id']}")
    assert start["payload"] == {
        "workflow": "notification",
        "input": {
            "tenant_id": str(tenant_id),
            "notification_id": accepted["id"],
            "send_at": datetime.fromisoformat(SOON).isoformat(),
            "expires_at": None,
        },
        "template": "hello",
        "resource": "invoice/7",
        "trigger": "invoice.due",
        "channel": None,
    }


async def test_everything_that_was_asked_for_is_stored_and_shown(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID, key_ring: KeyRing
) -> None:
    await sending.publish(client, SMS, EMAIL)
    account_id = await factories.make_account(
        database, tenant_id, key_ring, provider="smtp", channel="email", config={}, name="post"
    )
    asked: dict[str, Any] = {
        "channels": ["email", "sms"],
        "sender": "post",
        "locale": "hi_in",
        "resource": {"type": "invoice", "id": "10/42 a"},
        "trigger": "invoice.due",
        "metadata": {"run": "r1", "rate": 0.1},
        "attachments": [{"url": "https://example.org/a.pdf", "filename": "a.pdf", "content_type": "application/pdf"}],
        "expires_at": LATER,
        "send_at": SOON,
        "fallback": {"email": {"success": "delivered", "within": "PT10M", "after_unknown": True}, "sms": {"within": 5}},
        "on_unknown": "prefer_duplicate",
        "lane": "bulk",
    }
    shown = (
        await client.get(f"/v1/notifications/{await sending.send(client, to={'email': 'A@Example.ORG'}, **asked)}")
    ).json()
    same = ("channels", "resource", "trigger", "metadata", "attachments", "on_unknown", "lane")
    assert {name: shown[name] for name in same} == {name: asked[name] for name in same}
    assert (shown["to"], shown["sender"], shown["locale"]) == ({"email": "A@example.org"}, str(account_id), "hi-IN")
    assert shown["fallback"] == {
        "email": {"success": "delivered", "within": 600, "after_unknown": True},
        "sms": {"within": 5},
    }
    assert (shown["version"], shown["data"], shown["critical"], shown["messages"]) == (1, {"name": "Asha"}, False, [])


async def test_the_same_request_again_gets_the_first_answer(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await sending.publish(client)
    first = await sending.post(client, "k", metadata={"a": 1.50})
    again = await client.post(
        "/v1/notifications",
        content=b'{"metadata": {"a": 1.5}, "template": "hello", "critical": null, "data": {"name": "Asha"},'
        b' "to": {"phone": "+91 98765 43210"}}',
        headers={"Idempotency-Key": "k", "Content-Type": "application/json"},
    )
    assert (again.status_code, again.json()) == (202, first.json())
    assert "Idempotency-Replayed" not in first.headers
    assert (again.headers["Idempotency-Replayed"], again.headers["Location"]) == ("true", first.headers["Location"])
    assert len(await _rows(database, tenant_id)) == len(await _starts(database, tenant_id)) == 1


async def test_a_repetition_is_answered_even_when_it_would_no_longer_be_accepted(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID, app: FastAPI
) -> None:
    await sending.publish(client, SMS)
    first = await sending.post(client, "k", expires_at=SOON)
    app.state.services.lines.bound = 1
    async with database.tenant(tenant_id) as connection:
        await connection.execute(text("UPDATE template SET published_number = NULL"))
    again = await sending.post(client, "k", expires_at=SOON)
    assert (again.status_code, again.json()) == (202, first.json())


async def test_another_request_under_the_same_key_is_refused_with_both_hashes(client: httpx.AsyncClient) -> None:
    await sending.publish(client)
    await sending.send(client, "k")
    answer = await sending.post(client, "k", data={"name": "Ravi"})
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (422, "urn:carillon:problem:idempotency-mismatch")
    hashes = {problem["request_hash"], problem["original_request_hash"]}
    assert len(hashes) == 2
    assert all(len(bytes.fromhex(value)) == 32 for value in hashes)


async def _persistently(client: httpx.AsyncClient, key: str) -> httpx.Response:
    """Asks again when told to come back: fifty at once are more than there are connections."""
    while (answer := await sending.post(client, key)).status_code == httpx.codes.SERVICE_UNAVAILABLE:
        await asyncio.sleep(float(answer.headers["Retry-After"]))
    return answer


async def test_fifty_at_once_under_one_key_are_one_notification(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await sending.publish(client)
    answers = await asyncio.gather(*(_persistently(client, "same") for _ in range(50)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.text for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    assert len(await _rows(database, tenant_id)) == len(await _starts(database, tenant_id)) == 1


async def test_a_request_that_waits_too_long_for_its_twin_is_told_to_come_back(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await sending.publish(client)
    first = await sending.send(client, "other")
    async with database.tenant(tenant_id) as connection:
        copy = (await connection.execute(select(notification).where(notification.c.id == first))).mappings().one()
        twin = {**copy, "id": UUID(int=1), "idempotency_key": "k"}
        await connection.execute(notification.insert().values(twin))
        answer = await sending.post(client, "k")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:carillon:problem:idempotency-in-flight")
    assert answer.headers["Retry-After"] == "1"


async def test_keys_belong_to_their_tenant(client: httpx.AsyncClient, other_client: httpx.AsyncClient) -> None:
    for tenant in (client, other_client):
        await sending.publish(tenant)
    mine, theirs = [await sending.post(tenant, "k") for tenant in (client, other_client)]
    assert (mine.status_code, theirs.status_code) == (202, 202)
    assert mine.json()["id"] != theirs.json()["id"]
    assert "Idempotency-Replayed" not in theirs.headers


async def test_defaults_of_variables_are_stored_with_the_data(client: httpx.AsyncClient) -> None:
    variables = [{"name": "name", "required": False, "default": "friend"}]
    await sending.publish(client, variables=variables)
    shown = (await client.get(f"/v1/notifications/{await sending.send(client, data={})}")).json()
    assert shown["data"] == {"name": "friend"}


@pytest.mark.parametrize(
    ("defaults", "asked", "critical", "lane"),
    [
        ({}, {}, False, 1),
        ({}, {"lane": "bulk"}, False, 2),
        ({}, {"critical": True}, True, 0),
        ({"critical": True}, {}, True, 0),
        ({"critical": True}, {"critical": False}, False, 1),
        ({"critical": True}, {"lane": "bulk"}, False, 2),
    ],
)
async def test_the_lane_follows_from_the_request_and_the_template(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID,
    defaults: dict[str, Any], asked: dict[str, Any], critical: object, lane: int,
) -> None:  # fmt: skip
    await sending.publish(client, defaults=defaults)
    await sending.send(client, **asked)
    (row,) = await _rows(database, tenant_id)
    (start,) = await _starts(database, tenant_id)
    assert (row["critical"], row["lane"], start["lane"]) == (critical, lane, lane)


async def test_the_policy_for_doubt_is_the_templates_unless_said(client: httpx.AsyncClient) -> None:
    await sending.publish(client, defaults={"on_unknown": "prefer_duplicate"})
    default, said = await sending.send(client), await sending.send(client, on_unknown="prefer_silence")
    found = [(await client.get(f"/v1/notifications/{name}")).json()["on_unknown"] for name in (default, said)]
    assert found == ["prefer_duplicate", "prefer_silence"]


async def test_a_full_line_asks_to_come_back(
    client: httpx.AsyncClient, app: FastAPI, other_client: httpx.AsyncClient
) -> None:
    for tenant in (client, other_client):
        await sending.publish(tenant)
    app.state.services.lines.bound = 2
    answers = [await sending.post(client) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 429]
    assert answers[2].json()["type"] == "urn:carillon:problem:line-full"
    assert int(answers[2].headers["Retry-After"]) > 0
    again = await sending.post(client, answers[0].json()["idempotency_key"])
    assert (again.status_code, again.json()) == (202, answers[0].json())
    assert (await sending.post(other_client)).status_code == 202


@asynccontextmanager
async def _listening(database: Database) -> AsyncIterator[asyncio.Event]:
    heard = asyncio.Event()
    listener = await database.listener()
    await listener.add_listener(CHANNEL, lambda *_: heard.set())
    yield heard
    await listener.close()


async def test_dispatchers_are_woken_after_the_commit(client: httpx.AsyncClient, database: Database) -> None:
    await sending.publish(client)
    async with _listening(database) as heard:
        await asyncio.gather(*(sending.send(client) for _ in range(5)))
        async with asyncio.timeout(10):
            await heard.wait()


async def test_a_waker_that_lost_its_connection_opens_another(
    client: httpx.AsyncClient, database: Database, app: FastAPI
) -> None:
    await sending.publish(client)
    await sending.send(client)
    await app.state.services.background.finish()
    terminated = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'NOTIFY%' AND datname = :name"
    async with database.system() as connection:
        await connection.execute(text("SELECT set_config('role', 'none', true)"))
        name = (await connection.execute(text("SELECT current_database()"))).scalar_one()
        assert (await connection.execute(text(terminated), {"name": name})).scalars().all() == [True]
    async with _listening(database) as heard, asyncio.timeout(10):
        while not heard.is_set():
            await sending.send(client)
            await app.state.services.background.finish()


@pytest.mark.parametrize(("written", "seconds"), [("PT2H", 7200), ("2h", 7200), ("1d12h", 129_600), (90, 90)])
async def test_lengths_of_time_are_written_in_several_ways(
    client: httpx.AsyncClient, written: str | int, seconds: int
) -> None:
    await sending.publish(client)
    sent = await sending.send(client, fallback={"email": {"within": written}})
    shown = (await client.get(f"/v1/notifications/{sent}")).json()
    assert shown["fallback"]["email"]["within"] == seconds
