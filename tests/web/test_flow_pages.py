"""The console's pages of flows: how each stands, what its versions say, publishing one, and the incident switch."""

import asyncio
import re
from datetime import UTC, datetime
from html import unescape
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select

from db import flows
from db.session import Database
from db.tables import audit_entry
from tests.activities.series_clock import Clock
from tests.api import flowing, sending

from .conftest import Browser, BrowserFactory

NEXT = flowing.REMINDER.replace("id: a_day", "id: one_day").replace("P1D", "P2D")


@pytest.fixture
async def waiting(api: httpx.AsyncClient, database: Database, tenant_id: UUID) -> list[str]:
    """Two series that wait at `a_day` of version 1, and a second version that calls it `one_day`."""
    await sending.publish(api)
    await flowing.publish(api)
    made = [await flowing.start(api, key=f"order-{number}") for number in range(2)]
    for name in made:
        await Clock(database, tenant_id, UUID(name), now=datetime.now(UTC)).look()
    await flowing.push(api, NEXT)
    return made


async def flow(api: httpx.AsyncClient) -> dict[str, object]:
    found: dict[str, object] = (await api.get("/v1/flows/reminder")).json()
    return found


async def test_the_list_counts_those_that_run_and_those_that_are_parked(
    browser: Browser, api: httpx.AsyncClient, waiting: list[str]
) -> None:
    await api.post(f"/v1/series/{waiting[0]}/pause")
    await flowing.push(api, flowing.REMINDER.replace("name: reminder", "name: draft"), "draft")
    page = unescape((await browser.see("/console/flows")).text)
    assert re.findall(r'class="main" href="/console/flows/([\w]+)"', page) == ["draft", "reminder"]
    assert '<a href="/console/series?flow=reminder&status=running">1</a>' in page
    assert '<a href="/console/series?flow=reminder&status=paused">1</a>' in page
    assert "status=parked" not in page
    only = (await browser.see("/console/flows", status="draft")).text
    assert "/console/flows/reminder" not in only
    assert (await browser.see("/console/flows", status="tired")).status_code == 400
    assert "No flow is paused" in (await browser.see("/console/flows", status="paused")).text


async def test_a_flow_says_who_waits_where_and_has_its_versions(browser: Browser, waiting: list[str]) -> None:
    page = unescape((await browser.see("/console/flows/reminder")).text)
    assert "New series take version 1." in page
    assert '<a href="/console/series?flow=reminder&version=1&step=a_day">2</a>' in page
    assert "Version 1, live" in page
    assert 'href="/console/flows/reminder/versions/2/publish"' in page
    assert 'href="/console/flows/reminder/versions/1/publish"' not in page
    assert "Pause everything" in page
    older = unescape((await browser.see("/console/flows/reminder", limit="1")).text)
    (link,) = re.findall(r'href="([^"]+)" rel="next"', older)
    assert "versions/1" in (await browser.client.get(link)).text


async def test_a_version_shows_its_text_and_what_differs(browser: Browser, waiting: list[str]) -> None:
    page = unescape((await browser.see("/console/flows/reminder/versions/2")).text)
    assert "What differs from version 1" in page
    assert '<span class="c-removed">-- {wait: P1D, id: a_day}</span>' in page
    assert '<span class="c-added">+- {wait: P2D, id: one_day}</span>' in page
    assert NEXT.strip() in page
    first = (await browser.see("/console/flows/reminder/versions/1")).text
    assert "It is the first version." in first
    against = (await browser.see("/console/flows/reminder/versions/2", against="2")).text
    assert '<p class="dim">Nothing.</p>' in against
    assert (await browser.see("/console/flows/reminder/versions/9")).status_code == 404
    assert (await browser.see("/console/flows/none")).status_code == 404


async def test_publishing_asks_where_those_who_wait_go_on(
    browser: Browser, api: httpx.AsyncClient, waiting: list[str]
) -> None:
    place = "/console/flows/reminder/versions/2/publish"
    asked = unescape((await browser.see(place)).text)
    assert "2 series of other versions are under way." in asked
    assert '<option value="">not said: nobody goes over</option>' in asked
    refused = await browser.submit(place, expected="2", mode="migrate", **{"step.a_day": ""})
    assert refused.status_code == 422
    assert "has no step 'a_day'" in unescape(refused.text)
    changed = await browser.submit(place, expected="1", mode="stop")
    assert changed.status_code == 409
    assert "It was 1 series when you were asked" in changed.text
    assert (await flow(api))["published_version"] == 1
    answer = await browser.submit(place, expected="2", mode="migrate", **{"step.a_day": "one_day"})
    assert answer.headers["location"] == "/console/flows/reminder?outcome=published"
    assert (await flow(api))["published_version"] == 2
    standing = [(await api.get(f"/v1/series/{name}")).json() for name in waiting]
    assert [(one["version"], one["step"]) for one in standing] == [(2, "one_day")] * 2


async def test_publishing_may_stop_those_who_run_or_leave_them(
    browser: Browser, api: httpx.AsyncClient, waiting: list[str]
) -> None:
    place = "/console/flows/reminder/versions/2/publish"
    assert (await browser.submit(place, expected="0", mode="pin")).status_code == 303
    assert (await api.get(f"/v1/series/{waiting[0]}")).json()["version"] == 1
    back = "/console/flows/reminder/versions/1/publish"
    assert "No series of another version is under way." in (await browser.see(back)).text
    assert (await browser.submit(back, expected="0", mode="pin")).status_code == 303
    assert (await browser.submit(place, expected="2", mode="stop")).status_code == 303
    assert (await api.get(f"/v1/series/{waiting[0]}")).json()["reason"] == "version_replaced"


async def test_the_incident_switch_asks_acts_and_is_noted(
    browser: Browser, api: httpx.AsyncClient, waiting: list[str], database: Database, tenant_id: UUID
) -> None:
    asked = (await browser.see("/console/flows/reminder/pause")).text
    assert "with 2 series under way" in asked
    assert (await browser.submit("/console/flows/reminder/pause", reason=" ")).status_code == 422
    assert (await flow(api))["status"] == "active"
    answer = await browser.submit("/console/flows/reminder/pause", reason="wrong prices")
    assert "Paused: nothing of it starts" in (await browser.client.get(answer.headers["location"])).text
    assert (await flow(api))["status"] == "paused"
    await browser.submit("/console/flows/reminder/activate", reason="mended")
    assert (await flow(api))["status"] == "active"
    async with database.tenant(tenant_id) as connection:
        rows = await connection.execute(select(audit_entry.c.action, audit_entry.c.detail))
        noted = {row.action: row.detail.get("reason") for row in rows}
    assert (noted["flow.paused"], noted["flow.activated"]) == ("wrong prices", "mended")


async def test_who_may_only_read_and_who_may_not_even_that(
    open_browser: BrowserFactory, tenant_id: UUID, other_tenant_id: UUID, waiting: list[str]
) -> None:
    reader = await open_browser(tenant_id, scopes=["flows:read"])
    page = (await reader.see("/console/flows/reminder")).text
    assert "/publish" not in page
    assert "/pause" not in page
    assert "/console/series" not in page
    stranger = await open_browser(tenant_id, scopes=["series:read"])
    other = await open_browser(other_tenant_id)
    places = ("/console/flows/reminder/pause", "/console/flows/reminder/versions/2/publish")
    for place in places:
        form = {"reason": "x", "expected": "2", "mode": "stop"}
        assert [(await one.see(place)).status_code for one in (reader, stranger, other)] == [403, 403, 404]
        assert [(await one.submit(place, **form)).status_code for one in (reader, stranger, other)] == [403, 403, 404]
    assert (await stranger.see("/console/flows")).status_code == 403
    assert "No flow yet" in (await other.see("/console/flows")).text
    assert (await other.see("/console/flows/reminder/versions/1")).status_code == 404


async def test_who_only_looks_waits_for_nobody_who_holds_the_flow(
    browser: Browser, api: httpx.AsyncClient, waiting: list[str], database: Database, tenant_id: UUID
) -> None:
    async with database.tenant(tenant_id) as connection, asyncio.timeout(10):
        assert await flows.get(connection, tenant_id, "reminder", lock=True)
        assert (await browser.see("/console/flows/reminder/versions/2/publish")).status_code == 200
        assert (await api.post("/v1/flows/reminder/publish?dry_run=true", json={"version": 2, "mode": "stop"})).json()[
            "changed"
        ] == 2


async def test_the_page_does_not_count_again_by_itself(browser: Browser, waiting: list[str]) -> None:
    page = (await browser.see("/console/flows/reminder")).text
    assert "data-every" not in page
    assert 'href="/console/flows/reminder">Count again' in page


async def test_long_versions_are_shown_and_not_compared(browser: Browser, api: httpx.AsyncClient) -> None:
    await flowing.push(api, flowing.REMINDER)
    await flowing.push(api, flowing.REMINDER + "# more\n" * 2001)
    page = unescape((await browser.see("/console/flows/reminder/versions/2")).text)
    assert "more than 2,000 lines is not compared here" in page
    assert f"<pre>{flowing.REMINDER.strip()}" in page.replace("<pre>\n", "<pre>")
    assert "c-added" not in page
