"""Links in messages: mails carry the headers of RFC 8058, templates write them, and nobody reads them but we."""

import base64
from dataclasses import replace
from email import message_from_bytes
from email.message import Message
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from activities.links import Links
from db.consent_tables import topic
from db.delivery_tables import notification
from db.tables import address, recipient, template, template_version
from domain.links import Link
from domain.recipients import Channel
from providers.base import MailRequest
from sealing import KeyRing
from tests import factories
from tests.activities.test_delivery import OK, PUBLIC_URL, Bench, bench

__all__ = ["bench"]

BODY = "Dear {{ name }}, choose at {{ preferences_url }} or leave at {{ unsubscribe_url }}"


async def change(place: Bench, table: Any, **values: Any) -> None:
    async with place.database.tenant(place.tenant_id) as connection:
        await connection.execute(update(table).values(values))


async def says(place: Bench, content: dict[str, Any]) -> None:
    """Gives the notification a version with this content."""
    of = (await place.row(template))["id"]
    parts = [{"channel": "email", "locale": "en", "content": content}]
    fields = {"template_id": of, "number": 2, "parts": parts, "content_hash": "h2"}
    version_id = await factories.insert(place.database, place.tenant_id, template_version, **fields)
    await change(place, notification, template_version_id=version_id)


def text_of(mail: Message) -> str:
    content = mail.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content.decode()


async def sent(place: Bench) -> Message:
    place.transport.script = [OK]
    await place.deliver()
    (request,) = place.transport.requests
    assert isinstance(request, MailRequest)
    return message_from_bytes(request.body)


@pytest.fixture
async def about_news(bench: Bench) -> Bench:
    """The notification of the bench, about a topic."""
    await factories.insert(bench.database, bench.tenant_id, topic, name="news")
    await change(bench, template, topic="news")
    return bench


def tokens(mail: Message) -> list[str]:
    return [word.rpartition("/")[2] for word in text_of(mail).split() if word.startswith(PUBLIC_URL)]


async def test_a_mail_about_a_topic_can_be_unsubscribed_from_by_one_click(about_news: Bench, key_ring: KeyRing) -> None:
    mail = await sent(about_news)
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = str(mail["List-Unsubscribe"])
    assert link.startswith(f"<{PUBLIC_URL}/u/")
    assert Links(key_ring, PUBLIC_URL).opened(link.rpartition("/")[2].rstrip(">")) == Link(
        tenant_id=about_news.tenant_id,
        subject_kind="email",
        subject="asha@example.com",
        channel=Channel.EMAIL,
        topic="news",
    )


async def test_the_link_of_a_recipient_holds_their_id(about_news: Bench, key_ring: KeyRing) -> None:
    owner = await factories.insert(about_news.database, about_news.tenant_id, recipient, external_id="asha")
    fields = {"recipient_id": owner, "kind": "email", "value": "asha@example.com"}
    await factories.insert(about_news.database, about_news.tenant_id, address, **fields)
    await change(about_news, notification, receiver_id=owner)
    token = str((await sent(about_news))["List-Unsubscribe"]).rpartition("/")[2].rstrip(">")
    found = Links(key_ring, PUBLIC_URL).opened(token)
    assert found is not None
    assert (found.subject_kind, found.subject) == ("recipient", str(owner))


@pytest.mark.parametrize("why", ["no topic", "transactional", "no https", "its own"])
async def test_a_mail_carries_no_such_header_where_it_would_promise_too_much(about_news: Bench, why: str) -> None:
    if why == "no topic":
        await change(about_news, template, topic=None)
    elif why == "transactional":
        await change(about_news, topic, transactional=True)
    elif why == "no https":
        composer = about_news.delivery._composer
        composer._links = replace(composer._links, public_url="http://carillon.example")
    else:
        own = {"subject": "s", "text": "t", "headers": {"List-unsubscribe": "<mailto:leave@example.com>"}}
        await says(about_news, own)
    mail = await sent(about_news)
    assert mail["List-Unsubscribe-Post"] is None
    assert mail["List-Unsubscribe"] == ("<mailto:leave@example.com>" if why == "its own" else None)


async def test_templates_write_links_without_declaring_them(about_news: Bench, key_ring: KeyRing) -> None:
    content = {"subject": "News", "text": BODY}
    await says(about_news, content)
    found = [Links(key_ring, PUBLIC_URL).opened(token) for token in tokens(await sent(about_news))]
    assert [link.topic for link in found if link] == [None, "news"]


async def test_what_the_data_says_goes_before_a_link_of_the_same_name(about_news: Bench) -> None:
    content = {"subject": "News", "text": BODY}
    await says(about_news, content)
    await change(about_news, notification, data={"name": "Asha", "unsubscribe_url": "https://shop.example/leave"})
    assert "leave at https://shop.example/leave" in text_of(await sent(about_news))


def test_a_token_shows_nothing_and_lives_through_a_rotation(key_ring: KeyRing) -> None:
    link = Link(tenant_id=UUID(int=1), subject_kind="email", subject="asha@example.com", topic="news")
    token = Links(key_ring, PUBLIC_URL).token(link)
    raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    assert not any(secret in raw for secret in (b"asha", b"news", UUID(int=1).bytes))
    rotated = KeyRing({"new": b"n" * 32, **key_ring.keys})
    assert Links(rotated, PUBLIC_URL).opened(token) == link
    assert Links(KeyRing({"new": b"n" * 32}), PUBLIC_URL).opened(token) is None


@pytest.mark.parametrize("change_at", [0, 5, 30, -1])
def test_a_token_that_was_changed_is_none(key_ring: KeyRing, change_at: int) -> None:
    links = Links(key_ring, PUBLIC_URL)
    token = bytearray(links.token(Link(tenant_id=UUID(int=1), subject_kind="email", subject="a@b.c")).encode())
    token[change_at] = ord("A") if token[change_at] != ord("A") else ord("Q")
    assert links.opened(token.decode()) is None


@pytest.mark.parametrize("token", ["", "x", "é", "A" * 2000, "A" * 100, "...."])
def test_what_is_no_token_is_none(key_ring: KeyRing, token: str) -> None:
    assert Links(key_ring, PUBLIC_URL).opened(token) is None
