"""The console's page of one series: where it stands and why, what it did, what is still to come, what it sent."""

import re
from datetime import UTC, datetime
from html import unescape
from uuid import UUID, uuid4

import httpx
import pytest

from db.session import Database
from tests.activities.series_clock import Clock
from tests.api import flowing, sending

from .conftest import Browser, BrowserFactory

BRANCHING = """
name: reminder
steps:
- {send: hello, id: first}
- branch:
  - {when: data.name == "Ravi", steps: []}
  - {when: data.name == "Asha", steps: [{send: hello, id: for_asha}]}
  id: who
- {wait_for: reply, id: answer, timeout: P1D}
"""


async def place_of(api: httpx.AsyncClient, **changes: object) -> str:
    return f"/console/series/{await flowing.start(api, **changes)}"


async def look(database: Database, tenant_id: UUID, place: str) -> None:
    await Clock(database, tenant_id, UUID(place.rpartition("/")[2]), now=datetime.now(UTC)).look()


async def test_it_says_where_it_stands_by_the_recipient_s_clock_and_in_utc(
    browser: Browser, api: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await sending.publish(api)
    await flowing.publish(api)
    place = await place_of(api, zone="Asia/Kolkata", resource={"type": "shop/order", "id": "a/1"})
    await look(database, tenant_id, place)
    page = unescape((await browser.see(place)).text)
    assert "It stands at <code>a_day</code> and goes on" in page
    assert 'data-zone="Asia/Kolkata"' in page
    assert 'data-zone="UTC"' in page
    assert "Sooner, when it hears <code>event:order.paid</code>" in page
    assert "Waits until" in page
    assert "What is still to come" in page
    assert "Sends hello." in page
    assert "/workflows/series%2F" in page
    assert "/console/flows/reminder/versions/1" in page
    (others,) = re.findall(r'href="(/console/series\?resource_type=[^"]+)"', page)
    assert place in (await browser.see(others)).text


async def test_the_timeline_tells_conditions_and_leads_to_what_was_sent(
    browser: Browser, api: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await sending.publish(api)
    await flowing.publish(api, BRANCHING)
    place = await place_of(api)
    await look(database, tenant_id, place)
    page = unescape((await browser.see(place)).text)
    assert 'Case 2 held: data.name == "Asha" (data.name was Asha)' in page
    assert '<code>data.name == "Ravi" (data.name was Asha)</code> did not hold' in page
    assert "Waits for reply until" in page
    sent = (await api.get("/v1/notifications")).json()["data"]
    assert len(sent) == 2
    for one in sent:
        assert page.count(f'href="/console/notifications/{one["id"]}"') == 2  # on the timeline, and below it
    ours = unescape((await browser.see(f"/console/notifications/{sent[0]['id']}")).text)
    assert f'<a href="{place}">for_asha</a>' in ours
    listed = (await browser.see("/console", series=place.rpartition("/")[2])).text
    assert all(one["id"] in listed for one in sent)
    assert (await browser.see("/console", series="none")).status_code == 400


async def test_the_timeline_has_pages(browser: Browser, api: httpx.AsyncClient) -> None:
    await flowing.publish(api)
    place = await place_of(api)
    for way in ("pause", "resume"):
        await api.post(place.replace("/console", "/v1") + f"/{way}")
    first = (await browser.see(place, limit="2")).text
    assert "Resumed from paused." in first
    assert "Began by the flow" not in first
    older = first.split('" rel="next"')[0].rpartition('href="')[2]
    assert "Began by the flow reminder." in (await browser.client.get(unescape(older))).text


async def test_a_parked_one_says_why_and_what_to_do(
    browser: Browser, api: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await flowing.publish(api)
    place = await place_of(api)
    await look(database, tenant_id, place)
    page = unescape((await browser.see(place)).text)
    assert "the template 'hello' is not there" in page
    assert "Publish the template with a part for its channel, then resume." in page


async def test_one_that_is_over_offers_nothing(browser: Browser, api: httpx.AsyncClient) -> None:
    await flowing.publish(api)
    place = await place_of(api)
    await api.post(place.replace("/console", "/v1") + "/stop", json={"reason": "sold out"})
    page = unescape((await browser.see(place)).text)
    assert "It ended" in page
    assert "sold out" in page
    assert f"{place}/" not in page
    assert "What is still to come" not in page


async def test_a_paused_flow_is_told(browser: Browser, api: httpx.AsyncClient) -> None:
    await flowing.publish(api)
    place = await place_of(api)
    assert "The flow is paused" not in (await browser.see(place)).text
    await api.patch("/v1/flows/reminder", json={"status": "paused"})
    assert "The flow is paused" in (await browser.see(place)).text


async def test_what_the_recipient_allows_is_shown_to_who_may_see_it(
    browser: Browser, open_browser: BrowserFactory, api: httpx.AsyncClient, tenant_id: UUID
) -> None:
    await flowing.publish(api)
    await api.put("/v1/recipients/asha", json={"name": "Asha"})
    await api.put("/v1/topics/news", json={"default": "opted_out", "channels": ["email"]})
    place = await place_of(api, to={"recipient": "asha"})
    page = (await browser.see(place)).text
    assert "What the recipient allows" in page
    assert '<td class="break">news</td><td>email</td><td>unset</td>' in page
    reader = await open_browser(tenant_id, scopes=["series:read"])
    page = (await reader.see(place)).text
    assert "What the recipient allows" not in page
    assert "needs the scope <code>notifications:read</code>" in page
    assert "needs the scope <code>series:write</code>" in page
    assert f"{place}/" not in page


async def test_another_tenant_s_series_is_not_there(
    open_browser: BrowserFactory, other_tenant_id: UUID, api: httpx.AsyncClient, browser: Browser
) -> None:
    await flowing.publish(api)
    place = await place_of(api)
    other = await open_browser(other_tenant_id)
    for path in (place, f"{place}/stop", f"{place}/move"):
        assert (await other.see(path)).status_code == 404
    assert (await other.submit(f"{place}/stop", reason="mine")).status_code == 404
    assert (await browser.see(f"/console/series/{uuid4()}")).status_code == 404
    assert (await browser.see("/console/series/none")).status_code == 404


@pytest.mark.parametrize("cause", ["anchor_missing", "call_unavailable", "made_up", None])
def test_every_cause_has_a_way_out(cause: str | None) -> None:
    from web.series_words import way_out  # noqa: PLC0415 - beside its only use

    assert "resume" in way_out(cause)
