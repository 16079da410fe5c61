"""The page on which people choose, and unsubscribing by one click: looking changes nothing, saving says what it did."""

import html
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from activities.links import Links
from api.services import Services  # noqa: TC001 - beside the others
from db import consents, suppressions
from db.consent_tables import consent, consent_entry, topic
from db.consents import NewConsent, Subject
from db.series_tables import metadata
from db.session import Database
from db.tables import address, recipient
from domain.consent import Source, State
from domain.links import Link, Purpose
from domain.recipients import Address, AddressKind, Channel
from domain.suppression import Cause
from sealing import KeyRing
from tests import factories

ONE_CLICK = {"List-Unsubscribe": "One-Click"}
MAIL = "asha@example.com"
NEWS = {"titles": {"en": "News", "hi": "समाचार"}, "channels": ["email", "whatsapp"]}


class Person:
    """Somebody with a link: a browser without cookies, or the mail program that acts for them."""

    def __init__(self, app: FastAPI, link: Link) -> None:
        services: Services = app.state.services
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://carillon.test")
        self.links = Links(services.key_ring, services.settings.public_url)
        self.link = link

    def place(self, **changes: Any) -> str:
        return f"/u/{self.links.token(replace(self.link, **changes))}"

    async def see(self, **headers: str) -> httpx.Response:
        return await self.http.get(self.place(), headers=headers)

    async def submit(self, page: httpx.Response, **form: Any) -> httpx.Response:
        (key, *_) = re.findall(r'name="form" value="([^"]+)"', page.text)
        shown = re.findall(r'name="shown" value="([^"]+)"', page.text)
        body = {"form": html.unescape(key), "shown": shown, **form}
        return await self.http.post(page.request.url.path, data=body)


@pytest.fixture
async def asha(app: FastAPI, database: Database, tenant_id: UUID) -> Person:
    """A recipient with a mailbox and a phone, and topics."""
    owner = await factories.insert(database, tenant_id, recipient, external_id="asha")
    for place, (kind, value) in enumerate((("email", MAIL), ("phone", "+919876543210"))):
        fields = {"recipient_id": owner, "kind": kind, "value": value, "position": place}
        await factories.insert(database, tenant_id, address, **fields)
    await factories.insert(database, tenant_id, topic, name="news", **NEWS)
    await factories.insert(database, tenant_id, topic, name="offers", default_state="opted_out", channels=["email"])
    await factories.insert(database, tenant_id, topic, name="bills", transactional=True, titles={"en": "Bills"})
    link = Link(tenant_id=tenant_id, subject_kind="recipient", subject=str(owner), channel=Channel.EMAIL, topic="news")
    return Person(app, link)


async def everything(database: Database, tenant_id: UUID) -> dict[str, list[Any]]:
    async with database.tenant(tenant_id) as connection:
        return {
            table.name: [tuple(row) for row in await connection.execute(select(table))]
            for table in metadata.sorted_tables
        }


async def chosen(database: Database, tenant_id: UUID) -> set[tuple[str, str, str, str]]:
    async with database.tenant(tenant_id) as connection:
        columns = (consent.c.topic, consent.c.channel, consent.c.state, consent.c.source)
        return {tuple(row) for row in await connection.execute(select(*columns))}


def checked(page: httpx.Response) -> set[str]:
    return set(re.findall(r'name="on" value="([^"]+)" checked', page.text))


async def test_the_page_shows_what_holds_at_present(asha: Person) -> None:
    page = await asha.see()
    assert page.status_code == 200
    assert checked(page) == {"email:news", "whatsapp:news"}
    assert 'value="email:offers"' in page.text
    assert "Bills" in page.text
    assert "email:bills" not in page.text


async def test_looking_changes_nothing_whoever_looks(asha: Person, database: Database, tenant_id: UUID) -> None:
    before = await everything(database, tenant_id)
    confirming = asha.place(purpose=Purpose.CONFIRM)
    for place in (asha.place(), asha.place(topic=None), confirming, "/u/nonsense"):
        for query in ("", "?List-Unsubscribe=One-Click", "?stop=email:news&none=1&form=x"):
            for agent in ("Mozilla/5.0", "GoogleImageProxy", "SafeLinks"):
                await asha.http.get(place + query, headers={"User-Agent": agent})
        await asha.http.head(place)
    assert await everything(database, tenant_id) == before


@pytest.mark.parametrize("encoding", ["form", "multipart"])
async def test_one_click_unsubscribes_and_a_repetition_changes_nothing(
    asha: Person, database: Database, tenant_id: UUID, encoding: str
) -> None:
    for _ in range(3):
        sent: dict[str, Any] = (
            {"data": ONE_CLICK} if encoding == "form" else {"files": {"List-Unsubscribe": (None, "One-Click")}}
        )
        answer = await asha.http.post(asha.place(), **sent)
        assert (answer.status_code, answer.headers.get("set-cookie"), answer.history) == (200, None, [])
    assert await chosen(database, tenant_id) == {("news", "email", "denied", "one_click")}
    async with database.tenant(tenant_id) as connection:
        assert len((await connection.execute(select(consent_entry))).all()) == 1


async def test_one_click_for_an_address_that_no_recipient_has(
    asha: Person, database: Database, tenant_id: UUID
) -> None:
    place = asha.place(subject_kind="email", subject="ravi@example.com")
    assert (await asha.http.post(place, data=ONE_CLICK)).status_code == 200
    async with database.tenant(tenant_id) as connection:
        (row,) = (await connection.execute(select(consent))).mappings().all()
    assert (row["subject_kind"], row["subject"], row["state"]) == ("email", "ravi@example.com", "denied")


async def test_one_click_without_a_topic_ends_nothing(asha: Person, database: Database, tenant_id: UUID) -> None:
    assert (await asha.http.post(asha.place(topic=None), data=ONE_CLICK)).status_code == 400
    assert await chosen(database, tenant_id) == set()


async def test_what_is_saved_is_said_and_only_that_is_kept(asha: Person, database: Database, tenant_id: UUID) -> None:
    page = await asha.submit(await asha.see(), on=["whatsapp:news", "email:offers"])
    assert page.status_code == 200
    said = re.findall(r"<li>(.*?)</li>", page.text)
    assert said == ["News, e-mail: off", "offers, e-mail: on"]
    assert checked(page) == {"whatsapp:news", "email:offers"}
    assert await chosen(database, tenant_id) == {
        ("news", "email", "denied", "preference_page"),
        ("offers", "email", "granted", "preference_page"),
    }
    assert "Nothing changed" in (await asha.submit(page, on=["whatsapp:news", "email:offers"])).text


async def test_one_button_ends_all(asha: Person, database: Database, tenant_id: UUID) -> None:
    page = await asha.submit(await asha.see(), on=["email:news", "whatsapp:news"], none="1")
    assert checked(page) == set()
    assert {state for _, _, state, _ in await chosen(database, tenant_id)} == {"denied"}


async def test_one_button_ends_the_topic_of_the_message(asha: Person, database: Database, tenant_id: UUID) -> None:
    first = await asha.see()
    (value,) = re.findall(r'name="stop" value="([^"]+)"', first.text)
    page = await asha.submit(first, stop=value, shown=[])
    assert checked(page) == {"whatsapp:news"}
    assert 'name="stop"' not in page.text


async def test_a_topic_that_came_meanwhile_is_not_ended_unseen(
    asha: Person, database: Database, tenant_id: UUID
) -> None:
    page = await asha.see()
    await factories.insert(database, tenant_id, topic, name="brand-new")
    assert "email:brand-new" in checked(await asha.submit(page, on=[]))


@pytest.mark.parametrize("form", [{}, {"form": "x"}, {"form": "é"}])
async def test_a_form_that_is_not_ours_saves_nothing(
    asha: Person, database: Database, tenant_id: UUID, form: dict[str, str]
) -> None:
    answer = await asha.http.post(asha.place(), data={"shown": "email:news", **form})
    assert (answer.status_code, "nothing was saved" in answer.text) == (409, True)
    assert await chosen(database, tenant_id) == set()


async def test_a_form_belongs_to_its_link_and_ends_with_the_day(app: FastAPI, asha: Person) -> None:
    page = await asha.see()
    (key, *_) = re.findall(r'name="form" value="([^"]+)"', page.text)
    other = asha.place(subject_kind="email", subject="ravi@example.com")
    assert (await asha.http.post(other, data={"form": key})).status_code == 409
    services: Services = app.state.services
    app.state.services = replace(services, now=lambda: services.now() + timedelta(days=1))
    assert (await asha.submit(page)).status_code == 409


async def test_a_link_that_does_not_work_says_so(app: FastAPI, asha: Person, database: Database) -> None:
    services: Services = app.state.services
    over = asha.place(until=services.now() - timedelta(seconds=1))
    unknown = asha.place(subject=str(UUID(int=7)))
    for place in (over, unknown, "/u/nonsense", "/u/" + "A" * 3000):
        answer = await asha.http.get(place)
        assert (answer.status_code, "does not work" in answer.text) == (404, True)
        if place != unknown:
            assert (await asha.http.post(place, data=ONE_CLICK)).status_code == 404


async def test_a_silent_address_is_told(asha: Person, database: Database, tenant_id: UUID) -> None:
    async with database.tenant(tenant_id) as connection:
        to = Address(AddressKind.EMAIL, MAIL)
        await suppressions.add(connection, tenant_id, to, Cause.COMPLAINT, datetime.now(UTC))
    page = await asha.see()
    assert "Nothing is sent to you by e-mail" in page.text
    assert "by WhatsApp at present" not in page.text


async def test_people_are_spoken_to_in_their_language(asha: Person, database: Database, tenant_id: UUID) -> None:
    assert 'lang="hi"' in (await asha.see(**{"Accept-Language": "hi-IN,hi;q=0.9"})).text
    assert 'lang="en"' in (await asha.see(**{"Accept-Language": "xx, !!, fr"})).text
    async with database.tenant(tenant_id) as connection:
        await connection.execute(recipient.update().values(locale="hi-IN"))
    page = await asha.see(**{"Accept-Language": "en"})
    assert 'lang="hi"' in page.text
    assert "समाचार" in page.text


async def test_the_page_runs_nothing_and_tells_nobody_where_it_was(asha: Person) -> None:
    page = await asha.see()
    assert "<script" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert (page.headers["referrer-policy"], page.headers["cache-control"]) == ("no-referrer", "no-store")
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page.text)
    (style,) = re.findall(r'href="([^"]+)"', page.text)
    assert (await asha.http.get(style)).status_code == 200
    assert MAIL not in page.text


async def test_titles_are_shown_as_text(asha: Person, database: Database, tenant_id: UUID) -> None:
    async with database.tenant(tenant_id) as connection:
        await connection.execute(topic.update().values(titles={"en": "<script>alert(1)</script> {0}"}))
    page = await asha.see()
    assert page.status_code == 200
    assert "<script" not in page.text


async def test_an_older_choice_of_the_address_gives_way_to_the_page(
    asha: Person, database: Database, tenant_id: UUID, key_ring: KeyRing
) -> None:
    old = NewConsent(
        subject=Subject("email", MAIL), channel=Channel.EMAIL, topic="news", state=State.DENIED,
        source=Source.COMPLAINT, at=datetime.now(UTC),
    )  # fmt: skip
    async with database.tenant(tenant_id) as connection:
        await consents.keep(connection, tenant_id, [old])
    page = await asha.see()
    assert checked(page) == {"whatsapp:news"}
    assert checked(await asha.submit(page, on=["email:news", "whatsapp:news"])) == {"email:news", "whatsapp:news"}
