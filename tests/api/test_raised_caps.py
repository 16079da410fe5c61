"""Who raises a daily cap lets go on what it kept."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest

from db.session import Database
from sealing import KeyRing
from tests import factories


async def parked_at(database: Database, tenant_id: UUID, account_id: UUID, *causes: str) -> None:
    version_id = await factories.make_version(database, tenant_id)
    for cause in causes:
        await factories.make_notification(
            database,
            tenant_id,
            version_id,
            to="asha@example.org",
            to_kind="email",
            parked_at=datetime(2026, 1, 31, 8, tzinfo=UTC),
            parked_cause=cause,
            parked_account_id=account_id,
        )


async def operations(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await client.get("/v1/operations")).json()["data"]
    return found


CHANGES = ("former", "changed", "goes_on")
CASES = [
    pytest.param({"per_day": 5}, {"per_day": 6}, True, id="raised"),
    pytest.param({"per_day": 5}, {"rate": 9}, True, id="removed"),
    pytest.param({"per_day": 5}, {"per_day": 5}, False, id="the same"),
    pytest.param({"per_day": 5}, {"per_day": 4}, False, id="lowered"),
    pytest.param({}, {"per_day": 4}, False, id="new"),
]


@pytest.mark.parametrize(CHANGES, CASES)
async def test_an_account_s_cap(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID, key_ring: KeyRing,
    former: dict[str, Any], changed: dict[str, Any], goes_on: bool,  # noqa: FBT001 - a column of the table
) -> None:  # fmt: skip
    fields: dict[str, Any] = {"provider": "smtp", "channel": "email", "config": {}, "limits": former}
    account_id = await factories.make_account(database, tenant_id, key_ring, **fields)
    await parked_at(database, tenant_id, account_id, "daily_cap", "misconfigured")
    answer = await client.patch(f"/v1/accounts/{account_id}", json={"limits": changed})
    assert answer.status_code == 200, answer.text
    found = [(one["kind"], one["filter"]["cause"], one["total"]) for one in await operations(client)]
    assert found == ([("resume", "daily_cap", 1)] if goes_on else [])


@pytest.mark.parametrize(CHANGES, CASES)
async def test_a_tenant_s_cap(
    client: httpx.AsyncClient, operator: httpx.AsyncClient, database: Database, tenant_id: UUID, key_ring: KeyRing,
    former: dict[str, Any], changed: dict[str, Any], goes_on: bool,  # noqa: FBT001 - a column of the table
) -> None:  # fmt: skip
    await operator.patch(f"/v1/tenants/{tenant_id}", json={"limits": former})
    fields: dict[str, Any] = {"provider": "smtp", "channel": "email", "config": {}}
    account_id = await factories.make_account(database, tenant_id, key_ring, **fields)
    await parked_at(database, tenant_id, account_id, "daily_cap", "misconfigured")
    answer = await operator.patch(f"/v1/tenants/{tenant_id}", json={"limits": changed})
    assert answer.status_code == 200, answer.text
    found = [(one["kind"], one["filter"]["cause"], one["total"]) for one in await operations(client)]
    assert found == ([("resume", "daily_cap", 1)] if goes_on else [])
