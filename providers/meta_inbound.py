"""Reads what people write to a WhatsApp number: each kind of message as one `Inbound`.

Source: https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/payload-examples
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from domain.recipients import Address, AddressKind
from providers.base import Inbound
from providers.callback_values import bounded_key, inner, instant, objects, text_of

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What a message says, as far as its kind has it."""

    kind: str
    text: str | None = None
    payload: str | None = None
    quotes: str | None = None
    media_id: str | None = None
    media_type: str | None = None


def inbound_of(sender: str, message: Json, contacts: Sequence[Json], time: Any) -> Inbound | None:
    """Returns the message, or None for one that is malformed or of a kind nobody here knows.

    Args:
        sender: Id of the phone number it came to.
        message: The message object.
        contacts: Profiles that came with the batch; system messages come without.
        time: When the batch was made, for a message without a time.
    """
    message_id, kind = text_of(message, "id"), text_of(message, "type")
    author = _author(message)
    if message_id is None or kind is None or kind not in KINDS or author is None:
        return None
    said = KINDS[kind](kind, message)
    if said is None:
        return None
    return Inbound(
        event_key=bounded_key(f"message:{message_id}"),
        provider_message_id=message_id,
        sender=sender,
        author=author,
        kind=said.kind,
        occurred_at=instant(message.get("timestamp"), time),
        text=said.text,
        payload=said.payload,
        quotes=said.quotes or text_of(inner(message, "context"), "id"),
        media_id=said.media_id,
        media_type=said.media_type,
        author_name=_name(message, contacts),
        raw=message,
    )


def _author(message: Json) -> Address | None:
    """Returns who wrote: by phone number where WhatsApp shows it, by user id otherwise."""
    number = (text_of(message, "from") or "").removeprefix("+")
    if number.isascii() and number.isdigit():
        return Address(AddressKind.PHONE, f"+{number}")
    user_id = text_of(message, "from_user_id") or number
    return Address(AddressKind.WHATSAPP_USER, user_id) if user_id else None


def _name(message: Json, contacts: Sequence[Json]) -> str | None:
    ids = {text_of(message, "from"), text_of(message, "from_user_id")} - {None}
    for contact in contacts:
        if ids & {text_of(contact, "wa_id"), text_of(contact, "user_id")}:
            profile = inner(contact, "profile")
            return text_of(profile, "name") or text_of(profile, "username")
    return None


def _text(kind: str, message: Json) -> _Said | None:
    body = inner(message, "text").get("body")
    return _Said(kind=kind, text=body) if isinstance(body, str) else None


def _button(kind: str, message: Json) -> _Said | None:
    button = inner(message, "button")
    text, payload = text_of(button, "text"), text_of(button, "payload")
    return None if text is None and payload is None else _Said(kind=kind, text=text, payload=payload)


def _interactive(_kind: str, message: Json) -> _Said | None:
    interactive = inner(message, "interactive")
    kind = text_of(interactive, "type")
    if kind in {"button_reply", "list_reply"}:
        reply = inner(interactive, kind)
        payload = text_of(reply, "id")
        return None if payload is None else _Said(kind=kind, text=text_of(reply, "title"), payload=payload)
    if kind == "nfm_reply":
        reply = inner(interactive, kind)
        payload = text_of(reply, "response_json")
        return None if payload is None else _Said(kind=kind, text=text_of(reply, "body"), payload=payload)
    return None


def _media(kind: str, message: Json) -> _Said | None:
    media = inner(message, kind)
    media_id = text_of(media, "id")
    if media_id is None:
        return None
    text = text_of(media, "caption") or text_of(media, "filename")
    return _Said(kind=kind, text=text, media_id=media_id, media_type=text_of(media, "mime_type"))


def _location(kind: str, message: Json) -> _Said | None:
    location = inner(message, kind)
    latitude, longitude = location.get("latitude"), location.get("longitude")
    if not all(isinstance(value, int | float | str) for value in (latitude, longitude)):
        return None
    words = [word for word in (text_of(location, "name"), text_of(location, "address")) if word]
    return _Said(kind=kind, text=", ".join(words) or None, payload=f"{latitude},{longitude}")


def _contacts(kind: str, message: Json) -> _Said | None:
    cards = objects(message.get(kind))
    names = [name for card in cards if (name := text_of(inner(card, "name"), "formatted_name"))]
    return _Said(kind=kind, text=", ".join(names) or None) if cards else None


def _reaction(kind: str, message: Json) -> _Said | None:
    reaction = inner(message, kind)
    target = text_of(reaction, "message_id")
    # Without an emoji somebody takes a reaction back.
    return None if target is None else _Said(kind=kind, text=text_of(reaction, "emoji"), quotes=target)


def _order(kind: str, message: Json) -> _Said | None:
    order = inner(message, kind)
    return _Said(kind=kind, text=text_of(order, "text"), payload=text_of(order, "catalog_id")) if order else None


def _system(kind: str, message: Json) -> _Said | None:
    system = inner(message, kind)
    changed = text_of(system, "wa_id") or text_of(system, "new_wa_id") or text_of(system, "user_id")
    return _Said(kind=kind, text=text_of(system, "body"), payload=changed) if system else None


def _unsupported(_kind: str, _message: Json) -> _Said | None:
    return _Said(kind="unsupported")


KINDS: Mapping[str, Callable[[str, Json], _Said | None]] = {
    "text": _text,
    "button": _button,
    "interactive": _interactive,
    "image": _media,
    "audio": _media,
    "video": _media,
    "document": _media,
    "sticker": _media,
    "location": _location,
    "contacts": _contacts,
    "reaction": _reaction,
    "order": _order,
    "system": _system,
    "unsupported": _unsupported,
    "unknown": _unsupported,
}
"""WhatsApp's kinds of message and how each is read; other kinds are kept as `Unknown`."""
