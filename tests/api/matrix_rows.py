"""One row per operation of the API: how to call it with real ids of a tenant.

A new operation needs a row in `ROWS`: its operation id, and a function that makes what it works on as the tenant who
owns it (`world.owner`) and returns the `Call`. An operation without a key belongs in `PUBLIC`, with the reason.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx

from db.session import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Who can be asked to make things: the tenant whose ids are used, and the operator.

    Attributes:
        meta: Configuration of an account that the sandbox's stand-in of WhatsApp confirms.
        database: Where rows of `tenant_id`, the owner, can be made that no request makes.
    """

    owner: httpx.AsyncClient
    operator: httpx.AsyncClient
    meta: Mapping[str, str]
    database: Database
    tenant_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request with ids of the owning tenant.

    Attributes:
        path: Values of the path's parameters.
        json: The body.
        headers: Further headers, such as an idempotency key.
        query: The query.
        content: A body that is not JSON, instead of `json`.
        foreign: What another tenant's key gets: 404 as soon as an id of the owner is in the request.
        secret: Texts of the owner that no other tenant may see in the answer.
    """

    path: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    foreign: int = 404
    secret: tuple[str, ...] = ()


Row = Callable[[World], Awaitable[Call]]


async def made(client: httpx.AsyncClient, method: str, path: str, **options: Any) -> Any:
    """Returns the JSON of a request that makes something, and fails the test when it does not."""
    answer = await client.request(method, path, **options)
    assert answer.is_success, answer.text
    return answer.json()


def fixed(**call: Any) -> Row:
    """Returns the row of an operation that needs nothing to be made before."""

    async def row(_: World) -> Call:
        return Call(**call)

    return row


async def _listed_key(world: World) -> Call:
    key = await made(world.owner, "POST", "/v1/keys", json={"name": "x", "scopes": ["*"]})
    return Call(foreign=200, secret=(key["id"],))


async def _key(world: World) -> Call:
    key = await made(world.owner, "POST", "/v1/keys", json={"name": "x", "scopes": ["keys:write"]})
    return Call(path={"key_id": key["id"]})


async def _tenant(world: World) -> Call:
    tenant = await made(world.operator, "POST", "/v1/tenants", json={"name": "another"})
    return Call(path={"tenant_id": tenant["id"]})


async def _changed_tenant(world: World) -> Call:
    return Call(path=(await _tenant(world)).path, json={"sms_countries": ["IN"]})


async def _suspended(world: World) -> Call:
    return Call(path=(await _tenant(world)).path, json={"reason": "unpaid"})


async def _tenant_key(world: World) -> Call:
    return Call(path=(await _tenant(world)).path, json={"name": "recovered"})


async def _recipient(world: World) -> Call:
    body = {"name": "Asha", "addresses": [{"kind": "phone", "value": "+919876543210"}]}
    await made(world.owner, "PUT", "/v1/recipients/asha", json=body)
    return Call(path={"external_id": "asha"})


async def _put_recipient(world: World) -> Call:
    return Call(path=(await _recipient(world)).path, json={"name": "Mine"}, foreign=201, secret=("Asha",))


async def _listed_recipient(world: World) -> Call:
    await _recipient(world)
    return Call(foreign=200, secret=("asha", "+919876543210"))


async def _new_address(world: World) -> Call:
    return Call(path=(await _recipient(world)).path, json={"kind": "phone", "value": "+14155550123"})


async def _address(world: World) -> Call:
    await _recipient(world)
    found = await made(world.owner, "GET", "/v1/recipients/asha")
    return Call(path={"external_id": "asha", "address_id": found["addresses"][0]["id"]})


async def _suppressed_address(world: World) -> Call:
    return Call(path=(await _address(world)).path, json={"reason": "asked to stop"})


async def _account(world: World) -> Call:
    body = {"name": "WhatsApp", "provider": "meta", "config": world.meta}
    account = await made(world.owner, "POST", "/v1/accounts", json=body)
    return Call(path={"account_id": account["id"]})


async def _new_account(world: World) -> Call:
    return Call(json={"name": "WhatsApp", "provider": "meta", "config": world.meta}, foreign=201)


async def _listed_account(world: World) -> Call:
    made_one = await _account(world)
    return Call(foreign=200, secret=(made_one.path["account_id"], world.meta["phone_number_id"]))


async def _listed_account_limits(world: World) -> Call:
    made_one = await _account(world)
    return Call(foreign=200, secret=(made_one.path["account_id"],))


async def _changed_account(world: World) -> Call:
    return Call(path=(await _account(world)).path, json={"priority": 7})


async def _rotated_account(world: World) -> Call:
    return Call(path=(await _account(world)).path, json={"secrets": {"access_token": "another"}})


async def _active_account(world: World) -> Call:
    path = (await _account(world)).path
    await made(world.owner, "POST", f"/v1/accounts/{path['account_id']}/verify")
    return Call(path=path, json={"reason": "under review"})


async def _suspended_account(world: World) -> Call:
    active = await _active_account(world)
    await made(world.owner, "POST", f"/v1/accounts/{active.path['account_id']}/suspend", json=active.json)
    return Call(path=active.path)


async def _audited(world: World) -> Call:
    key = await made(world.owner, "POST", "/v1/keys", json={"name": "x", "scopes": ["*"]})
    return Call(foreign=200, secret=(key["id"],))


ROWS: dict[str, Row] = {
    # Tenants, for the operator.
    "create_tenant": fixed(json={"name": "new"}),
    "list_tenants": fixed(),
    "get_tenant": _tenant,
    "change_tenant": _changed_tenant,
    "suspend_tenant": _suspended,
    "activate_tenant": _tenant,
    "create_tenant_key": _tenant_key,
    # Keys.
    "create_key": fixed(json={"name": "x", "scopes": ["keys:write"]}, foreign=201),
    "list_keys": _listed_key,
    "get_key": _key,
    "revoke_key": _key,
    "rotate_key": _key,
    # Recipients.
    "put_recipient": _put_recipient,
    "list_recipients": _listed_recipient,
    "get_recipient": _recipient,
    "delete_recipient": _recipient,
    "add_address": _new_address,
    "remove_address": _address,
    "verify_address": _address,
    "suppress_address": _suppressed_address,
    "restore_address": _address,
    # Accounts.
    "list_providers": fixed(foreign=200),
    "list_limits": _listed_account_limits,
    "create_account": _new_account,
    "list_accounts": _listed_account,
    "get_account_health": _account,
    "get_account": _account,
    "change_account": _changed_account,
    "rotate_account_secret": _rotated_account,
    "verify_account": _account,
    "suspend_account": _active_account,
    "resume_account": _suspended_account,
    "retire_account": _account,
    # Audit.
    "list_audit_entries": _audited,
}

PUBLIC: dict[str, str] = {
    "get_flow_schema": "the same for everybody, for editors that send no key",
    "get_health": "tells only that the process runs",
    "get_readiness": "tells only whether the database is there",
    "get_metrics": "numbers without ids; kept inside the network",
    "receive_meta_callback": "authenticated by its signature",
    "confirm_meta_webhook": "authenticated by the verify token",
    "receive_smtp_report": "authenticated by the signed return path",
}
