"""Tenants, as the operator makes and stops them."""

from typing import Any

import httpx
import pytest
import uuid_utils.compat


async def _create(operator: httpx.AsyncClient, name: str = "initech") -> dict[str, Any]:
    answer = await operator.post("/v1/tenants", json={"name": name})
    assert answer.status_code == 201, answer.text
    created: dict[str, Any] = answer.json()
    assert answer.headers["Location"] == f"/v1/tenants/{created['id']}"
    return created


async def test_a_new_tenant_gets_a_key_that_works(operator: httpx.AsyncClient, anonymous: httpx.AsyncClient) -> None:
    created = await _create(operator)
    answer = await anonymous.get("/v1/keys", headers={"X-Site-Key": created["key"]["secret"]})
    assert [key["id"] for key in answer.json()["data"]] == [created["key"]["id"]]
    assert "key" not in (await operator.get(f"/v1/tenants/{created['id']}")).json()


async def test_a_name_is_taken_once(operator: httpx.AsyncClient) -> None:
    await _create(operator)
    answer = await operator.post("/v1/tenants", json={"name": "initech"})
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:carillon:problem:already-exists")


async def test_a_suspended_tenant_is_refused_until_it_is_activated(
    operator: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    created = await _create(operator)
    headers = {"X-Site-Key": created["key"]["secret"]}
    await operator.post(f"/v1/tenants/{created['id']}/suspend", json={"reason": "unpaid"})
    refused = await anonymous.get("/v1/keys", headers=headers)
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:carillon:problem:tenant-suspended")
    await operator.post(f"/v1/tenants/{created['id']}/activate")
    assert (await anonymous.get("/v1/keys", headers=headers)).status_code == 200


async def test_a_suspension_does_not_tell_whether_a_wrong_key_is_near(
    operator: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    created = await _create(operator)
    await operator.post(f"/v1/tenants/{created['id']}/suspend", json={"reason": "unpaid"})
    wrong = f"car_{created['key']['prefix']}_{'x' * 43}"
    assert (await anonymous.get("/v1/keys", headers={"X-Site-Key": wrong})).status_code == 401


async def test_what_the_operator_does_stands_in_the_tenants_audit_trail(
    operator: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    created = await _create(operator)
    path = f"/v1/tenants/{created['id']}"
    await operator.post(f"{path}/suspend", json={"reason": "unpaid"})
    await operator.post(f"{path}/activate")
    made = (await operator.post(f"{path}/keys", json={"name": "recovered"})).json()
    entries = (await anonymous.get("/v1/audit", headers={"X-Site-Key": made["secret"]})).json()["data"]
    assert [entry["action"] for entry in entries] == [
        "tenant.key_created",
        "tenant.activated",
        "tenant.suspended",
        "tenant.created",
    ]
    assert {entry["actor"] for entry in entries} == {"operator"}


async def test_tenants_are_listed_newest_first(operator: httpx.AsyncClient) -> None:
    for name in ("one", "two", "three"):
        await _create(operator, name)
    first = await operator.get("/v1/tenants?limit=2")
    second = await operator.get(first.links["next"]["url"])
    names = [tenant["name"] for page in (first, second) for tenant in page.json()["data"]]
    assert names == ["three", "two", "one"]


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("POST", "/suspend"), ("POST", "/activate"), ("POST", "/keys")],
    ids=["read", "suspend", "activate", "create a key"],
)
async def test_an_unknown_tenant_is_not_found(operator: httpx.AsyncClient, method: str, path: str) -> None:
    body = {"suspend": {"reason": "x"}, "keys": {"name": "x"}}.get(path.strip("/"))
    answer = await operator.request(method, f"/v1/tenants/{uuid_utils.compat.uuid7()}{path}", json=body)
    assert answer.status_code == 404


async def test_a_tenants_key_is_no_operator_key(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/tenants")).status_code == 401


async def test_the_operator_key_is_no_tenants_key(operator: httpx.AsyncClient) -> None:
    assert (await operator.get("/v1/keys")).status_code == 401
