"""The console in this process, and people with a browser and a key."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import cache
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI

from api.app import services_for
from db.session import Database
from sealing import KeyRing
from settings import Settings
from tests import factories
from tests.api.conftest import KeyFactory
from tests.api.conftest import make_key as make_key  # noqa: PLC0414 - a fixture for the tests here
from tests.api.conftest import settings as settings  # noqa: PLC0414 - a fixture for the tests here
from web.site import create_app

ORIGIN = "http://carillon.test"


class Browser:
    """Somebody's browser: keeps cookies, names the origin of its forms, shows where it was led."""

    def __init__(self, app: FastAPI) -> None:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        self.client = httpx.AsyncClient(transport=transport, base_url=ORIGIN)

    async def see(self, path: str, **query: str) -> httpx.Response:
        """Opens a page."""
        return await self.client.get(path, params=query or None)

    async def submit(self, path: str, **form: str) -> httpx.Response:
        """Submits a form of the console."""
        return await self.client.post(path, data=form, headers={"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"})

    async def sign_in(self, key: str) -> None:
        """Signs in with a key that must be right."""
        answer = await self.submit("/console/sign-in", key=key)
        assert answer.status_code == 303, answer.text

    def api(self, key: str) -> httpx.AsyncClient:
        """Returns a client of the API beside the browser."""
        transport = self.client._transport
        return httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers={"Authorization": f"Bearer {key}"})


BrowserFactory = Callable[..., Awaitable[Browser]]


@cache
def built() -> FastAPI:
    """Returns the application of all tests: to put its routes together takes longer than most of them."""
    nowhere = Database.connect("postgresql://127.0.0.1:1/none")
    return create_app(Settings(), database=nowhere, key_ring=KeyRing({"nobody": b"k" * 32}))


@pytest.fixture
async def app(settings: Settings, database: Database, key_ring: KeyRing) -> AsyncIterator[FastAPI]:
    """The running site on this test's database."""
    made = built()
    made.state.services = services_for(settings, database=database, key_ring=key_ring)
    async with made.router.lifespan_context(made):
        yield made


@pytest.fixture
async def open_browser(app: FastAPI, make_key: KeyFactory) -> AsyncIterator[BrowserFactory]:
    """Opens a browser: signed in for a tenant with a key of these scopes, or not signed in."""
    opened: list[Browser] = []

    async def open_one(tenant: UUID | None = None, *, scopes: Sequence[str] = ("*",)) -> Browser:
        browser = Browser(app)
        opened.append(browser)
        if tenant is not None:
            await browser.sign_in(await make_key(tenant, scopes=scopes, name="ops"))
        return browser

    yield open_one
    for browser in opened:
        await browser.client.aclose()


@pytest.fixture
async def browser(open_browser: BrowserFactory, tenant_id: UUID) -> Browser:
    """The browser of somebody who may do everything in `tenant_id`."""
    return await open_browser(tenant_id)


@pytest.fixture
async def version_id(database: Database, tenant_id: UUID) -> UUID:
    """A published version of the template `hello`, for SMS."""
    sms = {"channel": "sms", "locale": "default", "content": {"body": "Hello {{ name }}"}}
    return await factories.make_version(database, tenant_id, sms)


@pytest.fixture
def notify(database: Database, tenant_id: UUID, version_id: UUID) -> Callable[..., Awaitable[UUID]]:
    """Creates a notification: `await notify(status="failed")`."""

    async def make(**values: Any) -> UUID:
        fields = {"to": "+919876543210", "to_kind": "phone", **values}
        return await factories.make_notification(database, tenant_id, version_id, **fields)

    return make


@pytest.fixture
async def api(browser: Browser, make_key: KeyFactory, tenant_id: UUID) -> AsyncIterator[httpx.AsyncClient]:
    """The API, for a caller that may do everything in `tenant_id`."""
    async with browser.api(await make_key(tenant_id)) as client:
        yield client
