"""Every operation of the OpenAPI document, asked by everybody who must not get an answer.

The operations come from the document, so that a new one without a row in `matrix_rows.py` fails here.
"""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx
import pytest

from api.app import create_app
from api.openapi import operations
from api.scopes import Scope
from db.session import Database
from sealing import KeyRing
from settings import Settings
from tests.api.consent_rows import CONSENT_ROWS
from tests.api.finding_rows import FINDING_ROWS
from tests.api.flow_rows import FLOW_ROWS
from tests.api.matrix_rows import PUBLIC, Call, World
from tests.api.matrix_rows import ROWS as BASIC_ROWS
from tests.api.parked_rows import PARKED_ROWS
from tests.api.reply_rows import REPLY_ROWS
from tests.api.schedule_rows import SCHEDULE_ROWS
from tests.api.sending_rows import SENDING_ROWS

_DOCUMENT = create_app(Settings(), key_ring=KeyRing({"test": b"k" * 32})).openapi()
OPERATIONS = {operation["operationId"]: (method, path, operation) for method, path, operation in operations(_DOCUMENT)}
ROWS = {
    **BASIC_ROWS,
    **CONSENT_ROWS,
    **FINDING_ROWS,
    **FLOW_ROWS,
    **SENDING_ROWS,
    **PARKED_ROWS,
    **REPLY_ROWS,
    **SCHEDULE_ROWS,
}
OpenClient = Callable[..., httpx.AsyncClient]
KeyFactory = Callable[..., Awaitable[str]]


def _scope(operation: dict[str, Any]) -> str | None:
    scopes = {scope for requirement in operation["security"] for held in requirement.values() for scope in held}
    assert len(scopes) <= 1, "an operation needs one scope"
    return scopes.pop() if scopes else None


PROTECTED = {name: found for name, found in OPERATIONS.items() if found[2].get("security")}
SCOPED = {name: (*found, scope) for name, found in PROTECTED.items() if (scope := _scope(found[2]))}
OPERATED = {name: found for name, found in PROTECTED.items() if name not in SCOPED}


@pytest.fixture
def world(
    client: httpx.AsyncClient,
    operator: httpx.AsyncClient,
    meta_config: dict[str, str],
    database: Database,
    tenant_id: UUID,
) -> World:
    """Whose things the rows make."""
    return World(owner=client, operator=operator, meta=meta_config, database=database, tenant_id=tenant_id)


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_has_a_row(name: str) -> None:
    table = "ROWS" if name in PROTECTED else "PUBLIC"
    there = name in (ROWS if name in PROTECTED else PUBLIC)
    assert there, f"add {name!r} to {table} in tests/api/matrix_rows.py; its docstring says how"


def test_every_row_has_an_operation() -> None:
    assert {*ROWS, *PUBLIC} <= OPERATIONS.keys()


def test_only_tenants_are_for_the_operator() -> None:
    assert {path.split("/")[2] for _, path, _ in OPERATED.values()} == {"tenants"}


@pytest.mark.parametrize("name", SCOPED)
async def test_only_the_right_key_of_the_right_tenant_gets_an_answer(
    name: str,
    world: World,
    other_client: httpx.AsyncClient,
    operator: httpx.AsyncClient,
    open_client: OpenClient,
    make_key: KeyFactory,
    tenant_id: UUID,
) -> None:
    method, path, _, scope = SCOPED[name]
    call = await ROWS[name](world)
    refused = await _ask(open_client(), method, path, call)
    assert (refused.status_code, refused.json()["type"]) == (401, "urn:carillon:problem:unauthenticated")
    revoked = await _ask(open_client(await _revoked(world.owner)), method, path, call)
    assert revoked.status_code == 401
    weak = open_client(await make_key(tenant_id, scopes=sorted({*Scope} - {Scope.EVERYTHING, scope})))
    missing = await _ask(weak, method, path, call)
    assert (missing.status_code, missing.json().get("required_scope")) == (403, scope)
    foreign = await _ask(other_client, method, path, call)
    assert foreign.status_code == call.foreign, foreign.text
    assert not any(text in foreign.text for text in call.secret)
    own = await _ask(open_client(await make_key(tenant_id, scopes=[scope])), method, path, call)
    assert own.status_code < 400, own.text
    assert method != "GET" or all(text in own.text for text in call.secret)


@pytest.mark.parametrize("name", OPERATED)
async def test_only_the_operator_stands_above_tenants(
    name: str, world: World, client: httpx.AsyncClient, operator: httpx.AsyncClient, open_client: OpenClient
) -> None:
    method, path, _ = OPERATED[name]
    call = await ROWS[name](world)
    for asking in (open_client(), client, open_client("wrong"), open_client("")):
        assert (await _ask(asking, method, path, call)).status_code == 401
    assert (await _ask(operator, method, path, call)).status_code < 400


async def test_an_operator_key_that_is_not_set_opens_nothing(
    settings: Settings, key_ring: KeyRing, anonymous: httpx.AsyncClient
) -> None:
    app = create_app(settings.model_copy(update={"operator_key": Settings().operator_key}), key_ring=key_ring)
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://carillon.test") as client,
    ):
        for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer x"}):
            assert (await client.get("/v1/tenants", headers=headers)).status_code == 401
    assert (await anonymous.get("/v1/tenants")).status_code == 401


async def _revoked(client: httpx.AsyncClient) -> str:
    created = (await client.post("/v1/keys", json={"name": "short-lived", "scopes": ["*"]})).json()
    assert (await client.post(f"/v1/keys/{created['id']}/revoke")).status_code == 200
    secret: str = created["secret"]
    return secret


async def _ask(client: httpx.AsyncClient, method: str, path: str, call: Call) -> httpx.Response:
    return await client.request(
        method,
        path.format(**call.path),
        json=call.json,
        content=call.content,
        headers=dict(call.headers),
        params=dict(call.query),
    )
