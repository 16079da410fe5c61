"""Hostile data stays text, no page names a secret, and every answer carries the policy that holds browsers to it."""

import re
from collections.abc import Awaitable, Callable
from html.parser import HTMLParser
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func

import web
from db.care_tables import operation
from db.session import Database
from db.tables import template, template_version
from domain.notifications import Outcome
from sealing import KeyRing
from tests import factories
from tests.api import deliveries

from .conftest import Browser, BrowserFactory
from .hostile_series import hostile_places

Notify = Callable[..., Awaitable[UUID]]
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7 * 7 }}{% raw %}"


class _Reader(HTMLParser):
    """Reads a page as a browser would: which scripts, styles and handlers it has."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self.inline: list[str] = []
        self.addresses: list[str] = []
        self.labelled: set[str] = set()
        self.fields: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.inline += [name for name in given if name.startswith("on") or name == "style"]
        self.addresses += [given[name] for name in ("href", "src", "action") if name in given]
        if tag == "script":
            self.scripts.append(given.get("src", "inline"))
        if tag in {"style", "img", "object", "embed"} and not given.get("src", "").startswith("/console/static/"):
            self.inline.append(tag)
        if tag == "label" and "for" in given:
            self.labelled.add(given["for"])
        if tag in {"input", "select", "textarea"} and given.get("type") not in {"hidden", "checkbox"}:
            self.fields.append(given.get("id", "without an id"))


@pytest.fixture
async def hostile_template(database: Database, tenant_id: UUID) -> None:
    """The template `hostile` with one version, every text of it hostile."""
    mail = {"subject": "{{ x }}", "html": "<p onclick='x()'>{{ x }}<img src='https://tracker.example/p.png'></p>"}
    template_id = await factories.insert(
        database, tenant_id, template, name="hostile", description=HOSTILE, channels=["email"], latest_number=1
    )
    await factories.insert(
        database, tenant_id, template_version, template_id=template_id, number=1, content_hash="h", note=HOSTILE,
        created_by=HOSTILE, parts=[{"channel": "email", "locale": "default", "content": mail}],
        variables=[{"name": "x", "type": "string", "required": True, "example": HOSTILE, "description": HOSTILE}],
    )  # fmt: skip


@pytest.fixture
async def parked_places(database: Database, tenant_id: UUID, notify: Notify) -> dict[str, str]:
    """The pages of what is parked, over rows whose every text is hostile."""
    kept = {"parked_at": func.now(), "parked_cause": "misconfigured", "parked_account_id": uuid4()}
    parked = await notify(to=HOSTILE, template=HOSTILE, **kept)
    operation_id = await factories.insert(
        database, tenant_id, operation, kind="resume", rate=1, total=2, actor=HOSTILE, reason=HOSTILE,
        filter={"template": HOSTILE, "trigger": HOSTILE},
    )  # fmt: skip
    return {
        "parked": "/console/parked?trigger=%3Cscript%3Ealert(1)%3C/script%3E",
        "parked notification": f"/console/notifications/{parked}",
        "resume": f"/console/notifications/{parked}/resume",
        "drop": f"/console/notifications/{parked}/drop",
        "resume many": "/console/parked/resume",
        "drop many": "/console/parked/drop?template=%3Cscript%3Ealert(1)%3C/script%3E",
        "operation": f"/console/operations/{operation_id}",
    }


@pytest.fixture
async def places(
    hostile_template: None,
    parked_places: dict[str, str],
    database: Database,
    tenant_id: UUID,
    key_ring: KeyRing,
    notify: Notify,
) -> dict[str, str]:
    """Every page of the console, over rows whose every text is hostile, with one secret in each secret place."""
    account_id = await factories.make_account(
        database, tenant_id, key_ring, provider="sandbox", channel="sms", config={"token": "account-very-secret"},
        name=HOSTILE, sender=HOSTILE, state_reason=HOSTILE, public_config={"token": "********", "note": HOSTILE},
    )  # fmt: skip
    name = await notify(
        idempotency_key=HOSTILE, trigger_type=HOSTILE, resource_type=HOSTILE, resource_id=HOSTILE, template=HOSTILE,
        to=HOSTILE, locale=HOSTILE, data={HOSTILE: [HOSTILE]}, metadata={HOSTILE: HOSTILE}, reason=HOSTILE,
        attachments=[{"url": HOSTILE}], fallback={"sms": {HOSTILE: HOSTILE}}, external_id=HOSTILE,
    )  # fmt: skip
    order = deliveries.order(tenant_id, name, account_id)
    said = {"error_code": "rejected", "provider_code": HOSTILE, "detail": HOSTILE}
    await deliveries.attempt(database, tenant_id, order, Outcome.REFUSED, **said)
    ended = await notify(status="unknown", ended_at=func.now(), to=HOSTILE)
    return {
        "list": "/console",
        "found": "/console/find?id=%3Cscript%3Ealert(1)%3C/script%3E",
        "nothing matches": "/console?template=%3Cscript%3Ealert(1)%3C/script%3E",
        "notification": f"/console/notifications/{name}",
        "cancel": f"/console/notifications/{name}/cancel",
        "resend": f"/console/notifications/{ended}/resend",
        **parked_places,
        **await hostile_places(database, tenant_id, HOSTILE),
        "accounts": "/console/accounts",
        "templates": "/console/templates",
        "template": "/console/templates/hostile",
        "version": "/console/templates/hostile/versions/1",
        "problem": "/console?status=%3Cscript%3Ealert(1)%3C/script%3E",
        "missing": "/console/%3Cscript%3Ealert(1)%3C/script%3E",
        "sign in": "/console/sign-in?then=/console%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
    }


async def test_every_page_is_safe_whatever_the_rows_say(browser: Browser, places: dict[str, str]) -> None:
    for place, path in places.items():
        answer = await browser.see(path)
        assert answer.status_code == {"problem": 400, "missing": 404}.get(place, 200), place
        page = _Reader(answer.text)
        assert page.inline == [], place
        assert [Path(address).name for address in page.scripts] == ["console.js"], place
        assert not any(address.lower().startswith(("javascript:", "data:")) for address in page.addresses), place
        assert "<script>alert" not in answer.text, place
        assert "very-secret" not in answer.text, place


async def test_every_answer_carries_its_policy(
    browser: Browser, open_browser: BrowserFactory, places: dict[str, str]
) -> None:
    stranger = await open_browser()
    answers = [await browser.see(path) for path in places.values()]
    answers += [await stranger.see("/console"), await stranger.client.post("/console/sign-out")]
    for answer in answers:
        policy = answer.headers["content-security-policy"].split("; ")
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "form-action 'self'" in policy
        assert not {"'unsafe-inline'", "'unsafe-eval'", "data:", "*"} & set(" ".join(policy).split())
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "same-origin"


async def test_every_field_has_a_label_and_every_table_its_heads(browser: Browser, places: dict[str, str]) -> None:
    for place, path in places.items():
        html = (await browser.see(path)).text
        page = _Reader(html)
        assert set(page.fields) <= page.labelled, place
        assert html.count("<table") == html.count("<thead"), place
        assert html.count("<th ") == html.count('<th scope="col"'), place
        assert html.count("<h1") == 1, place
        assert '<html lang="en">' in html


async def test_a_mail_is_shown_without_scripts_origin_or_pictures_from_elsewhere(
    browser: Browser, places: dict[str, str]
) -> None:
    assert '<iframe sandbox title="The mail"' in (await browser.see(places["version"])).text
    answer = await browser.see(f"{places['version']}/mail?part=email/default")
    assert answer.status_code == 200
    assert "tracker.example" in answer.text
    policy = answer.headers["content-security-policy"].split("; ")
    assert {"sandbox", "default-src 'none'", "img-src data:", "frame-ancestors 'self'"} <= set(policy)
    assert "script-src" not in answer.headers["content-security-policy"]
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"


async def test_files_are_kept_for_ever_under_the_name_of_their_content(open_browser: BrowserFactory) -> None:
    browser = await open_browser()
    page = _Reader((await browser.see("/console/sign-in")).text)
    files = [address for address in page.addresses if address.startswith("/console/static/")]
    assert {Path(address).name for address in files} == {"console.css", "console.js", "icon.svg"}
    for address in files:
        answer = await browser.see(address)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        digest = address.split("/")[3]
        assert (await browser.see(address.replace(digest, "0" * 12))).status_code == 404
    assert (await browser.see("/console/static/0/..%2F__init__.py")).status_code == 404


def test_nothing_is_loaded_from_elsewhere() -> None:
    folder = Path(web.__file__).parent
    for path in [*folder.glob("templates/*.html"), *folder.glob("static/*")]:
        text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://", text), path.name
        assert not re.search(r"\|\s*safe\b|autoescape", text), path.name


async def test_the_console_is_no_part_of_the_document_of_the_api(open_browser: BrowserFactory) -> None:
    browser = await open_browser()
    document = (await browser.see("/openapi.json")).json()
    assert not [path for path in document["paths"] if "console" in path or path == "/"]
    assert (await browser.see("/")).headers["location"] == "/console"


async def test_without_a_database_the_page_says_so(
    browser: Browser, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise ConnectionRefusedError("somewhere inside")

    monkeypatch.setattr(database, "system", away)
    answer = await browser.see("/console")
    assert answer.status_code == 503
    assert "The database does not answer" in answer.text
    assert "somewhere inside" not in answer.text


async def test_a_slash_at_the_end_leads_to_the_console(browser: Browser) -> None:
    assert (await browser.see("/console/")).headers["location"] == "/console"
