"""Finding notifications: every filter alone, all of them together, page by page."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import update

from db.delivery_tables import notification
from db.session import Database
from tests.api import sending


async def _found(client: httpx.AsyncClient, **query: Any) -> list[str]:
    answer = await client.get("/v1/notifications", params=query)
    assert answer.status_code == 200, answer.text
    return [row["idempotency_key"] for row in answer.json()["data"]]


@pytest.fixture
async def sent(client: httpx.AsyncClient, database: Database, tenant_id: UUID) -> dict[str, UUID]:
    """Three notifications: `a` about an invoice, `b` about a run, `c` to a recipient, delivered."""
    await sending.publish(client, sending.SMS, sending.EMAIL)
    await sending.publish(client, sending.EMAIL, name="other")
    await client.put("/v1/recipients/asha", json={"name": "Asha"})
    names = {
        "a": await sending.send(
            client, "a", resource={"type": "invoice", "id": "7"}, trigger="invoice.due", metadata={"run": "5", "n": 1}
        ),
        "b": await sending.send(
            client, "b", resource={"type": "run", "id": "7"}, trigger="invoice_x.due", metadata={"run": 5}
        ),
        "c": await sending.send(client, "c", to={"recipient": "asha"}, template="other", metadata={"vip": True}),
    }
    async with database.tenant(tenant_id) as connection:
        statement = update(notification).where(notification.c.id == names["c"])
        await connection.execute(statement.values(status="delivered", channel="email"))
    return names


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, "cba"),
        ({"resource_type": "invoice", "resource_id": "7"}, "a"),
        ({"resource_id": "7"}, "ba"),
        ({"trigger": "invoice.due"}, "a"),
        ({"trigger": "invoice.*"}, "a"),
        ({"trigger": "invoice*"}, "ba"),
        ({"trigger": "invoice_*"}, "b"),
        ({"recipient": "asha"}, "c"),
        ({"recipient": "nobody"}, ""),
        ({"to": "+91 98765-43210"}, "ba"),
        ({"to": "asha"}, "c"),
        ({"status": "delivered"}, "c"),
        ({"status": ["delivered", "queued"]}, "cba"),
        ({"channel": "email"}, "c"),
        ({"channel": "sms"}, ""),
        ({"template": "hello"}, "ba"),
        ({"idempotency_key": "b"}, "b"),
        ({"metadata.run": "5"}, "ba"),
        ({"metadata.run": "5", "metadata.n": "1"}, "a"),
        ({"metadata.vip": "true"}, "c"),
        ({"metadata.none": "5"}, ""),
        ({"template": "hello", "status": "delivered"}, ""),
    ],
    ids=str,
)
async def test_each_filter_finds_what_it_names(
    client: httpx.AsyncClient, sent: dict[str, UUID], query: dict[str, Any], expected: str
) -> None:
    assert await _found(client, **query) == list(expected)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param("true", ["c", "a"], id="for whichever cause"),
        pytest.param("misconfigured", ["a"], id="for one cause"),
        pytest.param("daily_cap", [], id="for a cause that nothing is parked for"),
    ],
)
async def test_what_is_parked_is_found_by_its_cause(
    client: httpx.AsyncClient,
    sent: dict[str, UUID],
    database: Database,
    tenant_id: UUID,
    query: str,
    expected: list[str],
) -> None:
    async with database.tenant(tenant_id) as connection:
        for name, cause in (("a", "misconfigured"), ("c", "template_unavailable")):
            parked = {"parked_at": datetime.now(UTC), "parked_cause": cause}
            await connection.execute(update(notification).where(notification.c.id == sent[name]).values(**parked))
    assert await _found(client, parked=query) == expected


async def test_what_keeps_a_notification_is_shown_in_words(
    client: httpx.AsyncClient, sent: dict[str, UUID], database: Database, tenant_id: UUID
) -> None:
    assert (await client.get(f"/v1/notifications/{sent['a']}")).json()["parked"] is None
    since, account = datetime(2026, 1, 31, 8, tzinfo=UTC), uuid4()
    fields = {"parked_at": since, "parked_cause": "misconfigured", "parked_account_id": account}
    async with database.tenant(tenant_id) as connection:
        await connection.execute(update(notification).where(notification.c.id == sent["a"]).values(**fields))
    assert (await client.get(f"/v1/notifications/{sent['a']}")).json()["parked"] == {
        "at": "2026-01-31T08:00:00Z",
        "cause": "misconfigured",
        "sentence": "The account's credentials or permissions do not work; verify the account.",
        "account": str(account),
    }


async def test_a_cause_that_is_none_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/notifications", params={"parked": "sideways"})
    assert answer.status_code == 422


async def test_times_of_creation_bound_the_list(client: httpx.AsyncClient, sent: dict[str, UUID]) -> None:
    at = (await client.get(f"/v1/notifications/{sent['b']}")).json()["created_at"]
    assert await _found(client, created_after=at) == ["c", "b"]
    assert await _found(client, created_before=at) == ["a"]
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    assert await _found(client, created_after=tomorrow) == []
    assert await _found(client, created_before=tomorrow, created_after="1969-01-01T00:00:00Z") == ["c", "b", "a"]


async def test_pages_follow_each_other_without_gaps(client: httpx.AsyncClient, sent: dict[str, UUID]) -> None:
    query: dict[str, Any] = {"limit": 2}
    pages = []
    while True:
        answer = (await client.get("/v1/notifications", params=query)).json()
        pages.append([row["idempotency_key"] for row in answer["data"]])
        if answer["next_cursor"] is None:
            break
        await sending.send(client)  # what is added meanwhile moves nothing
        query["cursor"] = answer["next_cursor"]
    assert pages == [["c", "b"], ["a"]]


@pytest.mark.parametrize(
    "query", [{"status": "sending"}, {"channel": "fax"}, {"created_after": "yesterday"}, {"limit": 201}], ids=str
)
async def test_a_filter_that_means_nothing_is_refused(client: httpx.AsyncClient, query: dict[str, Any]) -> None:
    answer = await client.get("/v1/notifications", params=query)
    assert (answer.status_code, answer.json()["errors"][0]["in"]) == (422, "query")


async def test_what_others_sent_is_not_found(other_client: httpx.AsyncClient, sent: dict[str, UUID]) -> None:
    assert await _found(other_client) == []
    assert await _found(other_client, idempotency_key="a") == []
