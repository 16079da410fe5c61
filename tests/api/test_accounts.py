"""Accounts at providers: sealed, kept to hosts that may be called, and active only once verified."""

from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select, text

from activities.accounts import AccountProviders
from activities.verification import VerificationError, verify
from db.session import Database
from db.tables import account
from providers.meta import Meta
from providers.smtp import Smtp
from sandbox.serve import Sandbox
from sealing import KeyRing

META = {
    "phone_number_id": "106540352242922",
    "waba_id": "102290129340398",
    "access_token": "token-very-secret",
    "app_secret": "app-very-secret",
    "verify_token": "verify-very-secret",
}


async def _create(client: httpx.AsyncClient, **changes: Any) -> dict[str, Any]:
    body = {"name": "WhatsApp", "provider": "meta", "config": META} | changes
    answer = await client.post("/v1/accounts", json=body)
    assert answer.status_code == 201, answer.text
    created: dict[str, Any] = answer.json()
    assert answer.headers["Location"] == f"/v1/accounts/{created['id']}"
    return created


async def test_a_new_account_is_pending_and_hides_its_secrets(client: httpx.AsyncClient) -> None:
    created = await _create(client)
    assert (created["state"], created["channel"], created["sender"]) == ("pending", "whatsapp", META["phone_number_id"])
    assert created["config"] == META | dict.fromkeys(("access_token", "app_secret", "verify_token"), "********")


async def test_secrets_leave_the_process_only_sealed(client: httpx.AsyncClient, database: Database) -> None:
    created = await _create(client)
    secrets = {"secrets": {"app_secret": "new-very-secret"}}
    await client.post(f"/v1/accounts/{created['id']}/rotate-secret", json=secrets)
    pages = [(await client.get(path)).text for path in ("/v1/accounts", f"/v1/accounts/{created['id']}", "/v1/audit")]
    async with database.system() as connection:
        for table in ("account", "audit_entry"):
            rows = await connection.execute(text(f"SELECT {table}::text FROM {table}"))  # noqa: S608 - names from here
            pages += rows.scalars().all()
    assert len(pages) > 4
    assert not any("very-secret" in page for page in pages)


async def test_a_sealed_configuration_opens_for_its_own_row_only(
    client: httpx.AsyncClient, database: Database, key_ring: KeyRing, tenant_id: UUID
) -> None:
    first, second = UUID((await _create(client))["id"]), UUID((await _create(client, name="other"))["id"])
    async with database.tenant(tenant_id) as connection:
        row = (await connection.execute(select(account).where(account.c.id == first))).one()
    values = {"provider": row.provider, "sealed_config": row.sealed_config, "updated_at": row.updated_at}
    opened = AccountProviders(key_ring).open(tenant_id, first, **values)
    assert isinstance(opened, Meta)
    assert opened.access_token == META["access_token"]
    with pytest.raises(Exception, match="cannot be used"):
        AccountProviders(key_ring).open(tenant_id, second, **values)


@pytest.mark.parametrize(
    ("config", "pointer"),
    [
        ({"phone_number_id": "none"}, "/config/phone_number_id"),
        ({"access_token": None}, "/config/access_token"),
        ({"acces_token": "x"}, "/config/acces_token"),
        ({"app_secret": "********"}, "/config/app_secret"),
        ({"base_url": "http://graph.facebook.com"}, "/config/base_url"),
        ({"base_url": "https://169.254.169.254/latest"}, "/config/base_url"),
        ({"base_url": "https://graph.facebook.com.evil.example"}, "/config/base_url"),
        ({"base_url": "https://graph.facebook.com:8443"}, "/config/base_url"),
        ({"base_url": "http://127.0.0.1.evil.example"}, "/config/base_url"),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_a_wrong_configuration_is_refused_with_its_place(
    client: httpx.AsyncClient, config: dict[str, Any], pointer: str
) -> None:
    body = {"name": "x", "provider": "meta", "config": META | config}
    answer = await client.post("/v1/accounts", json=body)
    assert (answer.status_code, [error["pointer"] for error in answer.json()["errors"]]) == (422, [pointer])
    assert "very-secret" not in answer.text


async def test_an_unknown_provider_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/accounts", json={"name": "x", "provider": "pigeon", "config": {}})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/provider")


async def test_providers_say_what_they_need(client: httpx.AsyncClient) -> None:
    found = {one["name"]: one for one in (await client.get("/v1/providers")).json()["data"]}
    assert {"meta", "smtp"} <= found.keys()
    assert set(found["meta"]["secret_fields"]) <= set(found["meta"]["config_schema"]["properties"])


async def test_a_verified_account_becomes_active(client: httpx.AsyncClient, meta_config: dict[str, str]) -> None:
    created = await _create(client, config=meta_config)
    answer = await client.post(f"/v1/accounts/{created['id']}/verify")
    assert (answer.status_code, answer.json()["state"]) == (200, "active"), answer.text
    assert answer.json()["verified_at"] is not None


async def test_wrong_credentials_leave_it_pending_and_say_why(
    client: httpx.AsyncClient, meta_config: dict[str, str]
) -> None:
    config = meta_config | {"access_token": "wrong-very-secret"}
    created = await _create(client, config=config)
    answer = await client.post(f"/v1/accounts/{created['id']}/verify")
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:carillon:problem:verification-failed")
    assert (answer.json()["code"], answer.json()["retryable"]) == ("misconfigured", False)
    assert "very-secret" not in answer.text
    assert (await client.get(f"/v1/accounts/{created['id']}")).json()["state"] == "pending"


async def test_a_provider_that_does_not_answer_is_told_apart(client: httpx.AsyncClient) -> None:
    created = await _create(client, config=META | {"base_url": "http://127.0.0.1:1"})
    answer = await client.post(f"/v1/accounts/{created['id']}/verify")
    assert (answer.status_code, answer.json()["code"], answer.json()["retryable"]) == (422, "unavailable", True)


def _smtp(sandbox: Sandbox, **changes: Any) -> dict[str, Any]:
    server = {"host": sandbox.smtp_host, "port": sandbox.smtp_port, "security": "none"}
    user = {"username": "mailer", "password": "mail-very-secret", "from_address": "hello@acme.example"}
    return server | user | changes


async def test_a_mail_server_that_lets_us_in_is_verified(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    created = await _create(client, provider="smtp", config=_smtp(sandbox))
    assert (created["sender"], created["config"]["password"]) == ("hello@acme.example", "********")
    answer = await client.post(f"/v1/accounts/{created['id']}/verify")
    assert (answer.status_code, answer.json()["state"]) == (200, "active"), answer.text


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"password": "wrong-very-secret"}, "misconfigured"),
        ({"security": "starttls"}, "unavailable"),
        ({"port": 1}, "unavailable"),
    ],
    ids=["wrong password", "no encryption offered", "nobody listens"],
)
async def test_a_mail_server_that_does_not_says_why(
    client: httpx.AsyncClient, sandbox: Sandbox, changes: dict[str, Any], code: str
) -> None:
    created = await _create(client, provider="smtp", config=_smtp(sandbox, **changes))
    answer = await client.post(f"/v1/accounts/{created['id']}/verify")
    assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text
    assert "very-secret" not in answer.text


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("10.0.0.5", 587),
        ("169.254.169.254", 25),
        ("::1", 25),
        ("[fd00::1]", 25),
        ("127.1", 25),
        ("0x7f.0.0.1", 25),
        ("postgres", 25),
        ("mail.internal", 25),
        ("mail.example.com", 5432),
    ],
)
async def test_a_mail_host_of_our_own_network_is_refused(
    client: httpx.AsyncClient, sandbox: Sandbox, host: str, port: int
) -> None:
    config = _smtp(sandbox, host=host, port=port, security="starttls")
    answer = await client.post("/v1/accounts", json={"name": "x", "provider": "smtp", "config": config})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/config/host")


@pytest.mark.parametrize("host", ["mail.example.com", "8.8.8.8", "[2606:4700:4700::1111]"])
async def test_a_public_mail_host_is_taken(client: httpx.AsyncClient, sandbox: Sandbox, host: str) -> None:
    await _create(client, provider="smtp", config=_smtp(sandbox, host=host, port=587, security="starttls"))


async def test_a_public_name_that_leads_inside_is_found_out() -> None:
    provider = Smtp.configure({"host": "localhost", "port": 25, "from_address": "a@b.example"})
    with pytest.raises(VerificationError, match="private network"):
        await verify(provider, allowed_hosts=frozenset({"another"}))


async def test_an_account_is_suspended_resumed_and_retired(
    client: httpx.AsyncClient, meta_config: dict[str, str]
) -> None:
    path = f"/v1/accounts/{(await _create(client, config=meta_config))['id']}"
    states = []
    for step, body in (("verify", None), ("suspend", {"reason": "review"}), ("resume", None), ("retire", None)):
        answer = await client.post(f"{path}/{step}", json=body)
        states.append((answer.json()["state"], answer.json()["state_reason"]))
    assert states == [("active", None), ("suspended", "review"), ("active", None), ("retired", None)]
    for step, body in (("verify", None), ("suspend", {"reason": "x"}), ("resume", None), ("retire", None)):
        refused = await client.post(f"{path}/{step}", json=body)
        assert (refused.status_code, refused.json()["state"]) == (409, "retired")


async def test_a_pending_account_cannot_skip_verification(client: httpx.AsyncClient) -> None:
    path = f"/v1/accounts/{(await _create(client))['id']}"
    for step, body in (("suspend", {"reason": "x"}), ("resume", None)):
        assert (await client.post(f"{path}/{step}", json=body)).status_code == 409
    assert (await client.get(path)).json()["state"] == "pending"


async def test_rotation_replaces_one_secret_and_keeps_the_others(
    client: httpx.AsyncClient, database: Database, key_ring: KeyRing, tenant_id: UUID
) -> None:
    account_id = UUID((await _create(client))["id"])
    answer = await client.post(f"/v1/accounts/{account_id}/rotate-secret", json={"secrets": {"access_token": "fresh"}})
    assert (answer.status_code, answer.json()["verified_at"]) == (200, None)
    async with database.tenant(tenant_id) as connection:
        row = (await connection.execute(select(account))).one()
    values = {"provider": row.provider, "sealed_config": row.sealed_config, "updated_at": row.updated_at}
    opened = AccountProviders(key_ring).open(tenant_id, account_id, **values)
    assert isinstance(opened, Meta)
    assert (opened.access_token, opened.app_secret) == ("fresh", META["app_secret"])


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("rotate-secret", {"secrets": {"phone_number_id": "1234567"}}, "/secrets/phone_number_id"),
        ("rotate-secret", {"secrets": {"access_token": "********"}}, "/secrets/access_token"),
        ("", {"config": {"access_token": "x"}}, "/config/access_token"),
        ("", {"config": {"base_url": "http://127.0.0.1:9"}}, "/config/base_url"),
        ("", {"config": {"phone_number_id": "1234567"}}, "/config"),
        ("", {"priority": 101}, "/priority"),
    ],
    ids=["no secret", "placeholder", "secret in a change", "another server", "another sender", "priority"],
)
async def test_a_change_that_would_surprise_is_refused(
    client: httpx.AsyncClient, path: str, body: dict[str, Any], pointer: str
) -> None:
    url = f"/v1/accounts/{(await _create(client))['id']}"
    answer = await client.request("POST" if path else "PATCH", f"{url}/{path}".rstrip("/"), json=body)
    assert (answer.status_code, [error["pointer"] for error in answer.json()["errors"]]) == (422, [pointer])


async def test_a_change_touches_what_it_names(client: httpx.AsyncClient) -> None:
    created = await _create(client)
    body = {"name": "India", "priority": 5, "config": {"graph_version": "v27.0"}}
    changed = (await client.patch(f"/v1/accounts/{created['id']}", json=body)).json()
    assert (changed["name"], changed["priority"]) == ("India", 5)
    assert changed["config"] == created["config"] | {"graph_version": "v27.0"}


async def test_two_editors_do_not_undo_each_other_unseen(client: httpx.AsyncClient) -> None:
    url = f"/v1/accounts/{(await _create(client))['id']}"
    version = {"If-Match": (await client.get(url)).headers["ETag"]}
    assert (await client.patch(url, json={"priority": 1}, headers=version)).status_code == 200
    assert (await client.patch(url, json={"priority": 2}, headers=version)).status_code == 412
    secrets = {"secrets": {"access_token": "x"}}
    assert (await client.post(f"{url}/rotate-secret", json=secrets, headers=version)).status_code == 412


async def test_a_name_is_taken_once(client: httpx.AsyncClient) -> None:
    await _create(client)
    again = await client.post("/v1/accounts", json={"name": "WhatsApp", "provider": "meta", "config": META})
    other = await _create(client, name="other")
    renamed = await client.patch(f"/v1/accounts/{other['id']}", json={"name": "WhatsApp"})
    assert (again.status_code, renamed.status_code) == (409, 409)


async def test_accounts_are_found_by_what_they_are(client: httpx.AsyncClient) -> None:
    await _create(client)
    for query, count in (("channel=whatsapp&state=pending", 1), ("channel=email", 0), ("provider=meta", 1)):
        assert len((await client.get(f"/v1/accounts?{query}")).json()["data"]) == count
