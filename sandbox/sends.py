"""Checks the body of `POST /{phone_number_id}/messages` as the WhatsApp Cloud API does.

Source: https://developers.facebook.com/docs/whatsapp/cloud-api/reference/messages
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.checks import Json, a_link, a_list, a_text, an_object, one_of
from sandbox.graph_errors import GraphError, malformed
from sandbox.identifiers import is_bsuid, phone
from sandbox.interactive import check_interactive
from sandbox.parameters import check_template, rendered
from sandbox.world import Number, Template, World

MEDIA = ("audio", "document", "image", "sticker", "video")
TYPES = (*MEDIA, "contacts", "interactive", "location", "reaction", "template", "text")
_KEYS = {
    "messaging_product",
    "recipient_type",
    "to",
    "recipient",
    "type",
    "context",
    "biz_opaque_callback_data",
    "recipient_identity_key_hash",
    *TYPES,
}
_CAPTIONED = {"document", "image", "video"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """A send that passed all checks; `to` is what the caller wrote, `user` what the platform made of it."""

    to: str
    user: str
    by_user_id: bool
    kind: str
    body: Json
    reference: str | None
    template: Template | None
    shown: Json | None

    @property
    def free_form(self) -> bool:
        """Tells whether this may be sent only within the 24-hour service window."""
        return self.template is None


def check_send(body: Any, number: Number, world: World, has_media: Callable[[str], bool]) -> Send:
    """Returns the checked send or raises the refusal the platform would answer with."""
    if not isinstance(body, dict):
        raise malformed("The parameter messaging_product is required.")
    one_of(body.get("messaging_product"), "messaging_product", ("whatsapp",))
    if extra := sorted(set(body) - _KEYS):
        raise malformed(f'Unexpected key "{extra[0]}" on param "messages".')
    one_of(body.get("recipient_type", "individual"), "recipient_type", ("individual",))
    to, user, by_user_id = _recipient(body, number, world)
    kind = one_of(body.get("type", "text"), "type", TYPES)
    reference = a_text(body, "biz_opaque_callback_data", "biz_opaque_callback_data", most=512, optional=True)
    if "context" in body:
        context = an_object(body, "context", "context", of=kind)
        a_text(context, "message_id", "context['message_id']", most=128)
    template = _content(kind, body, number, world, has_media)
    shown = rendered(template, body["template"]) if template else None
    return Send(
        to=to,
        user=user,
        by_user_id=by_user_id,
        kind=kind,
        body=body,
        reference=reference or None,
        template=template,
        shown=shown,
    )


def _recipient(body: Json, number: Number, world: World) -> tuple[str, str, bool]:
    to, recipient = body.get("to"), body.get("recipient")
    if to is None and recipient is None:
        raise malformed("The parameter to is required.")
    if to is not None:
        user = phone(to) if isinstance(to, str) else None
        if user is None:
            raise GraphError(code=131009, details=f"Parameter 'to' is not a valid phone number: {to}")
        if user == phone(number.display_phone_number):
            raise GraphError(code=131021)
        return str(to), user, False
    if not isinstance(recipient, str) or not is_bsuid(recipient):
        raise GraphError(code=131009, details="Parameter 'recipient' is not a valid user id")
    return recipient, world.users.get(recipient, recipient), True


def _content(kind: str, body: Json, number: Number, world: World, has_media: Callable[[str], bool]) -> Template | None:
    if kind == "contacts":
        _check_contacts(body)
        return None
    content = an_object(body, kind, kind, of=kind)
    if kind in MEDIA:
        check_media(content, kind, kind, has_media)
    elif kind == "template":
        return check_template(content, number, world, has_media)
    elif kind == "interactive":
        check_interactive(content, lambda media, media_kind, path: check_media(media, media_kind, path, has_media))
    elif kind == "text":
        a_text(content, "body", "text['body']", most=4096)
        if not isinstance(content.get("preview_url", False), bool):
            raise malformed("Param text['preview_url'] must be a boolean.")
    elif kind == "reaction":
        a_text(content, "message_id", "reaction['message_id']", most=128)
        if not isinstance(content.get("emoji"), str):
            raise GraphError(code=131008, details="Parameter 'reaction['emoji']' is mandatory")
    else:
        _check_location(content)
    return None


def check_media(media: Json, kind: str, path: str, has_media: Callable[[str], bool]) -> None:
    """Refuses media that name neither or both of id and link, or carry what their kind does not have."""
    if ("id" in media) == ("link" in media):
        raise GraphError(
            code=100, message="(#100) Invalid parameter", details=f"Exactly one of {path}['id', 'link'] is needed"
        )
    if "link" in media:
        a_link(media, "link", f"{path}['link']")
    elif not has_media(str(media["id"])):
        raise GraphError(code=131009, details=f"Media id {media['id']} of {path} does not exist")
    if "caption" in media:
        if kind not in _CAPTIONED:
            raise malformed(f'Unexpected key "caption" on param "{path}".')
        a_text(media, "caption", f"{path}['caption']", most=1024)
    if "filename" in media and kind != "document":
        raise malformed(f'Unexpected key "filename" on param "{path}".')


def _check_location(location: Json) -> None:
    for key, most in (("latitude", 90), ("longitude", 180)):
        value = location.get(key)
        if value is None:
            raise GraphError(code=131008, details=f"Parameter 'location['{key}']' is mandatory")
        try:
            inside = abs(float(value)) <= most
        except (TypeError, ValueError):
            inside = False
        if not inside:
            raise GraphError(code=131009, details=f"Parameter 'location['{key}']' is not valid: {value}")


def _check_contacts(body: Json) -> None:
    for index, contact in enumerate(a_list(body, "contacts", "contacts", least=1, most=257)):
        name = an_object(contact, "name", f"contacts[{index}]['name']", of="contacts")
        a_text(name, "formatted_name", f"contacts[{index}]['name']['formatted_name']", most=1024)
