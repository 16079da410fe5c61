"""What the page shows: conversations, message bubbles with ticks, buttons and media."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sandbox.inbound import choices_of
from sandbox.world import Message, World

Json = dict[str, Any]
_TICKS = {"accepted": "\N{WHITE CIRCLE}", "sent": "\N{CHECK MARK}", "delivered": "\N{CHECK MARK}\N{CHECK MARK}"}
_TICKS |= {"read": "\N{CHECK MARK}\N{CHECK MARK}", "failed": "!"}
_MEDIA = ("image", "video", "audio", "document", "sticker")
_PREVIEW = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A medium of a bubble; `source` is set where the sandbox itself holds the file."""

    kind: str
    source: str | None = None
    link: str | None = None
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bubble:
    """One message as the phone shows it."""

    wamid: str
    mine: bool
    time: str
    status: str
    ticks: str
    header: str = ""
    body: str = ""
    footer: str = ""
    picture: Picture | None = None
    choices: list[Json] = field(default_factory=list)
    links: list[Json] = field(default_factory=list)
    list_title: str = ""
    reaction: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """One entry of the list at the side."""

    number: str
    business: str
    user: str
    name: str
    preview: str
    time: str
    at: str

    @property
    def key(self) -> str:
        """Returns what names the conversation in an address."""
        return f"{self.number}/{self.user}"


def conversations(world: World) -> list[Conversation]:
    """Returns all conversations, the newest first."""
    found = []
    for (number_id, user), wamids in world.threads.items():
        last = next((world.messages[one] for one in reversed(wamids) if one in world.messages), None)
        number = world.numbers.get(number_id)
        if last is None:
            continue
        shown = bubble(last)
        found.append(
            Conversation(
                number=number_id,
                business=number.verified_name if number else number_id,
                user=user,
                name=f"+{user}" if user.isdecimal() else user,
                preview=(shown.body or shown.header or f"[{last.body.get('type', 'message')}]")[:_PREVIEW],
                time=shown.time,
                at=last.at,
            )
        )
    return sorted(found, key=lambda one: one.at, reverse=True)


def bubbles(world: World, number_id: str, user: str) -> list[Bubble]:
    """Returns the bubbles of a conversation, the oldest first; reactions sit on the message they are about."""
    messages = [world.messages[one] for one in world.threads.get((number_id, user), ()) if one in world.messages]
    reactions = {
        reaction.get("message_id"): str(reaction.get("emoji", ""))
        for message in messages
        if (reaction := message.body.get("reaction"))
    }
    return [bubble(one, reactions.get(one.wamid, "")) for one in messages if "reaction" not in one.body]


def bubble(message: Message, reaction: str = "") -> Bubble:
    """Returns one message as the phone of the user shows it: what the user wrote is `mine`."""
    content = _of_template(message) if message.template else _of_body(message.body)
    interactive = message.body.get("interactive") or {}
    return Bubble(
        wamid=message.wamid,
        mine=not message.outbound,
        time=datetime.fromisoformat(message.at).strftime("%H:%M"),
        status=message.status if message.outbound else "read" if message.marked_read else "delivered",
        ticks=_TICKS.get(message.status if message.outbound else "delivered", ""),
        choices=choices_of(message),
        list_title=str((interactive.get("action") or {}).get("button", "")),
        reaction=reaction,
        **content,
    )


def _of_template(message: Message) -> Json:
    shown = (message.template or {}).get("shown") or {}
    links = [button for button in shown.get("buttons", []) if button["kind"] != "quick_reply"]
    picture = _picture(shown["media"]["kind"], shown["media"]) if shown.get("media") else None
    texts = {name: shown.get(name, "") for name in ("header", "body", "footer")}
    return {**texts, "links": links, "picture": picture}


def _of_body(body: Json) -> Json:
    kind = str(body.get("type", "text")).lower()
    value = body.get(kind) or {}
    if kind in _MEDIA:
        return {"picture": _picture(kind, value), "body": value.get("caption", "")}
    if kind == "interactive":
        return _of_interactive(value)
    if kind == "location":
        place = f"{value.get('latitude')}, {value.get('longitude')}"
        return {"header": str(value.get("name", "Location")), "body": place}
    if kind == "contacts":
        return {"header": "Contact", "body": ", ".join(str(one["name"]["formatted_name"]) for one in value)}
    texts = {"text": "body", "button": "text"}
    return {"body": value.get(texts[kind], "") if kind in texts else f"[{kind}]"}


def _of_interactive(interactive: Json) -> Json:
    for reply in ("button_reply", "list_reply", "nfm_reply"):
        if reply in interactive:
            chosen = interactive[reply]
            return {"body": chosen.get("title") or chosen.get("body", ""), "footer": chosen.get("description", "")}
    header = interactive.get("header") or {}
    media = next((kind for kind in _MEDIA if kind in header), None)
    parameters = (interactive.get("action") or {}).get("parameters") or {}
    link = {"title": parameters.get("display_text"), "url": parameters.get("url")} if "url" in parameters else None
    return {
        "header": header.get("text", ""),
        "picture": _picture(media, header[media]) if media else None,
        "body": (interactive.get("body") or {}).get("text", ""),
        "footer": (interactive.get("footer") or {}).get("text", ""),
        "links": [link] if link else [],
    }


def _picture(kind: str, media: Json) -> Picture:
    source = f"/_page/media/{media['id']}" if media.get("id") else None
    return Picture(kind=kind, source=source, link=media.get("link"), name=str(media.get("filename", "")))
