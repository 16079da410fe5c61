"""A doubt is settled in the console: asked first, with its reason, and only by who may send."""

from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select

from db.delivery_tables import attempt, decision
from db.session import Database
from domain.notifications import Outcome
from domain.reasons import Reason
from domain.remedies import REMEDIES
from sealing import KeyRing
from tests import factories
from tests.api import deliveries

from .conftest import Browser, BrowserFactory

Notify = Callable[..., Awaitable[UUID]]


@pytest.fixture
async def doubtful(
    database: Database, tenant_id: UUID, key_ring: KeyRing, notify: Notify
) -> tuple[str, dict[str, str]]:
    """The page of a notification that ended in doubt, and the form that settles its attempt."""
    account_id = await factories.make_account(
        database, tenant_id, key_ring, provider="sandbox", channel="sms", config={}
    )
    name = await notify(status="unknown", reason="outcome_unknown", ended_at=func.now())
    asked = deliveries.order(tenant_id, name, account_id)
    claimed = await deliveries.attempt(database, tenant_id, asked, Outcome.UNKNOWN, error_code="outcome_unknown")
    form = {"attempt": str(claimed.attempt_id), "outcome": "not_sent", "reason": "not in their log"}
    return f"/console/notifications/{name}", form


async def test_the_page_of_a_doubt_leads_to_its_settlement(
    browser: Browser, doubtful: tuple[str, dict[str, str]], database: Database, tenant_id: UUID
) -> None:
    page, form = doubtful
    shown = (await browser.see(page)).text
    assert f'href="{page}/settle?attempt={form["attempt"]}"' in shown
    assert REMEDIES[Reason.OUTCOME_UNKNOWN].replace("'", "&#39;") in shown
    asked = (await browser.see(f"{page}/settle", attempt=form["attempt"])).text
    async with database.tenant(tenant_id) as connection:
        reference = (await connection.execute(select(attempt.c.reference))).scalar_one()
    assert reference in asked
    answer = await browser.submit(f"{page}/settle", **form)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{page}?outcome=settled")
    settled = (await browser.see(answer.headers["location"])).text
    assert "it counts as you said" in settled
    assert "not in their log" in settled
    assert REMEDIES[Reason.SETTLED_NOT_SENT] in settled
    assert "/settle?attempt=" not in settled


async def test_what_is_not_in_doubt_is_refused_on_a_page(
    browser: Browser, doubtful: tuple[str, dict[str, str]]
) -> None:
    page, form = doubtful
    assert (await browser.submit(f"{page}/settle", **form)).status_code == 303
    refused = await browser.submit(f"{page}/settle", **form | {"outcome": "sent"})
    assert refused.status_code == 409
    assert "as a person found out before" in refused.text


@pytest.mark.parametrize("change", [{"reason": " "}, {"outcome": "perhaps"}, {"attempt": "xyz"}])
async def test_a_form_that_says_nothing_settles_nothing(
    browser: Browser,
    doubtful: tuple[str, dict[str, str]],
    database: Database,
    tenant_id: UUID,
    change: dict[str, str],
) -> None:
    page, form = doubtful
    assert (await browser.submit(f"{page}/settle", **form | change)).status_code == 422
    async with database.tenant(tenant_id) as connection:
        assert (await connection.execute(select(decision.c.id))).all() == []


async def test_only_who_may_send_settles(
    open_browser: BrowserFactory, doubtful: tuple[str, dict[str, str]], tenant_id: UUID, other_tenant_id: UUID
) -> None:
    page, form = doubtful
    reader = await open_browser(tenant_id, scopes=["notifications:read"])
    assert "/settle?attempt=" not in (await reader.see(page)).text
    assert (await reader.see(f"{page}/settle", attempt=form["attempt"])).status_code == 403
    assert (await reader.submit(f"{page}/settle", **form)).status_code == 403
    other = await open_browser(other_tenant_id)
    assert (await other.see(f"{page}/settle", attempt=form["attempt"])).status_code == 404
    assert (await other.submit(f"{page}/settle", **form)).status_code == 404


async def test_an_attempt_that_is_not_there_cannot_be_asked_about(
    browser: Browser, doubtful: tuple[str, dict[str, str]]
) -> None:
    assert (await browser.see(f"{doubtful[0]}/settle", attempt=str(uuid4()))).status_code == 404


async def test_what_is_on_its_way_says_what_it_waits_for(browser: Browser, notify: Notify) -> None:
    name = await notify()
    shown = (await browser.see(f"/console/notifications/{name}")).text
    assert shown.count("A worker goes on with it.") == 2
