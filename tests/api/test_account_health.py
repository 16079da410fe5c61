"""How an account fares, as the API shows it; and what goes on when people care for it."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select

from db import circuits, health
from db.care_tables import operation
from db.health import AccountHealth
from db.session import Database
from domain.circuits import News, account_subject, template_subject
from domain.health import Health, Level, Window
from domain.reasons import Reason
from tests.factories import make_notification, make_version

NOW = datetime(2026, 7, 14, 9, tzinfo=UTC)


@pytest.fixture
async def account_id(client: httpx.AsyncClient, meta_config: dict[str, str]) -> UUID:
    body = {"name": "WhatsApp", "provider": "meta", "config": meta_config}
    created = (await client.post("/v1/accounts", json=body)).json()
    answer = await client.post(f"/v1/accounts/{created['id']}/verify")
    assert answer.json()["state"] == "active", answer.text
    return UUID(created["id"])


async def trouble(
    database: Database, tenant_id: UUID, account_id: UUID, reason: Reason, subject: str | None = None
) -> None:
    news = News(subject=subject or account_subject(account_id), account_id=account_id, trouble=reason, at=NOW)
    async with database.tenant(tenant_id) as connection:
        await circuits.note(connection, tenant_id, [news])


async def parked(database: Database, tenant_id: UUID, account_id: UUID | None, cause: Reason) -> UUID:
    version_id = await make_version(database, tenant_id, name=f"{cause} {datetime.now(UTC).timestamp()}")
    values = {"parked_at": NOW, "parked_cause": cause.value, "parked_account_id": account_id}
    await make_notification(database, tenant_id, version_id, to="+15550001", to_kind="phone", **values)
    return version_id


async def operations(database: Database, tenant_id: UUID) -> list[tuple[dict[str, Any], str]]:
    async with database.tenant(tenant_id) as connection:
        rows = await connection.execute(select(operation).order_by(operation.c.id))
    return [(row["filter"], row["actor"]) for row in rows.mappings()]


async def state_of(client: httpx.AsyncClient, account_id: UUID) -> str:
    shown: str = (await client.get(f"/v1/accounts/{account_id}")).json()["circuit"]["state"]
    return shown


async def test_an_account_without_trouble_is_healthy_and_closed(client: httpx.AsyncClient, account_id: UUID) -> None:
    one = (await client.get(f"/v1/accounts/{account_id}")).json()
    assert one["health"] == {"level": "healthy", "since": None, "measured_at": None}
    assert one["circuit"] == {"state": "closed", "cause": None, "since": None, "next_probe_at": None}
    assert one["parked"] == 0
    detail = (await client.get(f"/v1/accounts/{account_id}/health")).json()
    assert (detail["level"], detail["circuits"], detail["parked"]) == ("healthy", [], [])


async def test_trouble_is_shown_with_each_account(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID, account_id: UUID
) -> None:
    await trouble(database, tenant_id, account_id, Reason.MISCONFIGURED)
    await parked(database, tenant_id, account_id, Reason.MISCONFIGURED)
    listed = (await client.get("/v1/accounts")).json()["data"]
    for one in (listed[0], (await client.get(f"/v1/accounts/{account_id}")).json()):
        assert one["circuit"] == {
            "state": "open",
            "cause": "misconfigured",
            "since": "2026-07-14T09:00:00Z",
            "next_probe_at": "2026-07-14T09:30:00Z",
        }
        assert one["parked"] == 1


async def test_the_detail_says_why(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID, account_id: UUID
) -> None:
    version_id = await parked(database, tenant_id, account_id, Reason.TEMPLATE_UNAVAILABLE)
    await trouble(
        database, tenant_id, account_id, Reason.TEMPLATE_UNAVAILABLE, template_subject(account_id, version_id, "hi-IN")
    )
    kept = Health(level=Level.SLOW, streak=1, towards=Level.FAILING, reasons=("receipts_slow",), usual=2.5)
    window = Window(attempts=30, troubled=1, receiptable=25, late=2, delay=99.5)
    item = AccountHealth(account_id=account_id, health=kept, window=window, since=NOW, measured_at=NOW)
    async with database.tenant(tenant_id) as connection:
        await health.write(connection, tenant_id, [item])
    detail = (await client.get(f"/v1/accounts/{account_id}/health")).json()
    assert (detail["level"], detail["towards"], detail["measurements_towards"]) == ("slow", "failing", 1)
    assert detail["reasons"] == ["receipts_slow"]
    assert (detail["measured"]["receipt_delay_seconds"], detail["measured"]["usual_delay_seconds"]) == (99.5, 2.5)
    assert detail["parked"] == [{"cause": "template_unavailable", "count": 1}]
    [found] = detail["circuits"]
    assert (found["cause"], found["openings"], found["probes_failed"]) == ("template_unavailable", 1, 0)
    assert (found["template"]["version"], found["template"]["locale"]) == (1, "hi-IN")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        pytest.param("POST", "/verify", None, id="verified"),
        pytest.param("POST", "/rotate-secret", {"secrets": {"app_secret": "new-very-secret"}}, id="a new secret"),
        pytest.param("PATCH", "", {"config": {"graph_version": "v23.0"}}, id="another configuration"),
    ],
)
async def test_caring_for_an_account_closes_its_circuit(
    client: httpx.AsyncClient,
    database: Database,
    tenant_id: UUID,
    account_id: UUID,
    method: str,
    path: str,
    body: Any,
) -> None:
    await trouble(database, tenant_id, account_id, Reason.MISCONFIGURED)
    answer = await client.request(method, f"/v1/accounts/{account_id}{path}", json=body)
    assert (answer.status_code, answer.json()["circuit"]["state"]) == (200, "closed"), answer.text


async def test_another_name_closes_nothing(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID, account_id: UUID
) -> None:
    await trouble(database, tenant_id, account_id, Reason.MISCONFIGURED)
    await client.patch(f"/v1/accounts/{account_id}", json={"name": "other"})
    assert await state_of(client, account_id) == "open"


async def test_resuming_an_account_lets_go_on_what_waits_for_one(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID, account_id: UUID
) -> None:
    await client.post(f"/v1/accounts/{account_id}/suspend", json={"reason": "review"})
    await trouble(database, tenant_id, account_id, Reason.MISCONFIGURED)
    await parked(database, tenant_id, account_id, Reason.MISCONFIGURED)
    await parked(database, tenant_id, account_id, Reason.ACCOUNT_SUSPENDED)
    await parked(database, tenant_id, None, Reason.ACCOUNT_SUSPENDED)
    await parked(database, tenant_id, account_id, Reason.DAILY_CAP)
    answer = await client.post(f"/v1/accounts/{account_id}/resume")
    assert answer.json()["circuit"]["state"] == "closed"
    found = await operations(database, tenant_id)
    assert [wanted for wanted, _ in found] == [
        {"cause": "account_suspended"},
        {"cause": "misconfigured", "account_id": str(account_id)},
    ]
    assert all(actor.startswith("key") for _, actor in found)


async def test_retiring_an_account_lets_what_it_kept_look_for_another_way(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID, account_id: UUID
) -> None:
    await trouble(database, tenant_id, account_id, Reason.MISCONFIGURED)
    answer = await client.post(f"/v1/accounts/{account_id}/retire")
    assert (answer.json()["state"], answer.json()["circuit"]["state"]) == ("retired", "closed")


async def test_suspending_an_account_closes_nothing(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID, account_id: UUID
) -> None:
    await trouble(database, tenant_id, account_id, Reason.MISCONFIGURED)
    answer = await client.post(f"/v1/accounts/{account_id}/suspend", json={"reason": "x"})
    assert answer.json()["circuit"]["state"] == "open"


async def test_verifying_an_active_account_again_starts_no_operation(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID, account_id: UUID
) -> None:
    await parked(database, tenant_id, account_id, Reason.MISCONFIGURED)
    await client.post(f"/v1/accounts/{account_id}/verify")
    assert await operations(database, tenant_id) == []


async def test_a_new_account_takes_over_what_waits_for_another_of_its_channel(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID, account_id: UUID, meta_config: dict[str, str]
) -> None:
    await parked(database, tenant_id, account_id, Reason.PROVIDER_UNAVAILABLE)
    body = {"name": "second", "provider": "meta", "config": meta_config}
    second = (await client.post("/v1/accounts", json=body)).json()
    await client.post(f"/v1/accounts/{second['id']}/verify")
    assert [wanted["account_id"] for wanted, _ in await operations(database, tenant_id)] == [str(account_id)]


async def test_another_tenant_learns_nothing_of_an_account(other_client: httpx.AsyncClient, account_id: UUID) -> None:
    assert (await other_client.get(f"/v1/accounts/{account_id}/health")).status_code == 404
