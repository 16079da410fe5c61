"""The list: newest first, filtered, paged, counted, and found by any id."""

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from db import status_counts
from db.notifications import first_id
from db.session import Database
from domain.notifications import Outcome
from domain.status import Status
from sealing import KeyRing
from tests import factories
from tests.api import deliveries

from .conftest import Browser, BrowserFactory

Notify = Callable[..., Awaitable[UUID]]
_ROW = re.compile(r'class="main" href="/console/notifications/([0-9a-f-]{36})"')


def _listed(html: str) -> list[UUID]:
    return [UUID(found) for found in _ROW.findall(html)]


async def test_an_empty_list_says_what_to_do_next(browser: Browser) -> None:
    page = (await browser.see("/console")).text
    assert "Nothing was sent yet" in page
    assert "/v1/notifications" in page
    filtered = (await browser.see("/console", status="failed")).text
    assert "Nothing matches" in filtered
    assert 'href="/console">Clear' in filtered


async def test_the_newest_comes_first_and_older_ones_follow_page_by_page(browser: Browser, notify: Notify) -> None:
    made = [await notify(trigger_type="t") for _ in range(5)]
    await notify(trigger_type="other")
    seen: list[UUID] = []
    page = await browser.see("/console", trigger="t", limit="2")
    assert "data-every" in page.text
    for _ in range(2):
        seen += _listed(page.text)
        older = re.search(r'href="([^"]+)" rel="next"', page.text)
        assert older is not None
        page = await browser.see(older[1].replace("&amp;", "&") + "&limit=2")
        assert "data-every" not in page.text
    seen += _listed(page.text)
    assert seen == made[::-1]
    assert 'rel="next"' not in page.text


@pytest.mark.parametrize(
    "query",
    [
        {"status": "failed"},
        {"status": "trouble"},
        {"channel": "sms"},
        {"template": "special"},
        {"trigger": "invoice.overdue"},
        {"trigger": "invoice.*"},
        {"resource": "invoice/1042"},
        {"resource": "invoice"},
        {"recipient": "asha@example.com"},
        {"recipient": "asha@EXAMPLE.com"},
        {"status": "failed", "channel": "sms", "trigger": "invoice.*", "recipient": " asha@example.com "},
    ],
    ids=lambda query: " ".join(f"{name}={value}" for name, value in query.items()),
)
async def test_a_filter_shows_what_fits_and_nothing_else(
    browser: Browser, notify: Notify, query: dict[str, str]
) -> None:
    await notify(trigger_type="welcome", channel="email", resource_type="order", resource_id="1042")
    wanted = await notify(
        status="failed", channel="sms", template="special", trigger_type="invoice.overdue",
        resource_type="invoice", resource_id="1042", to="asha@example.com", to_kind="email",
    )  # fmt: skip
    page = await browser.see("/console", **query)
    assert _listed(page.text) == [wanted]
    for name, value in query.items():
        if name not in {"status", "channel"}:
            assert f'name="{name}" value="{value.strip()}"' in page.text


@pytest.mark.parametrize(
    ("query", "status"),
    [({"status": "nonsense"}, 400), ({"channel": "pigeon"}, 400), ({"cursor": "x"}, 400), ({"limit": "0"}, 422)],
)
async def test_a_query_that_makes_no_sense_is_a_page_that_says_so(
    browser: Browser, query: dict[str, str], status: int
) -> None:
    answer = await browser.see("/console", **query)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert "To the notifications" in answer.text


async def test_the_counts_are_those_of_the_last_day(browser: Browser, notify: Notify) -> None:
    for status in ("failed", "failed", "delivered"):
        await notify(status=status)
    old = datetime.now(UTC) - timedelta(days=2)
    await notify(status="failed", id=UUID(int=first_id(old).int + 7), idempotency_key="old", created_at=old)
    page = (await browser.see("/console")).text
    counted = re.findall(r'status=(\w+)"[^>]*>\s*<b>([^<]+)</b>', page)
    assert sorted(counted) == [("delivered", "1"), ("failed", "2")]


async def test_nothing_is_counted_further_than_needed(database: Database, tenant_id: UUID, notify: Notify) -> None:
    for _ in range(4):
        await notify()
    async with database.tenant(tenant_id) as connection:
        since = datetime.now(UTC) - timedelta(hours=1)
        assert await status_counts.by_status(connection, tenant_id, since=since, most=3) == {Status.QUEUED: 3}


async def test_every_id_leads_to_its_notification(
    browser: Browser, notify: Notify, database: Database, tenant_id: UUID, key_ring: KeyRing
) -> None:
    account = await factories.make_account(database, tenant_id, key_ring, provider="sandbox", channel="sms", config={})
    name = await notify(idempotency_key="invoice-1042/due")
    order = deliveries.order(tenant_id, name, account)
    claimed = await deliveries.attempt(database, tenant_id, order, Outcome.ACCEPTED, provider_message_id="wamid.X==")
    known = [
        str(name), name.hex, str(name).upper(), f" {name} ", f"notification/{name}", "invoice-1042/due",
        str(claimed.message_id), claimed.reference, "wamid.X==",
    ]  # fmt: skip
    for given in known:
        answer = await browser.see("/console/find", id=given)
        assert (answer.status_code, answer.headers.get("location")) == (303, f"/console/notifications/{name}"), given


async def test_the_beginning_of_an_id_shows_all_that_may_be_meant(browser: Browser, notify: Notify) -> None:
    start = "0190aaaa"
    made = [await notify(id=UUID(f"{start}-0000-7000-8000-00000000000{n}"), idempotency_key=f"k{n}") for n in range(3)]
    page = await browser.see("/console/find", id=start)
    assert _listed(page.text) == made[::-1]


@pytest.mark.parametrize("given", ["nonsense", "0190bbbb", "0190", "%", "' OR 1=1 --"])
async def test_an_unknown_id_says_what_was_looked_for(browser: Browser, notify: Notify, given: str) -> None:
    await notify()
    page = await browser.see("/console/find", id=given)
    assert page.status_code == 200
    assert "Nothing is known by this id" in page.text


async def test_looking_for_nothing_leads_to_the_list(browser: Browser) -> None:
    answer = await browser.see("/console/find", id=" ")
    assert (answer.status_code, answer.headers["location"]) == (303, "/console")


async def test_another_tenant_sees_and_finds_nothing_of_it(
    open_browser: BrowserFactory, other_tenant_id: UUID, notify: Notify
) -> None:
    name = await notify(idempotency_key="theirs", status="failed")
    other = await open_browser(other_tenant_id)
    page = (await other.see("/console")).text
    assert _listed(page) == []
    assert "Nothing was accepted in the last 24 hours" in page
    for given in (str(name), "theirs", str(name)[:8]):
        assert "Nothing is known" in (await other.see("/console/find", id=given)).text
