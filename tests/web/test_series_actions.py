"""What the console does about one series: asked first, with a reason, and told as it turned out."""

import asyncio
import re
from datetime import UTC, datetime
from html import unescape
from typing import Any
from uuid import UUID

import httpx
import pytest

from db.session import Database
from sealing import KeyRing
from tests import factories
from tests.activities.series_clock import Clock
from tests.api import deliveries, flowing, sending

from .conftest import Browser, BrowserFactory

DATED = """
name: reminder
steps:
- wait: {until: due_at}
  id: due
- {send: hello, id: today}
"""


@pytest.fixture
async def series_id(api: httpx.AsyncClient, database: Database, tenant_id: UUID) -> str:
    """A series that sent its first message and waits a day."""
    await sending.publish(api)
    await flowing.publish(api)
    made = await flowing.start(api, zone="Asia/Kolkata")
    await Clock(database, tenant_id, UUID(made), now=datetime.now(UTC)).look()
    return made


async def standing(api: httpx.AsyncClient, series_id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await api.get(f"/v1/series/{series_id}")).json()
    return found


async def last(api: httpx.AsyncClient, series_id: str) -> dict[str, Any]:
    line: dict[str, Any] = (await api.get(f"/v1/series/{series_id}/timeline")).json()["data"][0]
    return line


async def seen(browser: Browser, path: str) -> str:
    """Returns which version of the series a question shows."""
    (found,) = re.findall(r'name="seen" value="([^"]+)"', (await browser.see(path)).text)
    return unescape(str(found))


async def test_every_action_asks_and_wants_to_know_why(
    browser: Browser, api: httpx.AsyncClient, series_id: str
) -> None:
    before = await standing(api, series_id)
    page = (await browser.see(f"/console/series/{series_id}")).text
    for kind in ("pause", "skip", "run-again", "move", "stop"):
        assert f'href="/console/series/{series_id}/{kind}"' in page
        asked = await browser.see(f"/console/series/{series_id}/{kind}")
        assert asked.status_code == 200
        if kind != "move":  # it has no date
            assert 'id="reason" name="reason" maxlength="200" required' in asked.text
        assert (
            await browser.submit(f"/console/series/{series_id}/{kind}", reason=" ", step="second", seen="*")
        ).status_code == 422
    assert "no date that could be moved" in (await browser.see(f"/console/series/{series_id}/move")).text
    assert await standing(api, series_id) == before


async def test_it_is_paused_and_resumed(browser: Browser, api: httpx.AsyncClient, series_id: str) -> None:
    place = f"/console/series/{series_id}"
    answer = await browser.submit(f"{place}/pause", reason="she called")
    assert "Paused: it does nothing" in (await browser.client.get(answer.headers["location"])).text
    line = await last(api, series_id)
    assert line["kind"] == "paused"
    assert line["detail"]["reason"] == "she called"
    assert (await standing(api, series_id))["status"] == "paused"
    page = (await browser.see(place)).text
    assert f'href="{place}/resume"' in page
    assert f'href="{place}/pause"' not in page
    await browser.submit(f"{place}/resume", reason="she agreed")
    assert (await standing(api, series_id))["status"] == "running"
    assert (await last(api, series_id))["detail"]["reason"] == "she agreed"


async def test_a_step_is_left_out_and_taken_again(browser: Browser, api: httpx.AsyncClient, series_id: str) -> None:
    place = f"/console/series/{series_id}"
    assert "The step <code>a_day</code> is left out" in (await browser.see(f"{place}/skip")).text
    answer = await browser.submit(f"{place}/skip", reason="at once", seen=await seen(browser, f"{place}/skip"))
    assert answer.status_code == 303
    assert (await standing(api, series_id))["step"] == "second"
    asked = (await browser.see(f"{place}/run-again")).text
    assert re.findall(r"<option[^>]*>(\w+)</option>", asked) == ["first", "a_day", "second"]
    shown = await seen(browser, f"{place}/run-again")
    for step, why in (("none", "there is no step"), ("Not a step!", "pattern")):
        wrong = await browser.submit(f"{place}/run-again", reason="again", step=step, seen=shown)
        assert (wrong.status_code, why in wrong.text) == (422, True)
    await browser.submit(f"{place}/run-again", reason="again", step="a_day", seen=shown)
    assert (await standing(api, series_id))["step"] == "a_day"


@pytest.mark.parametrize(("kind", "step"), [("skip", "second"), ("run-again", "first")])
async def test_a_form_that_comes_twice_acts_once(
    browser: Browser, api: httpx.AsyncClient, series_id: str, kind: str, step: str
) -> None:
    place = f"/console/series/{series_id}/{kind}"
    form = {"reason": "at once", "step": "first", "seen": await seen(browser, place)}
    answers = await asyncio.gather(browser.submit(place, **form), browser.submit(place, **form))
    assert sorted(answer.status_code for answer in answers) == [303, 409]
    (refused,) = [answer.text for answer in answers if answer.status_code == 409]
    assert "It has moved on since you were asked; nothing was done." in refused
    assert f'action="{place}"' in refused
    after = await standing(api, series_id)
    assert after["step"] == step
    assert (await browser.submit(place, **form)).status_code == 409
    assert await standing(api, series_id) == after


async def test_a_step_that_nobody_was_shown_is_not_left_out(
    browser: Browser, api: httpx.AsyncClient, series_id: str
) -> None:
    place = f"/console/series/{series_id}/skip"
    shown = await seen(browser, place)
    await api.post(f"/v1/series/{series_id}/run-again", json={"step": "second"})
    before = await standing(api, series_id)
    assert (await browser.submit(place, reason="x", seen=shown)).status_code == 409
    assert await standing(api, series_id) == before
    assert (await browser.submit(place, reason="x")).status_code == 422


async def test_a_date_is_moved_by_the_recipient_s_clock(browser: Browser, api: httpx.AsyncClient) -> None:
    await flowing.publish(api, DATED)
    made = await flowing.start(api, zone="Asia/Kolkata", anchors={"due_at": "2027-06-20T09:00:00+05:30"})
    place = f"/console/series/{made}"
    asked = unescape((await browser.see(f"{place}/move")).text)
    assert 'name="date.due_at" type="datetime-local" step="1" value="2027-06-20T09:00:00"' in asked
    shown = {"was.due_at": "2027-06-20T09:00:00"}
    same = await browser.submit(f"{place}/move", **shown, **{"date.due_at": shown["was.due_at"]}, reason="x")
    assert (same.status_code, "no date was changed" in same.text) == (422, True)
    wrong = await browser.submit(f"{place}/move", **shown, **{"date.due_at": "tomorrow"}, reason="x")
    assert (wrong.status_code, "write a date with a time of day" in wrong.text) == (422, True)
    answer = await browser.submit(f"{place}/move", **shown, **{"date.due_at": "2027-07-01T10:30"}, reason="a week more")
    assert answer.status_code == 303
    assert (await standing(api, made))["anchors"] == {"due_at": "2027-07-01T05:00:00Z"}
    told = unescape((await browser.client.get(answer.headers["location"])).text)
    assert "Moved: every wait that is still to come counts from the new date." in told
    assert "a week more" in told


@pytest.mark.parametrize(
    ("zone", "at"),
    [
        pytest.param("Asia/Kolkata", "2027-06-20T03:30:00Z", id="without seconds"),
        pytest.param("Asia/Kolkata", "2027-06-20T03:30:00.250000Z", id="with a fraction of a second"),
        pytest.param("Europe/Berlin", "2027-10-31T01:30:00Z", id="the second of two"),
        pytest.param("Asia/Kolkata", "9999-12-31T23:59:00Z", id="behind the last year"),
    ],
)
async def test_a_date_that_nobody_touched_stays(browser: Browser, api: httpx.AsyncClient, zone: str, at: str) -> None:
    await flowing.publish(api, DATED + "- {wait: {until: then}, id: last}\n")
    dates = {"due_at": at, "then": "2027-01-01T00:00:00Z"}
    made = await flowing.start(api, zone=zone, anchors=dates)
    place = f"/console/series/{made}/move"
    fields = re.findall(r'name="((?:date|was)\.\w+)"[^>]* value="([^"]*)"', (await browser.see(place)).text)
    assert len(fields) == 4
    form = {name: value.removesuffix(":00") if name.startswith("date.") else value for name, value in fields}
    assert (await browser.submit(place, **form, reason="x")).status_code == 422
    form["date.then"] = "2027-02-01T00:00"
    assert (await browser.submit(place, **form, reason="x")).status_code == 303
    line = await last(api, made)
    assert list(line["detail"]["anchors"]) == ["then"]
    assert (await standing(api, made))["anchors"]["due_at"] == at


async def test_stopping_takes_back_what_was_not_sent(browser: Browser, api: httpx.AsyncClient, series_id: str) -> None:
    answer = await browser.submit(f"/console/series/{series_id}/stop", reason="sold out")
    page = (await browser.client.get(answer.headers["location"])).text
    assert "Stopped: no step follows" in page
    assert (await standing(api, series_id))["detail"] == "sold out"
    (sent,) = (await api.get("/v1/notifications")).json()["data"]
    assert sent["status"] == "cancelled"
    again = await browser.submit(f"/console/series/{series_id}/stop", reason="again")
    assert "It was over already." in (await browser.client.get(again.headers["location"])).text
    assert "cannot be steered any more" in (await browser.see(f"/console/series/{series_id}/pause")).text
    assert (await browser.submit(f"/console/series/{series_id}/pause", reason="x")).status_code == 409


async def test_stopping_too_late_says_what_was_quicker(
    browser: Browser, api: httpx.AsyncClient, series_id: str, database: Database, tenant_id: UUID, key_ring: KeyRing
) -> None:
    account_id = await factories.make_account(
        database, tenant_id, key_ring, provider="sandbox", channel="sms", config={}, name="Texts"
    )
    (sent,) = (await api.get("/v1/notifications")).json()["data"]
    async with database.tenant(tenant_id) as connection:
        await deliveries.claim(connection, tenant_id, deliveries.order(tenant_id, UUID(sent["id"]), account_id))
    answer = await browser.submit(f"/console/series/{series_id}/stop", reason="sold out")
    page = (await browser.client.get(answer.headers["location"])).text
    assert "too late for what was just being handed over" in page
    assert f'<a href="/console/notifications/{sent["id"]}">What was quicker</a>' in page
    assert (await standing(api, series_id))["status"] == "stopped"


async def test_a_key_that_may_only_read_cannot_act(
    open_browser: BrowserFactory, tenant_id: UUID, api: httpx.AsyncClient, series_id: str
) -> None:
    reader = await open_browser(tenant_id, scopes=["series:read"])
    for kind in ("pause", "resume", "skip", "run-again", "move", "stop"):
        path = f"/console/series/{series_id}/{kind}"
        assert (await reader.see(path)).status_code == 403
        assert (await reader.submit(path, reason="x", step="second")).status_code == 403
    assert (await standing(api, series_id))["status"] == "running"


async def test_a_form_of_another_site_stops_nothing(browser: Browser, api: httpx.AsyncClient, series_id: str) -> None:
    path = f"/console/series/{series_id}/stop"
    answer = await browser.client.post(path, data={"reason": "x"}, headers={"Origin": "http://evil.example"})
    assert answer.status_code == 403
    assert (await standing(api, series_id))["status"] == "running"
