"""The console's schedules, with what their runs did, and its topics."""

import re
from datetime import UTC, datetime
from html import unescape
from uuid import UUID

import httpx
import pytest

from db.schedule_tables import schedule_run
from db.session import Database
from tests import factories
from tests.api import scheduling

from .conftest import Browser, BrowserFactory

LONG_AGO = datetime(2026, 1, 5, 3, 30, tzinfo=UTC)


@pytest.fixture
async def place(api: httpx.AsyncClient) -> str:
    """The page of a schedule that runs every day at nine in Kolkata."""
    return f"/console/schedules/{(await scheduling.make(api))['id']}"


async def standing(api: httpx.AsyncClient, place: str) -> dict[str, object]:
    found: dict[str, object] = (await api.get(place.replace("/console", "/v1"))).json()
    return found


async def runs(api: httpx.AsyncClient, place: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = (await api.get(place.replace("/console", "/v1") + "/runs")).json()["data"]
    return found


async def test_the_list_says_when_each_runs_next(browser: Browser, place: str) -> None:
    page = unescape((await browser.see("/console/schedules")).text)
    assert f'class="main" href="{place}">daily</a>' in page
    assert "0 9 * * *" in page
    assert '<a href="/console/schedules" aria-current="page">' in page


async def test_a_page_says_on_which_days_nothing_runs(browser: Browser, api: httpx.AsyncClient) -> None:
    await api.put("/v1/calendars/india", json={"days": ["08-15"]})
    without = {"calendars": ["india"], "weekdays": ["sat", "sun"], "dates": ["2027-01-04", "2027-01-05"]}
    made = await scheduling.make(api, spec={**scheduling.DAILY, "except": without})
    page = (await browser.see(f"/console/schedules/{made['id']}")).text
    told = "days of <code>india</code>, sat, sun, 2027-01-04, 2027-01-05"
    assert f"<dt>not on</dt><dd>{told}</dd>" in page


@pytest.mark.parametrize(
    ("query", "expected"),
    [({"status": "active"}, 1), ({"status": "paused"}, 0), ({"name": "daily"}, 1), ({"flow": "none"}, 0)],
    ids=str,
)
async def test_the_fields_restrict_the_list(browser: Browser, place: str, query: dict[str, str], expected: int) -> None:
    page = (await browser.see("/console/schedules", **query)).text
    assert page.count(f'href="{place}"') == expected
    assert page.count("Nothing matches") == 1 - expected


async def test_what_cannot_be_looked_for_is_told(browser: Browser, place: str) -> None:
    assert (await browser.see("/console/schedules", status="tired")).status_code == 400
    assert (await browser.see(place, status="tired")).status_code == 400
    assert (await browser.see("/console/schedules/none")).status_code == 404


async def test_the_page_has_the_next_instants_by_its_clock_and_what_runs_did(
    browser: Browser, place: str, database: Database, tenant_id: UUID
) -> None:
    told = {"cause": "clock", "seen": 7, "started": 5, "reused": 1, "refused": 1}
    await factories.insert(
        database, tenant_id, schedule_run, schedule_id=UUID(place.rpartition("/")[2]), scheduled_at=LONG_AGO,
        status="failed", error="the flow is gone", refusals=[{"item": "asha", "detail": "nobody has this id"}], **told,
    )  # fmt: skip
    page = unescape((await browser.see(place)).text)
    assert len(re.findall(r'data-zone="Asia/Kolkata">[^<]+09:00:00 Asia/Kolkata', page)) == 5
    for text in ("the flow is gone", "nobody has this id", "5 Jan 2026", 'class="status s-failed"'):
        assert text in page
    assert "/schedules/schedule%2F" in page
    assert "the flow is gone" not in (await browser.see(place, status="done")).text


async def test_it_is_paused_and_resumed_after_a_question(browser: Browser, api: httpx.AsyncClient, place: str) -> None:
    for kind, status in (("pause", "paused"), ("resume", "active")):
        assert f'href="{place}/{kind}"' in (await browser.see(place)).text
        (once,) = re.findall(r'name="once" value="(\w+)"', (await browser.see(f"{place}/{kind}")).text)
        answer = await browser.submit(f"{place}/{kind}", once=once)
        assert answer.headers["location"] == f"{place}?outcome={kind}"
        assert (await standing(api, place))["status"] == status
    assert "Resumed: it runs again" in (await browser.see(place, outcome="resume")).text


async def test_it_runs_once_however_often_its_form_is_sent(
    browser: Browser, api: httpx.AsyncClient, place: str
) -> None:
    (once,) = re.findall(r'name="once" value="(\w+)"', (await browser.see(f"{place}/trigger")).text)
    for _ in range(2):
        answer = await browser.submit(f"{place}/trigger", once=once)
        assert answer.status_code == 303
    assert [run["cause"] for run in await runs(api, place)] == ["trigger"]
    assert "by hand" in (await browser.see(place, outcome="trigger")).text
    assert (await browser.submit(f"{place}/trigger", once="again")).status_code == 422


async def test_runs_have_pages(browser: Browser, api: httpx.AsyncClient, place: str) -> None:
    for _ in range(2):
        await api.post(place.replace("/console", "/v1") + "/trigger")
    page = (await browser.see(place, limit="1")).text
    (older,) = re.findall(r'href="([^"]+)" rel="next"', page)
    assert page.count(">by hand<") == 1
    assert (await browser.client.get(unescape(older))).text.count(">by hand<") == 1


async def test_who_may_not_act_is_offered_nothing(
    open_browser: BrowserFactory, tenant_id: UUID, other_tenant_id: UUID, api: httpx.AsyncClient, place: str
) -> None:
    reader = await open_browser(tenant_id, scopes=["schedules:read"])
    assert f"{place}/" not in (await reader.see(place)).text
    other = await open_browser(other_tenant_id)
    form = {"once": "0" * 32}
    for kind in ("pause", "trigger"):
        assert [(await one.see(f"{place}/{kind}")).status_code for one in (reader, other)] == [403, 404]
        assert [(await one.submit(f"{place}/{kind}", **form)).status_code for one in (reader, other)] == [403, 404]
    assert (await other.see(place)).status_code == 404
    assert "No schedule yet" in (await other.see("/console/schedules")).text
    assert (await runs(api, place), (await standing(api, place))["status"]) == ([], "active")


async def test_topics_say_what_holds_where_nobody_chose(
    browser: Browser, open_browser: BrowserFactory, tenant_id: UUID, other_tenant_id: UUID, api: httpx.AsyncClient
) -> None:
    assert "No topic yet" in (await browser.see("/console/topics")).text
    caps = [{"most": 3, "per": "1d", "channels": ["sms"], "then": "delay"}]
    body = {"default": "opted_out", "titles": {"hi": "समाचार"}, "channels": ["sms"], "caps": caps}
    assert (await api.put("/v1/topics/news", json=body)).status_code == 201
    await api.put("/v1/topics/orders", json={"transactional": True})
    page = (await browser.see("/console/topics")).text
    for text in ("<b>news</b>", "not sent", "3 in 1d over sms, then wait", "समाचार", "<b>orders</b>", "transactional"):
        assert text in page
    assert "<b>orders</b>" in (await browser.see("/console/topics", limit="1")).text
    stranger = await open_browser(tenant_id, scopes=["series:read"])
    assert (await stranger.see("/console/topics")).status_code == 403
    assert "No topic yet" in (await (await open_browser(other_tenant_id)).see("/console/topics")).text
