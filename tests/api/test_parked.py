"""What is parked, over HTTP: counted first, then resumed or dropped, and every word of it kept."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select, update

from db.care_tables import circuit
from db.delivery_tables import notification
from db.session import Database
from db.tables import outbox
from sealing import KeyRing
from tests import factories
from tests.api import sending

SINCE = datetime(2026, 1, 31, 8, tzinfo=UTC)
Park = Callable[..., Awaitable[UUID]]


@pytest.fixture
async def park(client: httpx.AsyncClient, database: Database, tenant_id: UUID) -> Park:
    """Parks a new notification: `await park(cause="daily_cap")`."""
    await sending.publish(client)

    async def make(cause: str = "misconfigured", *, at: datetime = SINCE, **values: Any) -> UUID:
        asked = {name: values.pop(name) for name in ("resource", "trigger") if name in values}
        name = await sending.send(client, **asked)
        parked = {"parked_at": at, "parked_cause": cause, **values}
        async with database.tenant(tenant_id) as connection:
            await connection.execute(update(notification).where(notification.c.id == name).values(**parked))
        return name

    return make


@pytest.fixture
async def account_id(database: Database, tenant_id: UUID, key_ring: KeyRing) -> UUID:
    """An account whose circuit is open."""
    made = await factories.make_account(
        database, tenant_id, key_ring, provider="sandbox", channel="sms", config={}, name="Texts"
    )
    opened = {"state": "open", "cause": "misconfigured", "episode": 1, "opened_at": SINCE}
    await factories.insert(database, tenant_id, circuit, subject=f"account/{made}", account_id=made, **opened)
    return made


async def post(client: httpx.AsyncClient, path: str, status: int = 202, /, **body: Any) -> Any:
    query = {"dry_run": "true"} if body.pop("dry_run", False) else {}
    answer = await client.post(path, json=body, params=query)
    assert answer.status_code == status, answer.text
    return answer.json()


async def get(client: httpx.AsyncClient, path: str, **query: Any) -> Any:
    answer = await client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def signals(database: Database, tenant_id: UUID) -> list[tuple[str, str]]:
    async with database.tenant(tenant_id) as connection:
        rows = await connection.execute(select(outbox).where(outbox.c.kind == "signal").order_by(outbox.c.id))
        return [(row["workflow_id"], row["payload"]["signal"]) for row in rows.mappings()]


async def audited(client: httpx.AsyncClient, action: str) -> list[Any]:
    return [entry["detail"] for entry in (await get(client, "/v1/audit", action=action))["data"]]


async def test_counts_say_what_keeps_how_many_since_when(
    client: httpx.AsyncClient, park: Park, account_id: UUID
) -> None:
    later = SINCE + timedelta(hours=1)
    await park(parked_account_id=account_id)
    await park(parked_account_id=account_id, at=later)
    await park("no_account")
    counts = await get(client, "/v1/parked")
    assert (counts["total"], counts["complete"]) == (3, True)
    assert counts["groups"][0] == {
        "cause": "misconfigured",
        "sentence": "The account's credentials or permissions do not work; verify the account.",
        "account": {"id": str(account_id), "name": "Texts"},
        "template": "hello",
        "count": 2,
        "oldest": "2026-01-31T08:00:00Z",
        "newest": "2026-01-31T09:00:00Z",
    }
    assert counts["groups"][1]["account"] is None


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, "dcba"),
        ({"cause": "daily_cap"}, "b"),
        ({"account": str(UUID(int=7))}, "c"),
        ({"template": "hello"}, "dcba"),
        ({"template": "other"}, ""),
        ({"resource_type": "invoice", "resource_id": "7"}, "d"),
        ({"trigger": "invoice.*"}, "d"),
        ({"parked_after": "2026-01-31T08:00:00Z"}, "dcb"),
        ({"parked_before": "2026-01-31T08:00:00Z"}, "a"),
    ],
    ids=str,
)
async def test_the_list_and_the_dry_run_mean_the_same(
    client: httpx.AsyncClient, park: Park, query: dict[str, str], expected: str
) -> None:
    about = {"resource": {"type": "invoice", "id": "7"}, "trigger": "invoice.due"}
    names = {
        str(await park(at=SINCE - timedelta(hours=1))): "a",
        str(await park("daily_cap")): "b",
        str(await park(parked_account_id=UUID(int=7))): "c",
        str(await park(**about)): "d",
    }
    await sending.send(client)
    found = await get(client, "/v1/parked/notifications", **query)
    assert "".join(names[row["id"]] for row in found["data"]) == expected
    preview = await post(client, "/v1/parked/resume", 200, filter=query, dry_run=True)
    assert preview["count"] == len(expected)
    assert "".join(names[row["id"]] for row in preview["sample"]) == expected[::-1]
    created = await post(client, "/v1/parked/resume", filter=query, expected=len(expected))
    assert {name: value for name, value in created["filter"].items() if value is not None} == query
    assert created["total"] == len(expected)


async def test_the_list_comes_page_by_page(client: httpx.AsyncClient, park: Park) -> None:
    ids = [str(await park()) for _ in range(3)]
    first = await get(client, "/v1/parked/notifications", limit=2)
    second = await get(client, "/v1/parked/notifications", limit=2, cursor=first["next_cursor"])
    assert [row["id"] for row in first["data"] + second["data"]] == ids[::-1]
    assert second["next_cursor"] is None


async def test_a_dry_run_does_nothing(client: httpx.AsyncClient, park: Park, database: Database) -> None:
    await park()
    await post(client, "/v1/parked/drop", 200, dry_run=True)
    assert (await get(client, "/v1/operations"))["data"] == []
    assert (await get(client, "/v1/parked"))["total"] == 1


async def test_resuming_starts_an_operation_closes_the_circuits_and_is_audited(
    client: httpx.AsyncClient, park: Park, account_id: UUID, database: Database, tenant_id: UUID
) -> None:
    await park(parked_account_id=account_id)
    answer = await client.post("/v1/parked/resume", json={"expected": 1, "rate": 5, "reason": "new token"})
    assert answer.status_code == 202
    made = answer.json()
    assert answer.headers["location"] == f"/v1/operations/{made['id']}"
    assert (made["kind"], made["state"], made["total"], made["done"]) == ("resume", "pending", 1, 0)
    assert await get(client, f"/v1/operations/{made['id']}") == made
    async with database.tenant(tenant_id) as connection:
        assert (await connection.execute(select(circuit.c.state))).scalar_one() == "closed"
        started = await connection.execute(select(outbox.c.id).where(outbox.c.workflow_id == f"operation/{made['id']}"))
        assert len(started.all()) == 1
    facts = {"kind": "resume", "filter": {}, "rate": 5, "total": 1, "reason": "new token"}
    assert await audited(client, "operation.created") == [facts]


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        pytest.param("resume", {}, "/expected", id="nobody counted"),
        pytest.param("drop", {"expected": 1}, "/reason", id="dropped without a reason"),
        pytest.param("resume", {"expected": 1, "rate": 0}, "/rate", id="no rate"),
        pytest.param("resume", {"expected": 1, "rate": 501}, "/rate", id="too high a rate"),
        pytest.param("resume", {"expected": 1, "filter": {"colour": "red"}}, "/filter/colour", id="unknown filter"),
        pytest.param("resume", {"expected": 1, "filter": {"cause": "mood"}}, "/filter/cause", id="unknown cause"),
    ],
)
async def test_what_is_missing_or_wrong_is_named(
    client: httpx.AsyncClient, park: Park, path: str, body: dict[str, Any], pointer: str
) -> None:
    await park()
    problem = await post(client, f"/v1/parked/{path}", 422, **body)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert (await get(client, "/v1/operations"))["data"] == []


async def test_a_count_that_does_not_hold_any_more_stops_it(
    client: httpx.AsyncClient, park: Park, account_id: UUID, database: Database, tenant_id: UUID
) -> None:
    for _ in range(3):
        await park(parked_account_id=account_id)
    problem = await post(client, "/v1/parked/drop", 409, expected=2, reason="too late")
    assert (problem["type"], problem["count"]) == ("urn:carillon:problem:count-changed", 3)
    await post(client, "/v1/parked/resume", 409, expected=4)
    assert (await get(client, "/v1/operations"))["data"] == []
    assert await audited(client, "operation.created") == []
    async with database.tenant(tenant_id) as connection:
        assert (await connection.execute(select(circuit.c.state))).scalar_one() == "open"


async def test_a_stopped_operation_says_how_far_it_came(client: httpx.AsyncClient, park: Park) -> None:
    await park()
    made = await post(client, "/v1/parked/resume", expected=1)
    stopped = await post(client, f"/v1/operations/{made['id']}/stop", 200)
    assert (stopped["state"], stopped["done"]) == ("stopped", 0)
    assert await post(client, f"/v1/operations/{made['id']}/stop", 200) == stopped
    assert await audited(client, "operation.stopped") == [{"done": 0, "total": 1}]
    assert (await get(client, "/v1/operations", state="stopped"))["data"] == [stopped]
    assert (await get(client, "/v1/operations", state=["pending", "running"]))["data"] == []


async def test_one_that_is_resumed_goes_on_and_its_circuit_closes(
    client: httpx.AsyncClient, park: Park, account_id: UUID, database: Database, tenant_id: UUID
) -> None:
    name = await park(parked_account_id=account_id)
    answer = await client.post(f"/v1/notifications/{name}/resume")
    assert (answer.status_code, answer.json()["parked"]["cause"]) == (202, "misconfigured")
    await post(client, f"/v1/notifications/{name}/resume", reason="new token")
    assert await signals(database, tenant_id) == [
        (f"outage/{await _circuit(database, tenant_id)}/1", "closed"),
        (f"notification/{name}", "resume"),
    ]
    assert await audited(client, "notification.resumed") == [
        {"cause": "misconfigured", "reason": "new token"},
        {"cause": "misconfigured"},
    ]


async def _circuit(database: Database, tenant_id: UUID) -> UUID:
    async with database.tenant(tenant_id) as connection:
        row = (await connection.execute(select(circuit))).mappings().one()
    assert row["state"] == "closed"
    found: UUID = row["id"]
    return found


async def test_one_that_is_dropped_is_never_sent(
    client: httpx.AsyncClient, park: Park, database: Database, tenant_id: UUID
) -> None:
    name = await park()
    dropped = await post(client, f"/v1/notifications/{name}/drop", reason="too late")
    assert dropped["parked"] is None
    assert dropped["cancel_requested_at"] is not None
    assert await signals(database, tenant_id) == [(f"notification/{name}", "drop")]
    assert await audited(client, "notification.dropped") == [{"cause": "misconfigured", "reason": "too late"}]


@pytest.mark.parametrize("action", ["resume", "drop"])
async def test_what_is_not_parked_is_neither_resumed_nor_dropped(client: httpx.AsyncClient, action: str) -> None:
    await sending.publish(client)
    name = await sending.send(client)
    problem = await post(client, f"/v1/notifications/{name}/{action}", 409, reason="x")
    assert (problem["type"], problem["state"]) == ("urn:carillon:problem:wrong-state", "queued")
    await post(client, f"/v1/notifications/{uuid4()}/{action}", 404, reason="x")


async def test_dropping_one_needs_a_reason(client: httpx.AsyncClient, park: Park) -> None:
    name = await park()
    await post(client, f"/v1/notifications/{name}/drop", 422)


async def test_metrics_count_what_is_parked_by_cause(
    anonymous: httpx.AsyncClient, park: Park, app: FastAPI, database: Database, tenant_id: UUID
) -> None:
    for cause in ("misconfigured", "misconfigured", "daily_cap"):
        await park(cause)
    gauge = app.state.services.metrics.parked
    text = (await anonymous.get("/metrics")).text
    assert 'carillon_parked{cause="misconfigured"} 2.0' in text
    assert 'carillon_parked{cause="daily_cap"} 1.0' in text
    async with database.tenant(tenant_id) as connection:
        await connection.execute(update(notification).values(parked_at=None, parked_cause=None))
    await gauge.refresh(database, datetime.now(UTC))
    assert 'carillon_parked{cause="daily_cap"} 1.0' in (await anonymous.get("/metrics")).text  # not counted again yet
    await gauge.refresh(database, datetime.now(UTC) + timedelta(seconds=20))
    assert 'carillon_parked{cause="daily_cap"} 0.0' in (await anonymous.get("/metrics")).text


async def test_the_timeline_says_that_it_was_parked_and_went_on(
    client: httpx.AsyncClient, park: Park, database: Database, tenant_id: UUID
) -> None:
    from db.delivery_tables import decision  # noqa: PLC0415 - used here alone

    name = await park()
    rows = [(1, "parked", "misconfigured"), (2, "resumed", "resumed")]
    for number, kind, reason in rows:
        values = {"notification_id": name, "sequence": number, "kind": kind, "reason": reason, "created_at": func.now()}
        await factories.insert(database, tenant_id, decision, **values)
    entries = (await get(client, f"/v1/notifications/{name}/timeline"))["entries"]
    assert [entry["summary"] for entry in entries[1:]] == [
        "Parked. The account's credentials or permissions do not work; verify the account.",
        "Resumed. It was parked; its cause was mended, and it goes on.",
    ]
