"""Limits over HTTP: what was set, what holds, and what is used up at this moment."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest

from db import limits
from db.limits import Asked
from db.session import Database
from domain.limits import limits_for
from domain.recipients import AddressKind, Channel
from providers import PROVIDERS
from tests.api.conftest import META

SMTP = {"host": "smtp.example.org", "from_address": "hello@example.org"}
NOTHING = dict.fromkeys(("rate", "burst", "pair_seconds", "pair_burst", "per_day"))


async def _account(client: httpx.AsyncClient, **values: Any) -> dict[str, Any]:
    body = {"name": "WhatsApp", "provider": "meta", "config": META} | values
    answer = await client.post("/v1/accounts", json=body)
    assert answer.status_code == 201, answer.text
    created: dict[str, Any] = answer.json()
    return created


async def test_an_account_has_its_share_and_its_limits(client: httpx.AsyncClient) -> None:
    plain = await _account(client)
    assert (plain["weight"], plain["priority"], plain["limits"]) == (1, 0, NOTHING)
    own = {"rate": 12.5, "per_day": 100_000}
    other = await _account(client, name="other", weight=3, priority=-2, limits=own)
    assert (other["weight"], other["priority"], other["limits"]) == (3, -2, NOTHING | own)


async def test_a_change_sets_what_it_names_and_limits_as_a_whole(client: httpx.AsyncClient) -> None:
    path = f"/v1/accounts/{(await _account(client, weight=3, limits={'rate': 5, 'burst': 2}))['id']}"
    changed = (await client.patch(path, json={"limits": {"rate": 7}})).json()
    assert (changed["weight"], changed["limits"]) == (3, NOTHING | {"rate": 7.0})
    changed = (await client.patch(path, json={"weight": 9, "priority": 4})).json()
    assert (changed["weight"], changed["priority"], changed["limits"]["rate"]) == (9, 4, 7.0)
    changed = (await client.patch(path, json={"limits": {}})).json()
    assert changed["limits"] == NOTHING
    entries = (await client.get("/v1/audit?action=account.changed")).json()["data"]
    assert [entry["detail"]["fields"] for entry in entries] == [["limits"], ["priority", "weight"], ["limits"]]


@pytest.mark.parametrize(
    ("values", "pointer"),
    [
        ({"weight": 0}, "/weight"),
        ({"weight": 1.5}, "/weight"),
        ({"limits": {"rate": -1}}, "/limits/rate"),
        ({"limits": {"rate": "fast"}}, "/limits/rate"),
        ({"limits": {"burst": 0}}, "/limits/burst"),
        ({"limits": {"pair_seconds": 0}}, "/limits/pair_seconds"),
        ({"limits": {"pair_burst": True}}, "/limits/pair_burst"),
        ({"limits": {"per_day": 0}}, "/limits/per_day"),
        ({"limits": {"per_hour": 5}}, "/limits/per_hour"),
    ],
)
async def test_a_wrong_limit_is_named(client: httpx.AsyncClient, values: dict[str, Any], pointer: str) -> None:
    body = {"name": "WhatsApp", "provider": "meta", "config": META} | values
    answer = await client.post("/v1/accounts", json=body)
    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]


async def test_unused_limits_are_those_of_the_provider_and_free(client: httpx.AsyncClient) -> None:
    meta = await _account(client)
    mail = await _account(client, name="mail", provider="smtp", config=SMTP)
    answer = (await client.get("/v1/limits")).json()
    assert [row["account_id"] for row in answer["data"]] == [mail["id"], meta["id"]]
    smtp, whatsapp = answer["data"]
    assert (smtp["bucket"], smtp["pair_seconds"], smtp["per_day"], smtp["used_today"]) == (None, None, None, None)
    bucket = whatsapp["bucket"]
    assert (bucket["rate"], bucket["burst"], bucket["free"], bucket["waiting"]) == (80, 20, 20, 0)
    assert (whatsapp["pair_seconds"], whatsapp["pair_burst"]) == (6, 5)
    assert answer["tenant"] == {"bucket": None, "per_day": None, "used_today": None, "sms_countries": []}


async def test_what_is_used_up_shows(
    client: httpx.AsyncClient, operator: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    own, tenants = {"rate": 0.01, "burst": 2, "per_day": 50}, {"rate": 10, "burst": 10, "per_day": 500}
    created = await _account(client, limits=own)
    await operator.patch(f"/v1/tenants/{tenant_id}", json={"limits": tenants, "sms_countries": ["IN"]})
    whom = (Channel.WHATSAPP, AddressKind.PHONE)
    limit = [
        limits_for(
            created["id"], own, tenant_id, {"limits": tenants}, *whom, f"+91987654321{n}", PROVIDERS["meta"].limits
        )
        for n in range(5)
    ]
    async with database.tenant(tenant_id) as connection:
        asked = [Asked(name=str(place), limits=one) for place, one in enumerate(limit)]
        slots = await limits.reserve(connection, tenant_id, asked, datetime.now(UTC))
    answer = (await client.get("/v1/limits")).json()
    [account], tenant = answer["data"], answer["tenant"]
    assert (account["bucket"]["free"], account["bucket"]["waiting"]) == (0, 3)
    assert datetime.fromisoformat(account["bucket"]["next_at"]) > max(slot.at for slot in slots.values() if slot.at)
    today = [slot for slot in slots.values() if slot.at and slot.at.date().isoformat() == answer["day"]]
    assert (account["per_day"], account["used_today"], tenant["used_today"]) == (50, len(today), len(today))
    assert (tenant["per_day"], tenant["sms_countries"]) == (500, ["IN"])
    assert tenant["bucket"]["waiting"] == 3


async def test_accounts_are_paged_and_filtered(client: httpx.AsyncClient) -> None:
    for name in ("one", "two", "three"):
        await _account(client, name=name)
    await _account(client, name="mail", provider="smtp", config=SMTP)
    first = await client.get("/v1/limits?limit=2&channel=whatsapp")
    second = await client.get(first.links["next"]["url"])
    assert [row["name"] for page in (first, second) for row in page.json()["data"]] == ["three", "two", "one"]
    assert second.json()["next_cursor"] is None


async def test_another_tenant_s_use_does_not_show(client: httpx.AsyncClient, other_client: httpx.AsyncClient) -> None:
    await _account(client, limits={"per_day": 5})
    assert (await other_client.get("/v1/limits")).json()["data"] == []
