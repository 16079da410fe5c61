"""Spells content as the bodies of WhatsApp's messages call.

Source: https://developers.facebook.com/docs/whatsapp/cloud-api/reference/messages
"""

from collections.abc import Sequence
from typing import Any

from domain.content import (
    Content,
    EmailContent,
    Media,
    Outgoing,
    SmsContent,
    TemplateButton,
    TemplateParameter,
    WhatsAppImage,
    WhatsAppTemplate,
    WhatsAppText,
)
from domain.errors import ContentRefused, InvalidAddress, MediaRefused
from domain.recipients import Address, AddressKind

Json = dict[str, Any]

_MEDIA_KINDS = ("image", "video", "document")
_BUTTON_VALUES = {
    "url": ("text", "text"),
    "quick_reply": ("payload", "payload"),
    "copy_code": ("coupon_code", "coupon_code"),
}


def body_of(message: Outgoing) -> Json:
    """Returns the JSON body that sends `message`.

    Raises:
        Rejected: The address or the content cannot be expressed.
    """
    return {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        **_recipient(message.to),
        **_spelled(message.content),
        "biz_opaque_callback_data": message.reference,
    }


def read_mark(message_id: str, *, typing: bool) -> Json:
    """Returns the JSON body that marks an inbound message as read and, with `typing`, shows that we write."""
    mark: Json = {"messaging_product": "whatsapp", "status": "read", "message_id": message_id}
    return {**mark, "typing_indicator": {"type": "text"}} if typing else mark


def _recipient(to: Address) -> Json:
    match to.kind:
        case AddressKind.PHONE:
            return {"to": to.value}
        case AddressKind.WHATSAPP_USER:
            return {"recipient": to.value}
        case AddressKind.EMAIL:
            raise InvalidAddress("WhatsApp reaches phone numbers and WhatsApp users, not mail addresses")


def _spelled(content: Content) -> Json:
    match content:
        case WhatsAppTemplate():
            return {"type": "template", "template": _template(content)}
        case WhatsAppText():
            return {
                **_quoted(content),
                **(_interactive(content) if content.buttons or content.choices else _text(content)),
            }
        case WhatsAppImage():
            caption = {"caption": content.caption} if content.caption else {}
            return {"type": "image", "image": {**_media(content.media, "image"), **caption}}
        case EmailContent() | SmsContent():
            raise ContentRefused(f"WhatsApp does not carry {type(content).__name__}")


def _quoted(content: WhatsAppText) -> Json:
    return {"context": {"message_id": content.quotes}} if content.quotes else {}


def _text(content: WhatsAppText) -> Json:
    if content.header is not None or content.footer is not None:
        raise ContentRefused("a text without buttons or a list has neither a header nor a footer")
    return {"type": "text", "text": {"body": content.body, "preview_url": content.preview_url}}


def _interactive(content: WhatsAppText) -> Json:
    interactive: Json = {"type": "list" if content.choices else "button", "body": {"text": content.body}}
    interactive["action"] = _list(content) if content.choices else {"buttons": _replies(content)}
    if content.header is not None:
        interactive["header"] = {"type": "text", "text": content.header}
    if content.footer is not None:
        interactive["footer"] = {"text": content.footer}
    return {"type": "interactive", "interactive": interactive}


def _replies(content: WhatsAppText) -> list[Json]:
    return [{"type": "reply", "reply": {"id": button.id, "title": button.title}} for button in content.buttons]


def _list(content: WhatsAppText) -> Json:
    rows = [
        {"id": row.id, "title": row.title, **({"description": row.description} if row.description else {})}
        for row in content.choices
    ]
    return {"button": content.choose, "sections": [{"rows": rows}]}


def _template(content: WhatsAppTemplate) -> Json:
    components = [*_header(content), *_body(content.body), *map(_button, content.buttons)]
    template: Json = {"name": content.name, "language": {"code": content.language}}
    return {**template, "components": components} if components else template


def _header(content: WhatsAppTemplate) -> list[Json]:
    if content.header_media is not None and content.header:
        raise ContentRefused("the header of a template is either media or text")
    if content.header_media is not None:
        kind = content.header_media_kind
        if kind not in _MEDIA_KINDS:
            raise ContentRefused(f"the header of a template cannot be {kind!r}; it can be {', '.join(_MEDIA_KINDS)}")
        return [{"type": "header", "parameters": [{"type": kind, kind: _media(content.header_media, kind)}]}]
    return [{"type": "header", "parameters": _parameters(content.header)}] if content.header else []


def _body(body: Sequence[TemplateParameter]) -> list[Json]:
    return [{"type": "body", "parameters": _parameters(body)}] if body else []


def _parameters(values: Sequence[TemplateParameter]) -> list[Json]:
    return [
        {"type": "text", **({"parameter_name": item.name} if item.name is not None else {}), "text": item.value}
        for item in values
    ]


def _button(button: TemplateButton) -> Json:
    if button.sub_type == "flow":
        parameter: Json = {"type": "action", "action": {"flow_token": button.value}}
    elif button.sub_type in _BUTTON_VALUES:
        kind, name = _BUTTON_VALUES[button.sub_type]
        parameter = {"type": kind, name: button.value}
    else:
        raise ContentRefused(f"a template's button cannot be {button.sub_type!r}")
    return {"type": "button", "sub_type": button.sub_type, "index": str(button.index), "parameters": [parameter]}


def _media(media: Media, kind: str) -> Json:
    if (media.link is None) == (media.media_id is None):
        raise MediaRefused("media needs either a link or a media id")
    found: Json = {"link": media.link} if media.link is not None else {"id": media.media_id}
    if media.filename is not None and kind == "document":  # only documents are shown with a name
        found["filename"] = media.filename
    return found
