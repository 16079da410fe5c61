"""Sending again makes a new notification, and refuses where the first one may still arrive."""

from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, text, update

from db.delivery_tables import notification
from db.session import Database
from tests.api import sending


async def _ended(database: Database, tenant_id: UUID, name: UUID, status: str = "failed") -> None:
    async with database.tenant(tenant_id) as connection:
        statement = update(notification).where(notification.c.id == name)
        await connection.execute(statement.values(status=status, ended_at=func.now()))


async def _resend(client: httpx.AsyncClient, name: UUID, key: str = "again", **body: Any) -> httpx.Response:
    return await client.post(f"/v1/notifications/{name}/resend", json=body or None, headers={"Idempotency-Key": key})


async def test_the_new_one_is_like_the_original_and_remembers_it(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await sending.publish(client, sending.SMS, sending.EMAIL)
    file = {"file": ("a.txt", b"hello", "text/plain")}
    upload = (await client.post("/v1/uploads", files=file)).json()
    asked: dict[str, Any] = {
        "channels": ["sms", "email"],
        "resource": {"type": "invoice", "id": "7"},
        "trigger": "invoice.due",
        "metadata": {"a": 0.5},
        "attachments": [{"upload_id": upload["id"]}, {"url": "https://example.org/a.pdf"}],
        "fallback": {"sms": {"within": 5, "after_unknown": True}},
        "on_unknown": "prefer_duplicate",
        "lane": "bulk",
    }
    original = await sending.send(client, **asked)
    await _ended(database, tenant_id, original)
    answer = await _resend(client, original)
    assert answer.status_code == 202, answer.text
    first, second = [(await client.get(f"/v1/notifications/{name}")).json() for name in (original, answer.json()["id"])]
    assert second["original_notification_id"] == str(original)
    same = (*asked, "to", "template", "data", "critical", "locale", "sender")
    assert {name: second[name] for name in same} == {name: first[name] for name in same}
    assert (second["status"], second["idempotency_key"]) == ("queued", "again")
    found = (await client.get(f"/v1/notifications?original_notification_id={original}")).json()["data"]
    assert [row["id"] for row in found] == [second["id"]]
    (entry,) = (await client.get("/v1/audit?action=notification.resent")).json()["data"]
    assert (entry["subject_id"], entry["detail"]["notification_id"]) == (str(original), second["id"])


async def test_what_is_said_replaces_what_was(client: httpx.AsyncClient, database: Database, tenant_id: UUID) -> None:
    await sending.publish(client, sending.SMS, sending.EMAIL)
    original = await sending.send(client, critical=True)
    await _ended(database, tenant_id, original)
    changes: dict[str, Any] = {"to": {"email": "asha@example.org"}, "channels": ["email"], "data": {"name": "Ravi"}}
    answer = await _resend(client, original, **changes)
    shown = (await client.get(f"/v1/notifications/{answer.json()['id']}")).json()
    assert {name: shown[name] for name in changes} == changes
    assert (shown["critical"], shown["lane"]) == (True, "critical")
    refused = await _resend(client, original, "third", data={})
    assert refused.json()["errors"][0]["pointer"] == "/data/name"


async def test_the_same_resend_again_sends_nothing_more(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await sending.publish(client)
    original = await sending.send(client)
    await _ended(database, tenant_id, original)
    first, again, other = [
        await _resend(client, original),
        await _resend(client, original),
        await _resend(client, original, data={"name": "Ravi"}),
    ]
    assert (again.json(), again.headers["Idempotency-Replayed"]) == (first.json(), "true")
    assert (other.status_code, other.json()["type"]) == (422, "urn:carillon:problem:idempotency-mismatch")
    assert len((await client.get("/v1/audit?action=notification.resent")).json()["data"]) == 1


@pytest.mark.parametrize("status", ["queued", "accepted", "sent"])
async def test_what_is_on_its_way_is_not_sent_again(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID, status: str
) -> None:
    await sending.publish(client)
    original = await sending.send(client)
    async with database.tenant(tenant_id) as connection:
        await connection.execute(update(notification).values(status=status))
    answer = await _resend(client, original)
    assert (answer.status_code, answer.json()["type"], answer.json()["state"]) == (
        409, "urn:carillon:problem:wrong-state", status,
    )  # fmt: skip


async def test_doubt_is_only_sent_again_by_force(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await sending.publish(client)
    original = await sending.send(client)
    await _ended(database, tenant_id, original, "unknown")
    answer = await _resend(client, original)
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:carillon:problem:outcome-unknown")
    assert (await _resend(client, original, force=True)).status_code == 202
    (entry,) = (await client.get("/v1/audit?action=notification.resent")).json()["data"]
    assert entry["detail"]["forced"] is True


async def test_the_published_version_is_sent(client: httpx.AsyncClient, database: Database, tenant_id: UUID) -> None:
    await sending.publish(client)
    original = await sending.send(client)
    await _ended(database, tenant_id, original)
    await sending.add_version(client, sending.SMS, sending.EMAIL)
    await client.post("/v1/templates/hello/versions/2/publish")
    again = (await _resend(client, original)).json()["id"]
    assert [(await client.get(f"/v1/notifications/{name}")).json()["version"] for name in (original, again)] == [1, 2]


async def test_what_could_not_be_asked_for_today_is_not_sent_again(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await sending.publish(client)
    original = await sending.send(client)
    await _ended(database, tenant_id, original)
    async with database.tenant(tenant_id) as connection:
        await connection.execute(text("UPDATE notification SET trigger_type = 'not a trigger'"))
    answer = await _resend(client, original)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/trigger")


async def test_a_resend_needs_a_key_and_an_original(client: httpx.AsyncClient) -> None:
    missing = UUID("0199b0c0-0000-7000-8000-000000000000")
    assert (await _resend(client, missing)).status_code == 404
    assert (await client.post(f"/v1/notifications/{missing}/resend")).status_code == 422
