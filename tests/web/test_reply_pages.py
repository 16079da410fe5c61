"""The console's held replies: counted in the menu, listed, given to a series or dismissed, with the reason."""

import re
from html import unescape
from uuid import UUID

import httpx
import pytest

from db.session import Database
from tests.activities.series_clock import Clock
from tests.api.asking import ask_twice
from tests.api.reply_rows import says

from .conftest import Browser, BrowserFactory


@pytest.fixture
async def two(api: httpx.AsyncClient, database: Database, tenant_id: UUID) -> list[str]:
    """Two series that wait for an answer of the same person."""
    return await ask_twice(api, database, tenant_id)


@pytest.fixture
async def place(api: httpx.AsyncClient, two: list[str], database: Database, tenant_id: UUID) -> str:
    """The page of an answer that may mean both."""
    await says(database, tenant_id, body="Yes, at ten")
    (held,) = (await api.get("/v1/held-replies")).json()["data"]
    return f"/console/replies/{held['id']}"


async def test_open_ones_are_counted_on_every_page_and_listed(
    browser: Browser, open_browser: BrowserFactory, tenant_id: UUID, two: list[str], place: str
) -> None:
    counted = '<b class="waiting">1<span class="unseen"> waiting</span></b>'
    assert counted in (await browser.see("/console")).text
    page = (await browser.see("/console/replies")).text
    assert f'class="main" href="{place}">Yes, at ten</a>' in page
    assert all(f"/console/series/{name}" in page for name in two)
    sender = await open_browser(tenant_id, scopes=["notifications:read"])
    assert "waiting" not in (await sender.see("/console")).text
    assert (await sender.see("/console/replies")).status_code == 403


async def test_it_is_given_to_the_series_that_it_means(
    browser: Browser, api: httpx.AsyncClient, two: list[str], place: str, database: Database, tenant_id: UUID
) -> None:
    page = (await browser.see(place)).text
    assert sorted(re.findall(r'name="series_id" value="([^"]+)"', page)) == sorted(two)
    answer = await browser.submit(f"{place}/give", series_id=two[1], reason="the second")
    told = (await browser.client.get(answer.headers["location"])).text
    assert "Given: the series hears it" in told
    assert ": the second" in told
    assert '<form method="post" action="/console/replies' not in told
    for name in two:
        await Clock(database, tenant_id, UUID(name)).look()
    assert [(await api.get(f"/v1/series/{name}")).json()["status"] for name in two] == ["running", "completed"]
    assert 'class="waiting"' not in (await browser.see("/console")).text
    again = await browser.submit(f"{place}/dismiss", reason="x")
    assert (again.status_code, "It was given already" in again.text) == (409, True)


async def test_it_is_dismissed_with_a_reason(browser: Browser, api: httpx.AsyncClient, place: str) -> None:
    assert (await browser.submit(f"{place}/dismiss", reason=" ")).status_code == 422
    answer = await browser.submit(f"{place}/dismiss", reason="said on the phone")
    assert "Dismissed: no series hears it." in (await browser.client.get(answer.headers["location"])).text
    (held,) = (await api.get("/v1/held-replies")).json()["data"]
    assert (held["state"], held["settled_reason"]) == ("dismissed", "said on the phone")
    assert place in (await browser.see("/console/replies", state="dismissed")).text
    assert place in (await browser.see("/console/replies", state="all", author="+919876543210")).text
    assert "Nobody waits for you" in (await browser.see("/console/replies")).text
    assert "Nothing matches" in (await browser.see("/console/replies", state="all", author="+15550000000")).text
    wrong = await browser.see("/console/replies", state="lost")
    assert (wrong.status_code, "'lost' is no state" in unescape(wrong.text)) == (400, True)


async def test_a_series_that_is_over_is_not_offered(
    browser: Browser, api: httpx.AsyncClient, two: list[str], place: str
) -> None:
    await api.post(f"/v1/series/{two[0]}/stop")
    assert re.findall(r'name="series_id" value="([^"]+)"', (await browser.see(place)).text) == [two[1]]
    late = await browser.submit(f"{place}/give", series_id=two[0], reason="x")
    assert (late.status_code, "hears nothing any more" in late.text) == (409, True)


async def test_who_may_not_act_is_shown_no_form(
    open_browser: BrowserFactory, tenant_id: UUID, other_tenant_id: UUID, two: list[str], place: str
) -> None:
    reader = await open_browser(tenant_id, scopes=["series:read"])
    page = (await reader.see(place)).text
    assert "/give" not in page
    assert "<code>series:write</code>" in page
    other = await open_browser(other_tenant_id)
    assert (await other.see(place)).status_code == 404
    for way, form in (("give", {"series_id": two[0]}), ("dismiss", {})):
        assert (await reader.submit(f"{place}/{way}", **form, reason="x")).status_code == 403
        assert (await other.submit(f"{place}/{way}", **form, reason="x")).status_code == 404
    assert "Nobody waits for you" in (await other.see("/console/replies")).text
    assert 'class="waiting"' not in (await other.see("/console")).text
