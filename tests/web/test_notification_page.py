"""One notification's page: facts, messages, attempts, the whole timeline, and what one can do about it."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select

from db.delivery_tables import decision, notification
from db.session import Database
from db.tables import audit_entry, outbox
from domain.notifications import Outcome
from domain.reasons import SENTENCES, Reason
from domain.status import Status
from sealing import KeyRing
from tests import factories
from tests.api import deliveries
from tests.api.conftest import KeyFactory

from .conftest import ORIGIN, Browser, BrowserFactory

Notify = Callable[..., Awaitable[UUID]]


@pytest.fixture
async def account_id(database: Database, tenant_id: UUID, key_ring: KeyRing) -> UUID:
    """An account that carries text messages."""
    config = {"token": "account-very-secret"}
    return await factories.make_account(database, tenant_id, key_ring, provider="sandbox", channel="sms", config=config)


def _page(name: UUID, action: str = "") -> str:
    return f"/console/notifications/{name}{action}"


async def test_the_page_tells_the_whole_story_in_words(
    browser: Browser, notify: Notify, database: Database, tenant_id: UUID, account_id: UUID
) -> None:
    name = await notify(resource_type="invoice", resource_id="1042", trigger_type="invoice.overdue", metadata={"a": 1})
    waited = {"notification_id": name, "sequence": 1, "kind": "delayed", "reason": "scheduled", "hop": 0}
    await factories.insert(database, tenant_id, decision, **waited)
    first = deliveries.order(tenant_id, name, account_id)
    refusal = {"error_code": "throttled", "provider_code": "130429", "detail": "slow down"}
    await deliveries.attempt(database, tenant_id, first, Outcome.NOT_SENT, **refusal)
    second = deliveries.order(tenant_id, name, account_id, number=2)
    claimed = await deliveries.attempt(database, tenant_id, second, Outcome.ACCEPTED, provider_message_id="wamid.7")
    await deliveries.receive(
        database, tenant_id, claimed, Status.DELIVERED, key="delivered", provider_message_id="wamid.7"
    )
    page = (await browser.see(_page(name))).text
    story = page[page.index('id="story"') : page.index('id="facts"')]
    kinds = re.findall(r'<li class="k-(\w+) w-(\w+)">', story)
    assert kinds == [
        ("notification", "accepted"), ("decision", "delayed"), ("attempt", "claimed"), ("attempt", "not_sent"),
        ("attempt", "claimed"), ("attempt", "accepted"), ("receipt", "delivered"),
    ]  # fmt: skip
    for reason in (Reason.SCHEDULED, Reason.THROTTLED):
        assert SENTENCES[reason] in story
    for fact in ("invoice/1042", "130429", "slow down", "wamid.7", claimed.reference, "+919876543210", str(account_id)):
        assert fact in page, fact
    assert 'class="status s-delivered"' in page


async def test_the_page_leads_to_the_run_in_temporal(browser: Browser, notify: Notify) -> None:
    name = await notify()
    page = (await browser.see(_page(name))).text
    assert f'href="http://127.0.0.1:8233/namespaces/default/workflows/notification%2F{name}"' in page


@pytest.mark.parametrize("path", ["", "/cancel", "/resend"])
async def test_another_tenants_notification_does_not_exist(
    open_browser: BrowserFactory, other_tenant_id: UUID, notify: Notify, path: str
) -> None:
    name = await notify(data={"name": "Secretive"})
    other = await open_browser(other_tenant_id)
    theirs, nobodys = await other.see(_page(name, path)), await other.see(_page(uuid4(), path))
    assert theirs.status_code == nobodys.status_code == 404
    for page in (theirs, nobodys):
        assert "There is no such notification" in page.text
    assert "Secretive" not in theirs.text
    if path:
        refused = await other.submit(_page(name, path), once=uuid4().hex)
        assert refused.status_code == 404


@pytest.mark.parametrize("path", ["/console/nonsense", "/console/notifications/xyz", "/console/templates/none"])
async def test_what_is_not_there_is_a_page_that_says_so(browser: Browser, path: str) -> None:
    answer = await browser.see(path)
    assert answer.status_code == 404
    assert "<h1>There is no such thing</h1>" in answer.text


async def test_cancelling_asks_first_and_then_tells_the_fact(
    browser: Browser, notify: Notify, database: Database, tenant_id: UUID
) -> None:
    name = await notify()
    assert f'href="{_page(name, "/cancel")}"' in (await browser.see(_page(name))).text
    asked = await browser.see(_page(name, "/cancel"))
    assert f'method="post" action="{_page(name, "/cancel")}"' in asked.text
    async with database.tenant(tenant_id) as connection:
        assert (await connection.execute(select(notification.c.status))).scalar_one() == "queued"
    answer = await browser.submit(_page(name, "/cancel"))
    assert (answer.status_code, answer.headers["location"]) == (303, _page(name, "?outcome=stopped"))
    page = (await browser.see(answer.headers["location"])).text
    assert "Stopped: nothing was sent, and nothing will be." in page
    assert _page(name, "/cancel") not in page
    async with database.tenant(tenant_id) as connection:
        assert (await connection.execute(select(notification.c.status))).scalar_one() == "cancelled"
        actors = (await connection.execute(select(audit_entry.c.actor))).scalars().all()
        signals = (await connection.execute(select(outbox.c.workflow_id))).scalars().all()
    assert [actor.partition(" ")[0] for actor in actors] == ["key:ops"]
    assert signals == [f"notification/{name}"]


@pytest.mark.parametrize("round_number", range(4))
async def test_a_claim_and_a_cancellation_on_the_page_never_both_win(
    browser: Browser, notify: Notify, database: Database, tenant_id: UUID, account_id: UUID, round_number: int
) -> None:
    name = await notify()

    async def claim() -> bool:
        async with database.tenant(tenant_id) as connection:
            asked = deliveries.order(tenant_id, name, account_id)
            return await deliveries.claim(connection, tenant_id, asked) is not None

    claimed, answer = await asyncio.gather(claim(), browser.submit(_page(name, "/cancel")))
    assert answer.headers["location"].endswith("outcome=too_late") == claimed
    assert answer.headers["location"].endswith("outcome=stopped") == (not claimed)


async def test_sending_again_makes_one_new_notification_however_often_the_form_is_sent(
    browser: Browser, open_browser: BrowserFactory, make_key: KeyFactory, notify: Notify, tenant_id: UUID
) -> None:
    name = await notify(status="failed", ended_at=func.now())
    assert f'href="{_page(name, "/resend")}"' in (await browser.see(_page(name))).text
    form = (await browser.see(_page(name, "/resend"))).text
    once = re.search(r'name="once" value="(\w+)"', form)
    assert once is not None
    first, again = [await browser.submit(_page(name, "/resend"), once=once[1]) for _ in range(2)]
    assert first.status_code == again.status_code == 303
    assert first.headers["location"] == again.headers["location"]
    page = (await browser.see(first.headers["location"])).text
    assert f'href="{_page(name)}"' in page
    async with browser.api(await make_key(tenant_id)) as api:
        listed = (await api.get("/v1/notifications")).json()["data"]
    assert [one["original_notification_id"] for one in listed] == [str(name), None]


async def test_what_may_have_arrived_is_sent_again_only_knowingly(browser: Browser, notify: Notify) -> None:
    name = await notify(status="unknown", ended_at=func.now())
    assert "The person may get it twice" in (await browser.see(_page(name, "/resend"))).text
    refused = await browser.submit(_page(name, "/resend"), once=uuid4().hex)
    assert refused.status_code == 409
    assert "Nobody can say whether it was sent" in refused.text
    accepted = await browser.submit(_page(name, "/resend"), once=uuid4().hex, force="yes")
    assert accepted.status_code == 303


async def test_what_is_on_its_way_is_not_sent_again(browser: Browser, notify: Notify) -> None:
    name = await notify()
    assert _page(name, "/resend") not in (await browser.see(_page(name))).text
    refused = await browser.submit(_page(name, "/resend"), once=uuid4().hex)
    assert refused.status_code == 409
    assert "still on its way" in refused.text


async def test_a_key_that_may_only_read_changes_nothing(
    open_browser: BrowserFactory, database: Database, notify: Notify, tenant_id: UUID
) -> None:
    name = await notify()
    reader = await open_browser(tenant_id, scopes=["notifications:read"])
    page = (await reader.see(_page(name))).text
    assert "Your key may read only" in page
    assert _page(name, "/cancel") not in page
    for answer in (
        await reader.see(_page(name, "/cancel")),
        await reader.submit(_page(name, "/cancel")),
        await reader.submit(_page(name, "/resend"), once=uuid4().hex),
    ):
        assert answer.status_code == 403
        assert "<code>notifications:send</code>" in answer.text
    async with database.tenant(tenant_id) as connection:
        rows = (await connection.execute(select(notification.c.status))).scalars().all()
    assert rows == ["queued"]


async def test_a_key_that_may_not_read_is_shown_nothing_by_the_question(
    open_browser: BrowserFactory, notify: Notify, tenant_id: UUID
) -> None:
    name = await notify()
    sender = await open_browser(tenant_id, scopes=["notifications:send"])
    for action in ("/cancel", "/resend"):
        asked = await sender.see(_page(name, action))
        assert asked.status_code == 403
        assert "+919876543210" not in asked.text


_FORGED = {
    "no origin": {},
    "another site": {"Origin": "https://evil.example"},
    "a hidden origin": {"Origin": "null"},
    "another port": {"Origin": f"{ORIGIN}:8443"},
    "a longer name": {"Origin": f"{ORIGIN}.evil.example"},
    "the browser says so": {"Origin": ORIGIN, "Sec-Fetch-Site": "cross-site"},
    "a sibling site": {"Origin": ORIGIN, "Sec-Fetch-Site": "same-site"},
}


@pytest.mark.parametrize("headers", _FORGED.values(), ids=_FORGED)
async def test_forms_of_other_sites_do_nothing(
    browser: Browser, notify: Notify, database: Database, tenant_id: UUID, headers: dict[str, str]
) -> None:
    name = await notify()
    posted = [(_page(name, "/cancel"), {}), (_page(name, "/resend"), {"once": uuid4().hex}), ("/console/sign-out", {})]
    for path, form in posted:
        answer = await browser.client.post(path, data=form, headers=headers)
        assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)
        assert "did not come from this console" in answer.text
    async with database.tenant(tenant_id) as connection:
        rows = (await connection.execute(select(notification.c.status, notification.c.cancel_requested_at))).all()
    assert [tuple(row) for row in rows] == [("queued", None)]


async def test_signing_in_from_another_site_is_refused(
    open_browser: BrowserFactory, make_key: KeyFactory, tenant_id: UUID
) -> None:
    browser = await open_browser()
    headers = {"Origin": "https://evil.example"}
    answer = await browser.client.post("/console/sign-in", data={"key": await make_key(tenant_id)}, headers=headers)
    assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)
