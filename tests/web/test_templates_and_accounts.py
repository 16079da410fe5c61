"""Templates with their versions and previews; accounts with their state; never a secret."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from api.account_config import public
from db import circuits, health
from db.health import AccountHealth
from db.session import Database
from domain.circuits import News, account_subject
from domain.health import Health, Level, Window
from domain.reasons import Reason
from sealing import KeyRing
from tests import factories
from tests.api import sending
from tests.api.conftest import META, KeyFactory

from .conftest import Browser, BrowserFactory

PARTS = (
    sending.SMS,
    {**sending.SMS, "locale": "hi-IN", "content": {"body": "नमस्ते {{ name }}"}},
    {**sending.EMAIL, "content": {"subject": "Hello {{ name }}", "html": "<p>Dear <b>{{ name }}</b></p>"}},
    sending.WHATSAPP,
)
VERSION = "/console/templates/hello/versions/1"


@pytest.fixture
async def published(browser: Browser, make_key: KeyFactory, tenant_id: UUID) -> None:
    """The template `hello` with four parts, made over the API."""
    async with browser.api(await make_key(tenant_id)) as api:
        await sending.publish(api, *PARTS)
        await sending.add_version(api, {**sending.SMS, "content": {"body": "Hi {{ name }}"}})


async def test_without_templates_or_accounts_the_pages_say_what_to_do(browser: Browser) -> None:
    assert "No template yet" in (await browser.see("/console/templates")).text
    accounts = (await browser.see("/console/accounts")).text
    assert "No account yet" in accounts
    assert "POST /v1/accounts" in accounts


@pytest.mark.usefixtures("published")
async def test_templates_are_listed_with_their_versions(browser: Browser) -> None:
    listed = (await browser.see("/console/templates")).text
    assert 'href="/console/templates/hello">hello</a>' in listed
    assert "<td>version 1</td>" in listed
    page = (await browser.see("/console/templates/hello")).text
    assert page.index("versions/2") < page.index("versions/1")
    assert page.count('class="status s-published"') == 1
    assert page.count('class="status s-draft"') == 1


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("sms/default", "Hello Asha"),
        ("sms/hi-IN", "नमस्ते Asha"),
        ("email/default", "<dd>Hello Asha</dd>"),
        ("whatsapp/default", "<li>Asha</li>"),
        ("", "Hello Asha"),
    ],
)
async def test_a_part_is_shown_with_its_examples(browser: Browser, part: str, said: str) -> None:
    page = await browser.see(VERSION, **({"part": part} if part else {}))
    assert page.status_code == 200
    assert said in page.text


@pytest.mark.usefixtures("published")
async def test_the_mail_of_a_version_is_rendered_for_its_frame(browser: Browser) -> None:
    answer = await browser.see(f"{VERSION}/mail", part="email/default")
    assert "<b>Asha</b>" in answer.text
    assert (await browser.see(f"{VERSION}/mail", part="sms/default")).status_code == 404


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize(
    "path", [f"{VERSION}?part=pigeon/default", f"{VERSION}?part=sms/fr", "/console/templates/hello/versions/9"]
)
async def test_versions_and_parts_that_are_not_there_are_not_found(browser: Browser, path: str) -> None:
    assert (await browser.see(path)).status_code == 404


async def test_a_version_without_examples_says_what_is_missing(
    browser: Browser, make_key: KeyFactory, tenant_id: UUID
) -> None:
    async with browser.api(await make_key(tenant_id)) as api:
        await sending.publish(api, variables=[{"name": "name", "type": "string"}])
    page = await browser.see(VERSION)
    assert page.status_code == 200
    assert "It cannot be shown" in page.text
    assert '<code class="dim">/data/name</code>' in page.text


@pytest.mark.usefixtures("published")
async def test_another_tenant_sees_no_template(open_browser: BrowserFactory, other_tenant_id: UUID) -> None:
    other = await open_browser(other_tenant_id)
    assert "No template yet" in (await other.see("/console/templates")).text
    for path in ("/console/templates/hello", VERSION, f"{VERSION}/mail?part=email/default"):
        assert (await other.see(path)).status_code == 404


async def test_an_account_in_trouble_says_why_and_what_waits_for_it(
    browser: Browser, database: Database, tenant_id: UUID, key_ring: KeyRing
) -> None:
    account_id = await factories.make_account(
        database, tenant_id, key_ring, provider="meta", channel="whatsapp", config=META
    )
    now = datetime.now(UTC)
    news = News(subject=account_subject(account_id), account_id=account_id, trouble=Reason.MISCONFIGURED, at=now)
    failing = AccountHealth(
        account_id=account_id, health=Health(level=Level.FAILING), window=Window(), since=now, measured_at=now
    )
    async with database.tenant(tenant_id) as connection:
        await circuits.note(connection, tenant_id, [news])
        await health.write(connection, tenant_id, [failing])
    version_id = await factories.make_version(database, tenant_id, name="parked")
    parked = {"parked_at": now, "parked_cause": "misconfigured", "parked_account_id": account_id}
    await factories.make_notification(database, tenant_id, version_id, to="+15550001", to_kind="phone", **parked)
    page = (await browser.see("/console/accounts")).text
    for said in ("s-failed", ">failing</span>", "do not work", f"/console/parked?account={account_id}", "1 parked"):
        assert said in page, said


async def test_accounts_show_their_state_and_no_secret(
    browser: Browser, open_browser: BrowserFactory, other_tenant_id: UUID, database: Database, tenant_id: UUID,
    key_ring: KeyRing,
) -> None:  # fmt: skip
    shown = public("meta", META)
    account_id = await factories.make_account(
        database, tenant_id, key_ring, provider="meta", channel="whatsapp", config=META, name="WhatsApp India",
        sender="+15550100200", state="suspended", state_reason="number under review", public_config=shown,
    )  # fmt: skip
    page = (await browser.see("/console/accounts")).text
    for said in (f'id="a-{account_id}"', "WhatsApp India", "+15550100200", "number under review", "not verified"):
        assert said in page, said
    assert META["phone_number_id"] in page
    assert ">healthy</span>" in page
    assert "very-secret" not in page
    other = await open_browser(other_tenant_id)
    assert "No account yet" in (await other.see("/console/accounts")).text
