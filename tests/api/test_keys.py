"""API keys: who may ask, for what, and until when."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from db.session import Database


async def _create(client: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await client.post("/v1/keys", json={"name": "a key", "scopes": ["keys:write"]} | body)
    assert answer.status_code == 201, answer.text
    created: dict[str, Any] = answer.json()
    return created


async def test_a_key_works_in_either_header(client: httpx.AsyncClient, anonymous: httpx.AsyncClient) -> None:
    secret = (await _create(client))["secret"]
    for headers in ({"Authorization": f"Bearer {secret}"}, {"X-Site-Key": secret}):
        assert (await anonymous.get("/v1/keys", headers=headers)).status_code == 200


async def test_the_secret_is_shown_once_and_stored_never(client: httpx.AsyncClient, database: Database) -> None:
    created = await _create(client)
    location = f"/v1/keys/{created['id']}"
    assert "secret" not in (await client.get(location)).json()
    secret = created["secret"].split("_")[2]
    assert secret not in (await client.get("/v1/keys")).text
    async with database.system() as connection:
        stored = (await connection.execute(text("SELECT api_key::text FROM api_key"))).scalars().all()
    assert stored
    assert not any(secret in row for row in stored)


async def test_two_keys_differ_in_both_parts(client: httpx.AsyncClient) -> None:
    first, second = (await _create(client))["secret"], (await _create(client))["secret"]
    assert all(one != other for one, other in zip(first.split("_")[1:], second.split("_")[1:], strict=True))


async def test_a_revoked_key_is_refused_at_once(client: httpx.AsyncClient, anonymous: httpx.AsyncClient) -> None:
    created = await _create(client)
    headers = {"X-Site-Key": created["secret"]}
    first = await client.post(f"/v1/keys/{created['id']}/revoke")
    again = await client.post(f"/v1/keys/{created['id']}/revoke")
    assert first.json()["revoked_at"] == again.json()["revoked_at"] is not None
    refused = await anonymous.get("/v1/keys", headers=headers)
    assert (refused.status_code, refused.json()["type"]) == (401, "urn:carillon:problem:unauthenticated")
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "given",
    [
        pytest.param("", id="empty"),
        pytest.param("nonsense", id="not the shape of a key"),
        pytest.param(f"car_{'a' * 12}_{'b' * 43}", id="unknown prefix"),
        pytest.param("car_ключключключ_" + "b" * 43, id="letters of another script"),
    ],
)
async def test_what_is_no_key_is_refused(anonymous: httpx.AsyncClient, given: str) -> None:
    answer = await anonymous.get("/v1/keys", headers={b"X-Site-Key": given.encode()})
    assert answer.status_code == 401


async def test_the_prefix_alone_opens_nothing(client: httpx.AsyncClient, anonymous: httpx.AsyncClient) -> None:
    prefix = (await _create(client))["prefix"]
    answer = await anonymous.get("/v1/keys", headers={"X-Site-Key": f"car_{prefix}_{'x' * 43}"})
    assert answer.status_code == 401


async def test_an_expired_key_is_refused(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, database: Database
) -> None:
    created = await _create(client, expires_at=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
    headers = {"X-Site-Key": created["secret"]}
    assert (await anonymous.get("/v1/keys", headers=headers)).status_code == 200
    async with database.system() as connection:
        await connection.execute(
            text("UPDATE api_key SET expires_at = now() - interval '1 second' WHERE id = :id"), {"id": created["id"]}
        )
    assert (await anonymous.get("/v1/keys", headers=headers)).status_code == 401


async def test_an_expiry_in_the_past_is_refused(client: httpx.AsyncClient) -> None:
    body = {"name": "late", "scopes": ["*"], "expires_at": "2020-01-01T00:00:00Z"}
    answer = await client.post("/v1/keys", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/expires_at")


async def test_a_key_cannot_give_more_than_it_holds(client: httpx.AsyncClient, anonymous: httpx.AsyncClient) -> None:
    limited = {"X-Site-Key": (await _create(client, scopes=["keys:write", "audit:read"]))["secret"]}
    for scope in ("*", "accounts:write"):
        answer = await anonymous.post("/v1/keys", json={"name": "more", "scopes": [scope]}, headers=limited)
        assert (answer.status_code, answer.json()["required_scope"]) == (403, scope)
    answer = await anonymous.post("/v1/keys", json={"name": "less", "scopes": ["audit:read"]}, headers=limited)
    assert answer.status_code == 201


async def test_a_key_cannot_rotate_one_that_may_do_more(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    powerful = await _create(client, scopes=["*"])
    limited = {"X-Site-Key": (await _create(client, scopes=["keys:write"]))["secret"]}
    answer = await anonymous.post(f"/v1/keys/{powerful['id']}/rotate", headers=limited)
    assert answer.status_code == 403


async def test_rotation_keeps_the_old_key_for_the_overlap(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    old = await _create(client)
    new = (await client.post(f"/v1/keys/{old['id']}/rotate", json={"overlap_seconds": 3600})).json()
    assert (new["name"], new["scopes"]) == (old["name"], old["scopes"])
    for secret in (old["secret"], new["secret"]):
        assert (await anonymous.get("/v1/keys", headers={"X-Site-Key": secret})).status_code == 200
    ends = datetime.fromisoformat((await client.get(f"/v1/keys/{old['id']}")).json()["expires_at"])
    assert timedelta(minutes=59) < ends - datetime.now(UTC) <= timedelta(hours=1)


async def test_rotation_without_overlap_ends_the_old_key_now(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    old = await _create(client)
    await client.post(f"/v1/keys/{old['id']}/rotate", json={"overlap_seconds": 0})
    assert (await anonymous.get("/v1/keys", headers={"X-Site-Key": old["secret"]})).status_code == 401
    again = await client.post(f"/v1/keys/{old['id']}/rotate", json={"overlap_seconds": 0})
    assert (again.status_code, again.json()["state"]) == (409, "expired")


async def test_use_is_noted_at_most_once_a_minute(
    app: FastAPI, client: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    created = await _create(client)
    seen = set()
    for _ in range(3):
        await anonymous.get("/v1/keys", headers={"X-Site-Key": created["secret"]})
        await app.state.services.background.finish()
        seen.add((await client.get(f"/v1/keys/{created['id']}")).json()["last_used_at"])
    assert len(seen) == 1
    assert None not in seen


async def test_keys_are_read_page_by_page(client: httpx.AsyncClient) -> None:
    for number in range(5):
        await _create(client, name=f"key {number}")
    names, url = [], "/v1/keys?limit=2"
    while url:
        answer = await client.get(url)
        names += [key["name"] for key in answer.json()["data"]]
        assert bool(answer.json()["next_cursor"]) == ("next" in answer.links)
        url = answer.links.get("next", {}).get("url", "")
    assert names == ["key 4", "key 3", "key 2", "key 1", "key 0", "test key"]


@pytest.mark.parametrize("cursor", ["x", "AAAA", "A" * 32, "ключ", "%00"])
async def test_a_cursor_that_was_not_given_is_refused(client: httpx.AsyncClient, cursor: str) -> None:
    answer = await client.get("/v1/keys", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:carillon:problem:invalid-cursor")


async def test_a_cursor_of_another_list_is_refused(client: httpx.AsyncClient) -> None:
    await _create(client)
    cursor = (await client.get("/v1/keys?limit=1")).json()["next_cursor"]
    assert (await client.get("/v1/audit", params={"cursor": cursor})).status_code == 400
