"""What a user does: writes, taps, picks, reacts; each becomes an inbound message on the wire.

Source: https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/payload-examples
"""

import json
import time
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from sandbox.graph_errors import asynchronous
from sandbox.identifiers import bsuid, phone, wamid
from sandbox.media import MediaStore
from sandbox.world import Message, Number

Json = dict[str, Any]
Kind = Literal[
    "text",
    "tap",
    "button",
    "button_reply",
    "list_reply",
    "nfm_reply",
    "image",
    "audio",
    "video",
    "document",
    "sticker",
    "location",
    "contacts",
    "reaction",
    "order",
    "system",
    "unsupported",
    "raw",
]
_MEDIA_TYPES = {
    "image": "image/png",
    "audio": "audio/ogg",
    "video": "video/mp4",
    "document": "application/pdf",
    "sticker": "image/webp",
}
# The smallest PNG: one transparent pixel.
_PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d4944415478da63fcffff3f0300050001ff5b4d2a1e0000000049454e44ae426082"
)


class ImpossibleError(ValueError):
    """The user cannot do that, for example tap a button that the message does not have."""


class Act(BaseModel):
    """The body of `POST /_sandbox/inbound`: who does what towards which number."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    number: str
    user: str = Field(alias="from")
    type: Kind = "text"
    text: str | None = None
    context: str | None = None
    id: str | None = None
    index: int | None = Field(default=None, ge=0)
    title: str | None = None
    description: str | None = None
    emoji: str = "\N{THUMBS UP SIGN}"
    media: str | None = None
    caption: str | None = None
    filename: str | None = None
    latitude: float = 28.6139
    longitude: float = 77.209
    response: Json = Field(default_factory=dict)
    raw: Json = Field(default_factory=dict)
    name: str | None = None
    hide_phone: bool = False
    copies: int = Field(default=1, ge=1, le=100)
    message_id: str | None = None


def message_of(act: Act, number: Number, about: Message | None, media: MediaStore) -> Json:
    """Returns the inbound message an act becomes; `about` is the message it answers, if there is one."""
    user = phone(act.user) or act.user
    message: Json = {
        "id": act.message_id or wamid(user),
        "timestamp": str(int(time.time())),
        "from_user_id": bsuid(user),
    }
    if not act.hide_phone:
        message["from"] = user
    if act.context:
        sender = phone(number.display_phone_number) if about is None or about.outbound else user
        message["context"] = {"from": sender, "id": act.context}
    content = _tapped(act, about) if act.type == "tap" else _content(act, number, media)
    return {**message, **content}


def _content(act: Act, number: Number, media: MediaStore) -> Json:
    if act.type in _MEDIA_TYPES:
        return _medium(act, number, media)
    if act.type.endswith("_reply"):
        return _reply_of(act)
    content: Json = act.raw
    match act.type:
        case "text":
            content = {"body": act.text or ""}
        case "button":
            content = {"payload": act.id or act.title, "text": act.title or act.id}
        case "reaction":
            content = {"message_id": act.context or "", "emoji": act.emoji}
        case "location":
            place = {"latitude": act.latitude, "longitude": act.longitude}
            content = {**place, "name": act.text} if act.text else place
        case "contacts" | "order" | "system" | "unsupported":
            return _rare(act)
        case "raw":
            return {"type": "text", **act.raw}
        case _:
            pass  # told apart above
    return {"type": act.type, act.type: content}


def _reply_of(act: Act) -> Json:
    reply = {"id": act.id or "", "title": act.title or ""}
    if act.type == "nfm_reply":
        reply = {"name": "flow", "body": act.text or "Sent", "response_json": json.dumps(act.response)}
    elif act.type == "list_reply" and act.description:
        reply["description"] = act.description
    return _reply(act.type, reply)


def _rare(act: Act) -> Json:
    user = phone(act.user) or act.user
    match act.type:
        case "contacts":
            name = act.text or "Asha Rao"
            phones = [{"phone": f"+{user}", "type": "CELL"}]
            card = {"name": {"formatted_name": name, "first_name": name.split()[0]}, "phones": phones}
            return {"type": "contacts", "contacts": [card]}
        case "order":
            item = {"product_retailer_id": act.id or "sku-1", "quantity": 1, "item_price": 100.0, "currency": "INR"}
            return {"type": "order", "order": {"catalog_id": "1", "text": act.text or "", "product_items": [item]}}
        case "system":
            new = phone(act.id or "") or user
            change = {"body": f"User changed from {user} to {new}", "type": "user_changed_number", "wa_id": new}
            return {"type": "system", "system": change}
        case _:
            return {
                "type": "unsupported",
                "errors": [asynchronous(131051)],
                "unsupported": {"type": act.text or "unknown"},
            }


def _reply(kind: str, reply: Json) -> Json:
    return {"type": "interactive", "interactive": {"type": kind, kind: reply}}


def _medium(act: Act, number: Number, media: MediaStore) -> Json:
    kept = media.find(act.media) if act.media else media.add(number.id, _MEDIA_TYPES[act.type], _PIXEL)
    if kept is None:
        raise ImpossibleError(f"there is no medium {act.media!r}; upload it first")
    content: Json = {"id": kept.id, "mime_type": kept.mime_type, "sha256": kept.sha256}
    if act.caption and act.type in {"image", "video", "document"}:
        content["caption"] = act.caption
    if act.type == "document":
        content["filename"] = act.filename or "document.pdf"
    if act.type == "audio":
        content["voice"] = True
    if act.type == "sticker":
        content["animated"] = False
    return {"type": act.type, act.type: content}


def _tapped(act: Act, about: Message | None) -> Json:
    if about is None:
        raise ImpossibleError(f"a tap needs the message it is on as context; {act.context!r} is not known")
    choices = choices_of(about)
    if act.index is not None:
        chosen = choices[act.index] if act.index < len(choices) else None
    else:
        chosen = next((one for one in choices if act.id in {one["id"], one["title"]}), None)
        beginning = [one for one in choices if act.id and one["id"].startswith(act.id)]
        chosen = chosen or (beginning[0] if len(beginning) == 1 else None)
    if chosen is None:
        names = ", ".join(f"{one['id']!r}" for one in choices) or "none"
        raise ImpossibleError(f"message {about.wamid} has no such button or row; it has: {names}")
    if chosen["as"] == "button":
        return {"type": "button", "button": {"payload": chosen["id"], "text": chosen["title"]}}
    reply = {key: chosen[key] for key in ("id", "title", "description") if chosen.get(key)}
    return _reply(chosen["as"], reply)


def choices_of(message: Message) -> list[Json]:
    """Returns the buttons or rows of a message that a user can tap, in order."""
    if message.template is not None:
        buttons = (message.template.get("shown") or {}).get("buttons", [])
        taps = [button for button in buttons if button["kind"] == "quick_reply"]
        return [{"as": "button", "id": button["payload"], "title": button["title"]} for button in taps]
    interactive = message.body.get("interactive") or {}
    action = interactive.get("action") or {}
    if not message.outbound:
        return []
    replies = [{"as": "button_reply", **button["reply"]} for button in action.get("buttons", [])]
    rows = [{"as": "list_reply", **row} for section in action.get("sections", []) for row in section.get("rows", [])]
    return replies + rows
