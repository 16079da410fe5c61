"""A key opens the console, for some hours, for its own tenant, and for as long as the key works."""

import base64
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import func

from db.session import Database
from db.tables import api_key, tenant
from sealing import KeyRing
from settings import Settings
from tests.api.conftest import KeyFactory
from web.session import COOKIE, LIFETIME
from web.site import create_app

from .conftest import Browser, BrowserFactory


async def test_a_stranger_is_asked_for_a_key_and_led_back(
    open_browser: BrowserFactory, make_key: KeyFactory, tenant_id: UUID
) -> None:
    browser = await open_browser()
    asked = await browser.see("/console?status=failed")
    assert asked.status_code == 401
    assert 'name="then" value="/console?status=failed"' in asked.text
    answer = await browser.submit("/console/sign-in", key=await make_key(tenant_id), then="/console?status=failed")
    assert (answer.status_code, answer.headers["location"]) == (303, "/console?status=failed")
    page = await browser.see("/console")
    assert page.status_code == 200
    assert "acme · test key" in page.text


async def test_the_cookie_is_kept_from_scripts_and_other_sites(
    open_browser: BrowserFactory, make_key: KeyFactory, tenant_id: UUID
) -> None:
    key = await make_key(tenant_id)
    answer = await (await open_browser()).submit("/console/sign-in", key=key)
    cookie = answer.headers["set-cookie"]
    parts = {part.strip() for part in cookie.split(";")[1:]}
    assert {"HttpOnly", "SameSite=strict", "Path=/console", "Max-Age=43200"} <= parts
    value = base64.urlsafe_b64decode(cookie.split(";")[0].partition("=")[2].strip('"'))
    assert key.encode() not in value
    assert str(tenant_id).encode() not in value


async def test_the_cookie_stays_on_encrypted_connections(
    settings: Settings, database: Database, key_ring: KeyRing, make_key: KeyFactory, tenant_id: UUID
) -> None:
    secure = settings.model_copy(update={"public_url": "https://carillon.example"})
    app = create_app(secure, database=database, key_ring=key_ring)
    async with app.router.lifespan_context(app):
        browser = Browser(app)
        headers = {"Origin": "https://carillon.example"}
        form = {"key": await make_key(tenant_id)}
        answer = await browser.client.post("/console/sign-in", data=form, headers=headers)
    assert "; Secure" in answer.headers["set-cookie"]


@pytest.mark.parametrize("key", ["", "  ", "wrong", "car_AAAAAAAAAAAA_" + "A" * 43, "car_\u0000", "ключ"])
async def test_a_wrong_key_opens_nothing(open_browser: BrowserFactory, key: str) -> None:
    browser = await open_browser()
    answer = await browser.submit("/console/sign-in", key=key)
    assert answer.status_code == 401
    assert 'role="alert"' in answer.text
    assert "set-cookie" not in answer.headers
    assert key.strip() not in answer.text or not key.strip()
    assert (await browser.see("/console")).status_code == 401


@pytest.mark.parametrize(
    ("values", "said"),
    [({"revoked_at": func.now()}, "revoked"), ({"expires_at": func.now()}, "expired")],
    ids=["revoked", "expired"],
)
async def test_a_session_ends_with_its_key(
    browser: Browser, database: Database, tenant_id: UUID, values: dict[str, object], said: str
) -> None:
    assert (await browser.see("/console")).status_code == 200
    async with database.tenant(tenant_id) as connection:
        await connection.execute(api_key.update().values(values))
    refused = await browser.see("/console")
    assert refused.status_code == 401
    assert said in refused.text
    assert COOKIE not in browser.client.cookies


async def test_a_suspended_tenant_sees_nothing(browser: Browser, database: Database, tenant_id: UUID) -> None:
    async with database.system() as connection:
        await connection.execute(tenant.update().where(tenant.c.id == tenant_id).values(state="suspended"))
    refused = await browser.see("/console")
    assert refused.status_code == 403
    assert "suspended" in refused.text


async def test_scopes_are_read_again_at_every_request(browser: Browser, database: Database, tenant_id: UUID) -> None:
    async with database.tenant(tenant_id) as connection:
        await connection.execute(api_key.update().values(scopes=["templates:read"]))
    assert (await browser.see("/console")).status_code == 403
    assert (await browser.see("/console/templates")).status_code == 200


async def test_a_session_ends_after_its_hours(app: FastAPI, browser: Browser) -> None:
    services = app.state.services
    then = services.now() + LIFETIME
    later = create_app_at(app, then - timedelta(minutes=1))
    assert (await _with_cookies(later, browser).get("/console")).status_code == 200
    too_late = create_app_at(app, then + timedelta(seconds=1))
    refused = await _with_cookies(too_late, browser).get("/console")
    assert refused.status_code == 401
    assert "has ended" in refused.text


@pytest.mark.parametrize("value", ["x", "", "AAAA", "é", base64.urlsafe_b64encode(b"\x01" * 80).decode()])
async def test_a_made_up_cookie_opens_nothing(open_browser: BrowserFactory, value: str) -> None:
    browser = await open_browser()
    headers = {b"Cookie": f"{COOKIE}={value}".encode()}
    assert (await browser.client.get("/console", headers=headers)).status_code == 401


async def test_a_cookie_of_another_key_ring_opens_nothing(
    settings: Settings, database: Database, browser: Browser
) -> None:
    other = create_app(settings, database=database, key_ring=KeyRing({"other": b"o" * 32}))
    assert (await _with_cookies(other, browser).get("/console")).status_code == 401


async def test_signing_out_takes_the_cookie_away(browser: Browser) -> None:
    answer = await browser.submit("/console/sign-out")
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/sign-in")
    assert (await browser.see("/console")).status_code == 401


@pytest.mark.parametrize(
    "then",
    [
        "https://evil.example",
        "//evil.example",
        "/console\\evil",
        "/consoles",
        "/v1/keys",
        "javascript:alert(1)",
        "/console\r\nX: y",
    ],
)
async def test_signing_in_leads_nowhere_else(
    open_browser: BrowserFactory, make_key: KeyFactory, tenant_id: UUID, then: str
) -> None:
    browser = await open_browser()
    answer = await browser.submit("/console/sign-in", key=await make_key(tenant_id), then=then)
    assert (answer.status_code, answer.headers["location"]) == (303, "/console")


@pytest.mark.parametrize(
    ("path", "scopes", "needed"),
    [
        ("/console", ["templates:read"], "notifications:read"),
        ("/console/templates", ["notifications:read"], "templates:read"),
        ("/console/accounts", ["notifications:read"], "accounts:read"),
    ],
)
async def test_a_key_without_the_scope_is_told_which_one(
    open_browser: BrowserFactory, tenant_id: UUID, path: str, scopes: Sequence[str], needed: str
) -> None:
    browser = await open_browser(tenant_id, scopes=scopes)
    refused = await browser.see(path)
    assert refused.status_code == 403
    assert f"<code>{needed}</code>" in refused.text
    assert "Sign out" in refused.text
    assert f'href="{path}" aria-current' not in refused.text


def create_app_at(app: FastAPI, moment: object) -> FastAPI:
    """Returns the application as it is at another time."""
    services = app.state.services
    made = create_app(services.settings, database=services.database, key_ring=services.key_ring)
    object.__setattr__(made.state.services, "now", lambda: moment)
    return made


def _with_cookies(app: FastAPI, browser: Browser) -> httpx.AsyncClient:
    other = Browser(app).client
    other.cookies = browser.client.cookies
    return other
