"""The API in this process, a tenant, and keys for it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import cache
from uuid import UUID

import httpx
import pytest
import uuid_utils.compat
from fastapi import FastAPI
from pydantic import SecretStr

from api import credentials
from api.app import create_app, services_for
from db import keys
from db.session import Database
from sandbox.serve import Sandbox, SandboxSettings
from sealing import KeyRing
from settings import Settings

OPERATOR_KEY = "operator-key-for-tests"

KeyFactory = Callable[..., Awaitable[str]]
ClientFactory = Callable[..., Awaitable[httpx.AsyncClient]]


@pytest.fixture
def settings(dsn: str) -> Settings:
    """Settings of the application under test."""
    return Settings(
        database_url=SecretStr(dsn), operator_key=SecretStr(OPERATOR_KEY), provider_hosts="127.0.0.1,localhost"
    )


@cache
def built() -> FastAPI:
    """Returns the application of all tests: to put its routes together takes longer than most of them."""
    nowhere = Database.connect("postgresql://127.0.0.1:1/none")
    return create_app(Settings(), database=nowhere, key_ring=KeyRing({"nobody": b"k" * 32}))


@pytest.fixture
async def app(settings: Settings, database: Database, key_ring: KeyRing) -> AsyncIterator[FastAPI]:
    """The running application on this test's database."""
    made = built()
    made.state.services = services_for(settings, database=database, key_ring=key_ring)
    async with made.router.lifespan_context(made):
        yield made


@pytest.fixture
def make_key(database: Database, key_ring: KeyRing) -> KeyFactory:
    """Creates an API key: `await make_key(tenant_id, scopes=["templates:read"])` returns what callers send."""

    async def make(tenant_id: UUID, *, scopes: Sequence[str] = ("*",), name: str = "test key") -> str:
        credential = credentials.generate()
        async with database.tenant(tenant_id) as connection:
            await keys.create(
                connection,
                tenant_id,
                uuid_utils.compat.uuid7(),
                name=name,
                prefix=credential.prefix,
                digest=credential.digest(key_ring),
                scopes=scopes,
                expires_at=None,
            )
        return str(credential)

    return make


@pytest.fixture
async def open_client(app: FastAPI) -> AsyncIterator[Callable[[str | None], httpx.AsyncClient]]:
    """Opens clients of the application: `open_client(key)`, or without a key."""
    opened: list[httpx.AsyncClient] = []

    def open_one(key: str | None = None) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        opened.append(httpx.AsyncClient(transport=transport, base_url="http://carillon.test", headers=headers))
        return opened[-1]

    yield open_one
    for client in opened:
        await client.aclose()


@pytest.fixture
def anonymous(open_client: Callable[..., httpx.AsyncClient]) -> httpx.AsyncClient:
    """A client without a key."""
    return open_client()


@pytest.fixture
def operator(open_client: Callable[..., httpx.AsyncClient]) -> httpx.AsyncClient:
    """A client with the operator key."""
    return open_client(OPERATOR_KEY)


@pytest.fixture
async def client(
    open_client: Callable[..., httpx.AsyncClient], make_key: KeyFactory, tenant_id: UUID
) -> httpx.AsyncClient:
    """A client with a key of `tenant_id` that may do everything."""
    return open_client(await make_key(tenant_id))


@pytest.fixture
async def other_client(
    open_client: Callable[..., httpx.AsyncClient], make_key: KeyFactory, other_tenant_id: UUID
) -> httpx.AsyncClient:
    """A client with a key of `other_tenant_id`, who must see nothing of the first tenant."""
    return open_client(await make_key(other_tenant_id))


META = {
    "phone_number_id": "106540352242922",
    "waba_id": "102290129340398",
    "access_token": "token-very-secret",
    "app_secret": "app-very-secret",
    "verify_token": "verify-very-secret",
}


@pytest.fixture(scope="session")
async def sandbox(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sandbox]:
    """A stand-in of the providers that knows the number of `meta_config`."""
    journal = tmp_path_factory.mktemp("sandbox") / "journal.jsonl"
    settings = SandboxSettings(
        port=0, smtp_port=0, journal=journal, smtp_user="mailer", smtp_password=SecretStr("mail-very-secret")
    )
    async with Sandbox(settings) as running:
        number = {name: META[name] for name in ("waba_id", "access_token", "app_secret", "verify_token")}
        body = number | {"display_phone_number": "+1 555 078-3881"}
        async with httpx.AsyncClient(base_url=running.url) as client:
            answer = await client.put(f"/_sandbox/numbers/{META['phone_number_id']}", json=body)
            answer.raise_for_status()
        yield running


@pytest.fixture
def meta_config(sandbox: Sandbox) -> dict[str, str]:
    """Configuration of a WhatsApp account that the sandbox confirms."""
    return META | {"base_url": sandbox.url}
