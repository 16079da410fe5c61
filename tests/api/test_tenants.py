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


async def test_a_new_tenant_has_no_limits_and_no_countries_for_text_messages(operator: httpx.AsyncClient) -> None:
    created = await _create(operator)
    assert created["limits"] == {"rate": None, "burst": None, "per_day": None}
    assert created["sms_countries"] == []


async def test_what_a_tenant_may_send_is_set_part_by_part_and_audited(
    operator: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    created = await _create(operator)
    path, headers = f"/v1/tenants/{created['id']}", {"X-Site-Key": created["key"]["secret"]}
    await operator.patch(path, json={"limits": {"rate": 12.5, "per_day": 1000}})
    changed = (await operator.patch(path, json={"sms_countries": ["US", "IN", "IN"]})).json()
    assert changed == (await operator.get(path)).json()
    assert changed["limits"] == {"rate": 12.5, "burst": None, "per_day": 1000}
    assert changed["sms_countries"] == ["IN", "US"]
    entries = (await anonymous.get("/v1/audit?action=tenant.changed", headers=headers)).json()["data"]
    assert [entry["detail"] for entry in entries] == [
        {"sms_countries": ["IN", "US"]},
        {"limits": {"rate": 12.5, "per_day": 1000}},
    ]
    reset = (await operator.patch(path, json={"limits": {}})).json()
    assert reset["limits"] == {"rate": None, "burst": None, "per_day": None}


async def test_an_empty_change_of_a_tenant_is_not_audited(
    operator: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    created = await _create(operator)
    assert (await operator.patch(f"/v1/tenants/{created['id']}", json={})).status_code == 200
    headers = {"X-Site-Key": created["key"]["secret"]}
    assert (await anonymous.get("/v1/audit?action=tenant.changed", headers=headers)).json()["data"] == []


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"limits": {"rate": 0}}, "/limits/rate"),
        ({"limits": {"burst": 1.5}}, "/limits/burst"),
        ({"limits": {"per_day": -1}}, "/limits/per_day"),
        ({"limits": {"pair_seconds": 6}}, "/limits/pair_seconds"),
        ({"sms_countries": ["XX"]}, "/sms_countries/0"),
        ({"sms_countries": ["in"]}, "/sms_countries/0"),
        ({"state": "suspended"}, "/state"),
    ],
)
async def test_a_wrong_limit_of_a_tenant_is_named(
    operator: httpx.AsyncClient, body: dict[str, Any], pointer: str
) -> None:
    created = await _create(operator)
    answer = await operator.patch(f"/v1/tenants/{created['id']}", json=body)
    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]


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
    [("GET", ""), ("PATCH", ""), ("POST", "/suspend"), ("POST", "/activate"), ("POST", "/keys")],
    ids=["read", "change", "suspend", "activate", "create a key"],
)
async def test_an_unknown_tenant_is_not_found(operator: httpx.AsyncClient, method: str, path: str) -> None:
    body: Any = {"suspend": {"reason": "x"}, "keys": {"name": "x"}}.get(path.strip("/"))
    body = {} if method == "PATCH" else body
    answer = await operator.request(method, f"/v1/tenants/{uuid_utils.compat.uuid7()}{path}", json=body)
    assert answer.status_code == 404


async def test_a_tenants_key_is_no_operator_key(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/tenants")).status_code == 401


async def test_the_operator_key_is_no_tenants_key(operator: httpx.AsyncClient) -> None:
    assert (await operator.get("/v1/keys")).status_code == 401
