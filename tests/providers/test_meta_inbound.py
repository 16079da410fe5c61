"""What people write to WhatsApp: each kind of message; `pywa` is the second opinion."""

import copy
from datetime import UTC, datetime
from typing import Any

import pytest
from pywa.client import WhatsApp

from domain.recipients import Address, AddressKind
from providers.base import Inbound, Unknown

from .cases import TEXT, WRITTEN, change, value
from .reading import only, read_by

BUTTON = {"type": "button", "button": {"text": "Yes", "payload": "yes:7"}}
REPLY = {"type": "button_reply", "button_reply": {"id": "b1", "title": "Accept"}}
CHOICE = {"type": "list_reply", "list_reply": {"id": "r1", "title": "Late", "description": "d"}}
FORM = {"type": "nfm_reply", "nfm_reply": {"name": "flow", "body": "Sent", "response_json": '{"a": 1}'}}
IMAGE = {"id": "1003383421387256", "mime_type": "image/jpeg", "sha256": "c2hh", "caption": "Look"}
AUDIO = {"id": "2", "mime_type": "audio/ogg", "sha256": "c2hh", "voice": True}
PDF = {"id": "3", "mime_type": "application/pdf", "sha256": "c2hh", "filename": "a.pdf"}
KINDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "text": (TEXT, {"kind": "text", "text": "Hello"}),
    "template button": (BUTTON, {"kind": "button", "text": "Yes", "payload": "yes:7"}),
    "reply button": (
        {"type": "interactive", "interactive": REPLY},
        {"kind": "button_reply", "text": "Accept", "payload": "b1"},
    ),
    "list": ({"type": "interactive", "interactive": CHOICE}, {"kind": "list_reply", "text": "Late", "payload": "r1"}),
    "form": (
        {"type": "interactive", "interactive": FORM},
        {"kind": "nfm_reply", "text": "Sent", "payload": '{"a": 1}'},
    ),
    "image": (
        {"type": "image", "image": IMAGE},
        {"kind": "image", "text": "Look", "media_id": "1003383421387256", "media_type": "image/jpeg"},
    ),
    "audio": ({"type": "audio", "audio": AUDIO}, {"kind": "audio", "media_id": "2", "media_type": "audio/ogg"}),
    "video": ({"type": "video", "video": {"id": "4", "mime_type": "video/mp4"}}, {"kind": "video", "media_id": "4"}),
    "document": ({"type": "document", "document": PDF}, {"kind": "document", "text": "a.pdf", "media_id": "3"}),
    "sticker": ({"type": "sticker", "sticker": {"id": "5", "mime_type": "image/webp"}}, {"media_id": "5"}),
    "location": (
        {"type": "location", "location": {"latitude": 12.97, "longitude": 77.59, "name": "Office"}},
        {"kind": "location", "text": "Office", "payload": "12.97,77.59"},
    ),
    "contacts": (
        {"type": "contacts", "contacts": [{"name": {"formatted_name": "Ravi", "first_name": "Ravi"}}]},
        {"kind": "contacts", "text": "Ravi"},
    ),
    "reaction": (
        {"type": "reaction", "reaction": {"message_id": "wamid.Q", "emoji": "👍"}},
        {"kind": "reaction", "text": "👍", "quotes": "wamid.Q"},
    ),
    "reaction taken back": (
        {"type": "reaction", "reaction": {"message_id": "wamid.Q"}},
        {"kind": "reaction", "text": None, "quotes": "wamid.Q"},
    ),
    "order": (
        {"type": "order", "order": {"catalog_id": "9", "text": "Please", "product_items": []}},
        {"kind": "order", "text": "Please", "payload": "9"},
    ),
    "new number": (
        {"type": "system", "system": {"body": "Changed", "type": "user_changed_number", "wa_id": "1555"}},
        {"kind": "system", "text": "Changed", "payload": "1555"},
    ),
    "unsupported": ({"type": "unsupported", "errors": [{"code": 131051}]}, {"kind": "unsupported", "text": None}),
    "unknown": ({"type": "unknown"}, {"kind": "unsupported"}),
}
CONTACT = {"wa_id": "919876543210", "user_id": "IN.1349", "profile": {"name": "Asha"}}
READ_BY_PYWA = ["text", "template button", "reply button", "list", "image", "audio", "document", "location", "reaction"]


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_message_is_read(name: str) -> None:
    part, expected = KINDS[name]
    inbound = only(change(value(contacts=[CONTACT], messages=[{**WRITTEN, **part}])))
    assert isinstance(inbound, Inbound)
    assert {field: getattr(inbound, field) for field in expected} == expected
    assert (inbound.event_key, inbound.provider_message_id) == ("message:wamid.IN", "wamid.IN")
    assert inbound.author == Address(AddressKind.PHONE, "+919876543210")
    assert (inbound.author_name, inbound.sender) == ("Asha", "106540352242922")
    assert inbound.occurred_at == datetime(2025, 11, 21, 9, tzinfo=UTC)
    assert inbound.raw == {**WRITTEN, **part}


@pytest.mark.parametrize("name", READ_BY_PYWA)
def test_another_client_reads_the_same_message(theirs: tuple[WhatsApp, list[Any]], name: str) -> None:
    quoted = {"from": "15550783881", "id": "wamid.OUT"}
    part = copy.deepcopy(KINDS[name][0])
    document = change(value(contacts=[CONTACT], messages=[{**WRITTEN, **part, "context": quoted}]))
    ours, other = only(document), read_by(theirs, document)
    assert (ours.provider_message_id, ours.author_name) == (other.id, other.from_user.name)
    assert ours.author.value == f"+{other.from_user.wa_id}"
    assert ours.occurred_at == other.timestamp.astimezone(UTC)
    if ours.payload is not None and name != "location":
        assert (ours.payload, ours.text) == (other.data, other.title)
    if name == "text":
        assert ours.text == other.text
    if ours.media_id is not None:
        media = getattr(other, name)
        assert (ours.media_id, ours.media_type) == (media.id, media.mime_type)
    if name != "reaction":
        assert ours.quotes == other.reply_to_message.id == "wamid.OUT"


@pytest.mark.parametrize(
    ("who", "author"),
    [
        ({"from": "919876543210"}, Address(AddressKind.PHONE, "+919876543210")),
        ({"from_user_id": "US.1349"}, Address(AddressKind.WHATSAPP_USER, "US.1349")),
        ({"from": "US.1349"}, Address(AddressKind.WHATSAPP_USER, "US.1349")),
    ],
    ids=["phone", "user id", "user id in the place of the phone"],
)
def test_an_author_may_show_no_phone_number(who: dict[str, str], author: Address) -> None:
    message = {"id": "wamid.IN", "timestamp": "1763715600", **who, **TEXT}
    inbound = only(change(value(messages=[message])))
    assert (inbound.author, inbound.author_name, inbound.quotes) == (author, None, None)


@pytest.mark.parametrize(
    "message",
    [
        {**WRITTEN, "type": "hologram", "hologram": {}},
        {**WRITTEN, "type": "text"},
        {**WRITTEN, "type": "text", "text": "Hello"},
        {**WRITTEN, "type": "interactive", "interactive": {"type": "new_reply"}},
        {**WRITTEN, "type": "image", "image": {}},
        {"id": "wamid.IN", **TEXT},
        {"from": "919876543210", **TEXT},
        "a text",
        None,
    ],
)
def test_a_message_that_cannot_be_read_is_kept(message: Any) -> None:
    event = only(change(value(messages=[message])))
    assert isinstance(event, Unknown)
    assert event.kind.startswith("message.")
