"""Many series at once in the console: counted, asked, done, and told how far it is."""

import re
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select

from activities.operations import Operations
from db import operations
from db.operations import Operation
from db.session import Database
from db.tables import audit_entry
from domain.operations import OperationInput, OperationSubject
from tests.api import flowing

from .conftest import Browser, BrowserFactory


@pytest.fixture
async def three(api: httpx.AsyncClient) -> list[str]:
    """Three series of one flow."""
    await flowing.publish(api)
    return [await flowing.start(api, key=f"order-{number}") for number in range(3)]


async def made(database: Database, tenant_id: UUID) -> list[Operation]:
    async with database.tenant(tenant_id) as connection:
        return await operations.page(connection, tenant_id, subject=[OperationSubject.SERIES], limit=10, before=None)


async def statuses(api: httpx.AsyncClient, series: list[str]) -> list[str]:
    return [(await api.get(f"/v1/series/{one}")).json()["status"] for one in series]


async def test_those_of_a_filter_are_counted_stopped_and_told_of(
    browser: Browser, api: httpx.AsyncClient, three: list[str], database: Database, tenant_id: UUID
) -> None:
    listed = (await browser.see("/console/series", key="order-1")).text
    assert 'href="/console/series/many/stop?key=order-1"' in listed
    asked = (await browser.see("/console/series/many/stop", key="order-1")).text
    assert "<h1>Stop 1 series?</h1>" in asked
    form = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', asked))
    assert form == {"key": "order-1", "expected": "1"}
    assert await made(database, tenant_id) == []
    answer = await browser.submit("/console/series/many/stop", **form, rate="7", reason="sold out")
    (operation,) = await made(database, tenant_id)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/console/operations/{operation.id}")
    assert (operation.kind, operation.rate, operation.reason, operation.total) == ("stop", 7, "sold out", 1)
    order = OperationInput(tenant_id=str(tenant_id), operation_id=str(operation.id))
    while not (await Operations(database).step(order)).state.is_over:
        pass
    assert await statuses(api, three) == ["running", "stopped", "running"]
    page = (await browser.see(answer.headers["location"])).text
    assert "1 of 1 taken up" in page
    assert '<a href="/console/series">Series</a>' in page
    assert '<a href="/console/series" aria-current="page">' in page
    assert f'href="/console/operations/{operation.id}"' in (await browser.see("/console/series")).text
    assert f"/operations/{operation.id}" not in (await browser.see("/console/parked")).text
    async with database.tenant(tenant_id) as connection:
        actions = (await connection.execute(select(audit_entry.c.action))).scalars().all()
    assert "operation.created" in actions


@pytest.mark.parametrize("kind", ["pause", "resume", "stop"])
async def test_a_count_that_changed_is_asked_again(
    browser: Browser, three: list[str], database: Database, tenant_id: UUID, kind: str
) -> None:
    answer = await browser.submit(f"/console/series/many/{kind}", expected="2", rate="50", reason="x")
    assert answer.status_code == 409
    assert "It was 2 when you were asked; nothing was done." in answer.text
    assert f"<h1>{kind.capitalize()} 3 series?</h1>" in answer.text
    assert await made(database, tenant_id) == []


async def test_what_makes_no_sense_is_told(browser: Browser, three: list[str]) -> None:
    assert (await browser.submit("/console/series/many/stop", expected="3", reason=" ")).status_code == 422
    assert (await browser.see("/console/series/many/drop")).status_code == 404
    assert (await browser.see("/console/series/many/stop", status="completed")).status_code == 422
    over = (await browser.see("/console/series", status="completed")).text
    assert "/many/" not in over
    assert "None that is not over fits" in (await browser.see("/console/series/many/stop", key="none")).text


async def test_an_operation_is_for_who_may_steer_series(
    open_browser: BrowserFactory, browser: Browser, three: list[str], database: Database, tenant_id: UUID,
    other_tenant_id: UUID,
) -> None:  # fmt: skip
    await browser.submit("/console/series/many/pause", expected="3", rate="50", reason="x")
    (operation,) = await made(database, tenant_id)
    place = f"/console/operations/{operation.id}"
    steersman = await open_browser(tenant_id, scopes=["series:read", "series:write"])
    reader = await open_browser(tenant_id, scopes=["series:read"])
    sender = await open_browser(tenant_id, scopes=["notifications:read", "notifications:send"])
    other = await open_browser(other_tenant_id)
    assert f'action="{place}/stop"' in (await steersman.see(place)).text
    assert f'action="{place}/stop"' not in (await reader.see(place)).text
    assert [(await one.see(place)).status_code for one in (reader, sender, other)] == [200, 403, 404]
    assert [(await one.submit(f"{place}/stop")).status_code for one in (reader, sender, other)] == [403, 403, 404]
    assert (await reader.see("/console/series/many/stop")).status_code == 403
    assert (await reader.submit("/console/series/many/stop", expected="3", reason="x")).status_code == 403
    assert (await steersman.submit(f"{place}/stop")).status_code == 303
    assert (await made(database, tenant_id))[0].state == "stopped"
