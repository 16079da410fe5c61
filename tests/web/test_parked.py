"""The console's pages of what is parked: counted first, asked, done, and told how far it is."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from html import unescape
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from db import operations
from db.delivery_tables import notification
from db.operations import Operation
from db.session import Database
from db.tables import audit_entry
from domain.reasons import SENTENCES, Reason
from sealing import KeyRing
from tests import factories

from .conftest import Browser, BrowserFactory

Notify = Callable[..., Awaitable[UUID]]
SINCE = datetime(2026, 1, 31, 8, tzinfo=UTC)


@pytest.fixture
async def account_id(database: Database, tenant_id: UUID, key_ring: KeyRing) -> UUID:
    """An account that carries text messages."""
    return await factories.make_account(
        database, tenant_id, key_ring, provider="sandbox", channel="sms", config={}, name="Texts"
    )


@pytest.fixture
async def parked(notify: Notify, account_id: UUID) -> list[UUID]:
    """Two that are parked because of the account, one for a daily cap."""
    broken = {"parked_at": SINCE, "parked_cause": "misconfigured", "parked_account_id": account_id}
    return [
        await notify(**broken),
        await notify(**broken, trigger_type="invoice.due"),
        await notify(parked_at=SINCE, parked_cause="daily_cap"),
    ]


async def made(database: Database, tenant_id: UUID) -> list[Operation]:
    async with database.tenant(tenant_id) as connection:
        return await operations.page(connection, tenant_id, limit=10, before=None)


async def test_the_page_counts_by_cause_and_says_what_to_do(
    browser: Browser, parked: list[UUID], account_id: UUID
) -> None:
    page = (await browser.see("/console/parked")).text
    assert "3 cannot go on until something is mended" in page
    assert SENTENCES[Reason.MISCONFIGURED] in unescape(page)
    assert "Texts" in page
    assert f"/console/parked/resume?cause=misconfigured&amp;account={account_id}&amp;template=hello" in page
    assert all(f"/console/notifications/{name}" in page for name in parked)
    assert '<a href="/console/parked" aria-current="page">Parked</a>' in page


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param({"cause": "daily_cap"}, {2}, id="cause"),
        pytest.param({"trigger": "invoice.*"}, {1}, id="trigger"),
        pytest.param({"template": "other"}, set(), id="template"),
    ],
)
async def test_the_fields_restrict_the_list(
    browser: Browser, parked: list[UUID], query: dict[str, str], expected: set[int]
) -> None:
    page = (await browser.see("/console/parked", **query)).text
    assert {place for place, name in enumerate(parked) if f"/notifications/{name}" in page} == expected


async def test_a_cause_that_is_none_is_told(browser: Browser) -> None:
    answer = await browser.see("/console/parked", cause="mood")
    assert answer.status_code == 422
    assert "Input should be" in answer.text


@pytest.mark.parametrize("kind", ["pause", "stop"])
async def test_what_is_done_to_series_is_not_done_to_what_is_parked(
    browser: Browser, parked: list[UUID], database: Database, tenant_id: UUID, kind: str
) -> None:
    path = f"/console/parked/{kind}"
    assert (await browser.see(path)).status_code == 404
    assert (await browser.submit(path, expected="3", rate="50", reason="x")).status_code == 404
    assert await made(database, tenant_id) == []


async def test_nothing_parked_is_said(browser: Browser) -> None:
    assert "Nothing is parked" in (await browser.see("/console/parked")).text


async def test_resuming_asks_with_the_count_and_leads_to_its_progress(
    browser: Browser, parked: list[UUID], database: Database, tenant_id: UUID
) -> None:
    asked = (await browser.see("/console/parked/resume", cause="misconfigured")).text
    assert "<h1>Resume 2 notifications?</h1>" in asked
    assert await made(database, tenant_id) == []
    form = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', asked))
    assert form == {"cause": "misconfigured", "expected": "2"}
    answer = await browser.submit("/console/parked/resume", **form, rate="7", reason="new token")
    (operation,) = await made(database, tenant_id)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/console/operations/{operation.id}")
    assert (operation.kind, operation.rate, operation.reason, operation.total) == ("resume", 7, "new token", 2)
    page = (await browser.see(answer.headers["location"])).text
    assert "0 of 2 taken up" in page
    stopped = await browser.submit(f"/console/operations/{operation.id}/stop")
    assert stopped.status_code == 303
    page = (await browser.see(answer.headers["location"])).text
    assert 'class="status s-stopped"' in page
    assert "/stop" not in page


async def test_a_count_that_changed_is_asked_again(
    browser: Browser, parked: list[UUID], database: Database, tenant_id: UUID
) -> None:
    answer = await browser.submit("/console/parked/drop", expected="2", rate="50", reason="too late")
    assert answer.status_code == 409
    assert "It was 2 when you were asked; nothing was done." in answer.text
    assert "<h1>Drop 3 notifications?</h1>" in answer.text
    assert await made(database, tenant_id) == []


async def test_dropping_many_needs_a_reason(browser: Browser, parked: list[UUID]) -> None:
    answer = await browser.submit("/console/parked/drop", expected="3", rate="50", reason=" ")
    assert answer.status_code == 422
    assert "say why they are dropped" in answer.text


@pytest.mark.parametrize(
    ("action", "said"), [("resume", "Resumed: its run goes on"), ("drop", "Dropped: nothing of it")]
)
async def test_one_is_resumed_or_dropped_on_its_page(
    browser: Browser, parked: list[UUID], database: Database, tenant_id: UUID, action: str, said: str
) -> None:
    place = f"/console/notifications/{parked[0]}"
    page = (await browser.see(place)).text
    assert SENTENCES[Reason.MISCONFIGURED] in unescape(page)
    assert f'href="{place}/{action}"' in page
    assert f'action="{place}/{action}"' in (await browser.see(f"{place}/{action}")).text
    answer = await browser.submit(f"{place}/{action}", reason="decided")
    assert answer.status_code == 303
    assert said in (await browser.see(answer.headers["location"])).text
    async with database.tenant(tenant_id) as connection:
        (entry,) = (await connection.execute(select(audit_entry.c.action, audit_entry.c.detail))).all()
    assert (entry.action[:14], entry.detail["reason"]) == (f"notification.{action[:1]}", "decided")


async def test_what_is_not_parked_offers_neither(browser: Browser, notify: Notify) -> None:
    place = f"/console/notifications/{await notify()}"
    page = (await browser.see(place)).text
    assert not re.search(r"/(resume|drop)\"", page)
    assert "It is not parked any more" in (await browser.see(f"{place}/resume")).text
    assert (await browser.submit(f"{place}/resume")).status_code == 409


async def test_a_key_that_may_only_read_sees_and_cannot_act(
    open_browser: BrowserFactory, tenant_id: UUID, parked: list[UUID]
) -> None:
    reader = await open_browser(tenant_id, scopes=["notifications:read"])
    page = (await reader.see("/console/parked")).text
    assert "Resume" not in page
    for path in ("/console/parked/resume", "/console/parked/drop", f"/console/notifications/{parked[0]}/drop"):
        assert (await reader.see(path)).status_code == 403
        assert (await reader.submit(path, expected="3", reason="x")).status_code == 403


async def test_another_tenant_sees_nothing_of_it(
    open_browser: BrowserFactory, other_tenant_id: UUID, browser: Browser, parked: list[UUID], database: Database,
    tenant_id: UUID,
) -> None:  # fmt: skip
    await browser.submit("/console/parked/resume", expected="3", rate="50")
    (operation,) = await made(database, tenant_id)
    other = await open_browser(other_tenant_id)
    assert "Nothing is parked" in (await other.see("/console/parked")).text
    places = (f"/console/operations/{operation.id}", f"/console/operations/{uuid4()}")
    answers = await asyncio.gather(*(other.see(place) for place in places))
    assert [answer.status_code for answer in answers] == [404, 404]
    assert (await other.submit(f"{places[0]}/stop")).status_code == 404
    async with database.tenant(tenant_id) as connection:
        parked_now = (
            await connection.execute(select(notification.c.id).where(notification.c.parked_at.is_not(None)))
        ).all()
    assert len(parked_now) == 3
