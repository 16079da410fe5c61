"""The timeline tells everything that happened, in order, each with its reason in words."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
import uuid_utils.compat

from db import callbacks, decisions, series_replies
from db.callbacks import NewInbound
from db.session import Database
from domain.notifications import Decision, Ending, Outcome
from domain.reasons import SENTENCES, Reason
from domain.status import Status
from sealing import KeyRing
from tests import factories
from tests.api import deliveries, sending


@pytest.fixture
async def account_id(database: Database, tenant_id: UUID, key_ring: KeyRing) -> UUID:
    """An account that carries text messages."""
    return await factories.make_account(database, tenant_id, key_ring, provider="sandbox", channel="sms", config={})


async def _reply(database: Database, tenant_id: UUID, quotes: str) -> None:
    async with database.tenant(tenant_id) as connection:
        kept = await factories.keep_callback(connection, tenant_id, provider="sandbox", body=b"reply")
        inbound = NewInbound(
            id=uuid_utils.compat.uuid7(),
            callback_id=kept,
            provider="sandbox",
            event_key=f"reply to {quotes}",
            provider_message_id="in-1",
            sender="+15550100",
            author_kind="phone",
            author="+919876543210",
            author_name="Asha",
            kind="button",
            body="Yes",
            payload="accept:7",
            quotes=quotes,
            media_id=None,
            media_type=None,
            raw={},
            occurred_at=datetime.now(UTC),
        )
        await series_replies.tell(connection, tenant_id, await callbacks.add_inbound(connection, tenant_id, [inbound]))


async def _timeline(client: httpx.AsyncClient, name: UUID) -> list[dict[str, Any]]:
    answer = await client.get(f"/v1/notifications/{name}/timeline")
    assert answer.status_code == 200, answer.text
    assert (answer.json()["notification_id"], answer.json()["complete"]) == (str(name), True)
    entries: list[dict[str, Any]] = answer.json()["entries"]
    return entries


async def _eventful(client: httpx.AsyncClient, database: Database, tenant_id: UUID, account_id: UUID) -> UUID:
    """Sends something that is tried twice, reported on, answered, and sent again."""
    name = await sending.send(client, resource={"type": "invoice", "id": "7/8"})
    asked = deliveries.order(tenant_id, name, account_id)
    await deliveries.attempt(
        database, tenant_id, asked, Outcome.NOT_SENT, error_code="throttled", provider_code="130429", retry_after=5.0
    )
    until = datetime.now(UTC) + timedelta(seconds=5)
    noted = Decision(sequence=1, kind="retry", reason=Reason.RETRY_LATER, hop=0, until=until)
    async with database.tenant(tenant_id) as connection:
        await decisions.add(connection, tenant_id, {str(name): [noted]})
    second = deliveries.order(tenant_id, name, account_id, number=2)
    claimed = await deliveries.attempt(database, tenant_id, second, Outcome.ACCEPTED, provider_message_id="m1")
    for key, status in (("e1", Status.DELIVERED), ("e2", Status.SENT), ("e3", Status.READ)):
        await deliveries.receive(database, tenant_id, claimed, status, key=key, provider_message_id="m1")
    await _reply(database, tenant_id, "m1")
    async with database.tenant(tenant_id) as connection:
        ending = Ending(tenant_id=str(tenant_id), notification_id=str(name), status=Status.ACCEPTED)
        await decisions.end(connection, tenant_id, ending)
    return name


async def test_everything_that_happened_stands_in_order(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID, account_id: UUID
) -> None:
    await sending.publish(client)
    name = await _eventful(client, database, tenant_id, account_id)
    await client.post(f"/v1/notifications/{name}/resend", headers={"Idempotency-Key": "again"})
    entries = await _timeline(client, name)
    assert [entry["kind"] for entry in entries] == [
        "notification.accepted",
        "attempt.claimed",
        "attempt.not_sent",
        "decision.retry",
        "attempt.claimed",
        "attempt.accepted",
        "receipt.delivered",
        "receipt.sent",
        "receipt.read",
        "reply.received",
        "notification.ended",
        "notification.resent",
    ]
    assert [entry["at"] for entry in entries] == sorted(entry["at"] for entry in entries)
    receipts = [entry["detail"]["advanced"] for entry in entries if entry["kind"].startswith("receipt.")]
    assert receipts == [True, False, True]
    refused, retried, reply = entries[2], entries[3], entries[9]
    assert (refused["reason"], refused["detail"]["provider_code"], refused["detail"]["number"]) == (
        "throttled", "130429", 1,
    )  # fmt: skip
    assert refused["summary"].endswith(SENTENCES[Reason.THROTTLED])
    assert retried["reason_text"] == SENTENCES[Reason.RETRY_LATER]
    assert (entries[0]["reason"], entries[0]["reason_text"]) == (None, None)
    assert (reply["detail"]["text"], reply["detail"]["payload"]) == ("Yes", "accept:7")
    assert entries[4]["detail"]["reference"] == entries[5]["detail"]["reference"]


async def test_a_notification_shows_its_messages_and_attempts(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID, account_id: UUID
) -> None:
    await sending.publish(client)
    name = await _eventful(client, database, tenant_id, account_id)
    shown = (await client.get(f"/v1/notifications/{name}")).json()
    assert (shown["status"], shown["channel"], shown["external_id"]) == ("read", "sms", "m1")
    (message,) = shown["messages"]
    assert (message["status"], message["address"]) == ("read", {"phone": "+919876543210"})
    states = [(one["number"], one["state"], one["reason"]) for one in message["attempts"]]
    assert states == [(1, "not_sent", "throttled"), (2, "accepted", None)]


async def test_a_resource_unites_its_notifications_page_by_page(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID, account_id: UUID
) -> None:
    await sending.publish(client)
    names = [await _eventful(client, database, tenant_id, account_id) for _ in range(1)]
    names.append(await sending.send(client, resource={"type": "invoice", "id": "7/8"}))
    names.append(await sending.send(client, resource={"type": "invoice", "id": "9"}))
    pages: list[list[dict[str, Any]]] = []
    query: dict[str, Any] = {"limit": 5}
    while "cursor" not in query or query["cursor"]:
        answer = await client.get("/v1/resources/invoice/7%2F8/timeline", params=query)
        assert answer.status_code == 200, answer.text
        pages.append(answer.json()["data"])
        query["cursor"] = answer.json()["next_cursor"]
    entries = [entry for page in pages for entry in page]
    assert [len(page) for page in pages] == [5, 5, 2]
    assert [entry["at"] for entry in entries] == sorted((entry["at"] for entry in entries), reverse=True)
    of_first = [entry for entry in reversed(entries) if entry["notification_id"] == str(names[0])]
    assert [entry["kind"] for entry in of_first] == [entry["kind"] for entry in await _timeline(client, names[0])]
    assert {entry["notification_id"] for entry in entries} == {str(name) for name in names[:2]}


async def test_a_cancellation_stands_in_the_timeline(client: httpx.AsyncClient) -> None:
    await sending.publish(client)
    name = await sending.send(client)
    await client.post(f"/v1/notifications/{name}/cancel")
    entries = await _timeline(client, name)
    assert [entry["kind"] for entry in entries] == ["notification.accepted", "cancel.requested", "notification.ended"]
    assert (entries[2]["reason"], entries[2]["detail"]["status"]) == ("cancelled", "cancelled")
    assert entries[2]["summary"] == f"Ended as cancelled. {SENTENCES[Reason.CANCELLED]}"


async def test_every_reason_of_a_decision_is_told_in_words(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    version_id = await factories.make_version(database, tenant_id)
    name = await factories.make_notification(database, tenant_id, version_id, to="+15550100", to_kind="phone")
    told = [(reason, kind) for reason in Reason for kind in ("delayed", "retry", "fallback", "skipped", "doubt")]
    noted = [
        Decision(sequence=place, kind=kind, reason=reason, channel="email", until=datetime.now(UTC))
        for place, (reason, kind) in enumerate(told)
    ]
    async with database.tenant(tenant_id) as connection:
        await decisions.add(connection, tenant_id, {str(name): noted})
    entries = (await _timeline(client, name))[1:]
    assert sorted((entry["reason"], entry["kind"].removeprefix("decision.")) for entry in entries) == sorted(told)
    assert all(entry["summary"].endswith(SENTENCES[Reason(entry["reason"])]) for entry in entries)


async def test_moments_in_sentences_are_for_people(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    version_id = await factories.make_version(database, tenant_id)
    name = await factories.make_notification(database, tenant_id, version_id, to="+15550100", to_kind="phone")
    until = datetime(2026, 11, 21, 10, 18, 3, 250_000, tzinfo=UTC)
    async with database.tenant(tenant_id) as connection:
        noted = Decision(sequence=1, kind="delayed", reason=Reason.SCHEDULED, until=until)
        await decisions.add(connection, tenant_id, {str(name): [noted]})
    entry = (await _timeline(client, name))[1]
    assert entry["summary"] == f"Waits until 21 Nov 2026, 10:18:03 UTC. {SENTENCES[Reason.SCHEDULED]}"
    assert datetime.fromisoformat(entry["detail"]["until"]) == until


async def test_what_a_person_said_and_what_was_proven_stand_beside_the_doubt(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID, account_id: UUID
) -> None:
    await sending.publish(client)
    name = await sending.send(client)
    doubt: dict[str, Any] = {"outcome": Outcome.UNKNOWN, "error_code": "outcome_unknown"}
    first = await deliveries.attempt(database, tenant_id, deliveries.order(tenant_id, name, account_id), **doubt)
    said = {"outcome": "not_sent", "reason": "not in {their} log"}
    assert (await client.post(f"/v1/notifications/{name}/settle", json=said)).status_code == 200
    again = deliveries.order(tenant_id, name, account_id, number=2)
    second = await deliveries.attempt(database, tenant_id, again, **doubt)
    told = {entry["kind"]: entry for entry in await _timeline(client, name)}
    settled = told["decision.settled"]
    assert (settled["reason"], settled["detail"]["note"]) == ("settled_not_sent", "not in {their} log")
    assert "Attempt 1 over sms was settled by key:test key" in settled["summary"]
    assert "“not in {their} log”" in settled["summary"]
    assert (told["attempt.unknown"]["reason"], "attempt.not_sent" in told) == ("outcome_unknown", False)
    for number, one in enumerate((first, second)):
        await deliveries.receive(
            database, tenant_id, one, Status.SENT, key=f"k{number}", provider_message_id=f"m{number}"
        )
    entries = await _timeline(client, name)
    (duplicate,) = [entry for entry in entries if entry["kind"] == "decision.duplicate"]
    assert duplicate["summary"] == f"Attempts 1 and 2 over sms were all accepted. {duplicate['reason_text']}"
    assert [entry["detail"]["settled_by"] for entry in entries if entry["kind"] == "attempt.accepted"] == [
        "receipt"
    ] * 2


async def test_a_resource_that_nothing_is_about_has_an_empty_timeline(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/resources/invoice/1/timeline")
    assert answer.json() == {"data": [], "next_cursor": None}


async def test_there_is_no_timeline_of_nothing(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"/v1/notifications/{uuid_utils.compat.uuid7()}/timeline")
    assert answer.status_code == 404
