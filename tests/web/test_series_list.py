"""The console's list of series: found by every filter, page by page, under an address that can be passed on."""

import re
from datetime import UTC, datetime
from html import unescape
from uuid import UUID

import httpx
import pytest

from db.session import Database
from tests.activities.series_clock import Clock
from tests.api import flowing, sending

from .conftest import Browser, BrowserFactory

SERIES = "/console/series"


@pytest.fixture
async def three(api: httpx.AsyncClient, database: Database, tenant_id: UUID) -> list[str]:
    """One that waits a day, one that is parked for want of a template, one of another flow that is paused."""
    await flowing.publish(api)
    await flowing.publish(api, flowing.REMINDER.replace("name: reminder", "name: other"), "other")
    first = await flowing.start(api, resource={"type": "shop/order", "id": "a/1"})
    parked = await flowing.start(api, key="order-2", to={"phone": "+919876500000"})
    await Clock(database, tenant_id, UUID(parked), now=datetime.now(UTC)).look()  # the template is not there yet
    await sending.publish(api)
    await Clock(database, tenant_id, UUID(first), now=datetime.now(UTC)).look()
    other = await flowing.start(api, flow="other", key="order-3")
    await api.post(f"/v1/series/{other}/pause")
    return [first, parked, other]


def shown(page: str) -> list[str]:
    return re.findall(rf'class="main" href="{SERIES}/([0-9a-f-]+)"', page)


async def test_the_list_says_where_each_stands_the_newest_first(browser: Browser, three: list[str]) -> None:
    answer = await browser.see(SERIES)
    page = unescape(answer.text)
    assert shown(page) == three[::-1]
    assert '<a href="/console/series" aria-current="page">Series</a>' in page
    for told in (
        "<code>a_day</code>",
        "template missing",
        "shop/order/a/1",
        "+919876500000",
        'class="status s-paused"',
    ):
        assert told in page


FOUND: list[tuple[dict[str, str], set[int]]] = [
    ({"flow": "other"}, {2}),
    ({"flow": "reminder", "version": "1"}, {0, 1}),
    ({"version": "2"}, set()),
    ({"status": "parked"}, {1}),
    ({"step": "a_day"}, {0}),
    ({"to": "+919876500000"}, {1}),
    ({"resource_type": "shop/order", "resource_id": "a/1"}, {0}),
    ({"resource_type": "shop/order"}, {0}),
    ({"cause": "template_missing"}, {1}),
    ({"key": "order-3"}, {2}),
    ({"next_before": "2099-01-01T00:00"}, {0}),
    ({"next_before": "2001-01-01T00:00:00Z"}, set()),
]


async def test_every_field_restricts(browser: Browser, three: list[str]) -> None:
    for query, expected in FOUND:
        page = (await browser.see(SERIES, **query)).text
        assert {three.index(name) for name in shown(page)} == expected, query
        assert ("Nothing matches" in page) is (not expected), query


async def test_the_form_keeps_what_was_asked(browser: Browser, three: list[str]) -> None:
    asked = {"flow": "reminder", "status": "parked", "next_before": "2099-01-01T05:30:00+05:30"}
    page = (await browser.see(SERIES, **asked)).text
    assert 'name="flow" value="reminder"' in page
    assert '<input type="hidden" name="status" value="parked">' in page
    assert 'type="datetime-local" value="2099-01-01T00:00"' in page


@pytest.mark.parametrize(
    ("query", "status", "told"),
    [
        ({"status": "tired"}, 400, "'tired' is no status"),
        ({"version": "one"}, 422, "valid integer"),
        ({"next_before": "soon"}, 422, "datetime"),
        ({"next_before": "0001-01-01T00:00:00+14:00"}, 422, "outside of all years"),
        ({"cursor": "made-up"}, 400, "The cursor is not one"),
    ],
    ids=str,
)
async def test_what_cannot_be_looked_for_is_told(
    browser: Browser, query: dict[str, str], status: int, told: str
) -> None:
    answer = await browser.see(SERIES, **query)
    assert answer.status_code == status
    assert told in unescape(answer.text)


async def test_older_ones_stand_on_the_next_page_of_the_same_filter(browser: Browser, three: list[str]) -> None:
    page = (await browser.see(SERIES, flow="reminder", limit="1")).text
    assert shown(page) == [three[1]]
    (older,) = re.findall(r'href="([^"]+)" rel="next"', page)
    assert "flow=reminder" in unescape(older)
    assert shown((await browser.client.get(unescape(older))).text) == [three[0]]


async def test_without_series_it_says_how_one_begins(browser: Browser) -> None:
    page = (await browser.see(SERIES)).text
    assert "No series yet" in page
    assert "Stop all" not in page


async def test_a_key_that_may_only_read_is_offered_nothing(
    open_browser: BrowserFactory, tenant_id: UUID, three: list[str]
) -> None:
    reader = await open_browser(tenant_id, scopes=["series:read"])
    page = (await reader.see(SERIES)).text
    assert shown(page) == three[::-1]
    assert "/many/" not in page
    assert "/console/parked" not in page


async def test_another_tenant_and_another_scope_see_none(
    open_browser: BrowserFactory, other_tenant_id: UUID, tenant_id: UUID, three: list[str]
) -> None:
    other = await open_browser(other_tenant_id)
    assert "No series yet" in (await other.see(SERIES)).text
    stranger = await open_browser(tenant_id, scopes=["notifications:read"])
    answer = await stranger.see(SERIES)
    assert answer.status_code == 403
    assert "<code>series:read</code>" in answer.text
    assert 'href="/console/series"' not in answer.text
