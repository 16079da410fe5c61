"""WhatsApp: approved templates with their values, free-form texts, images."""

import re
from collections.abc import Mapping
from typing import Any

from channels.errors import refused
from channels.liquid import compiled, fill
from channels.rendered import Rendered, rendered
from channels.scope import Scope
from channels.shapes import (
    WhatsAppButton,
    WhatsAppFollowUp,
    WhatsAppHeader,
    WhatsAppImagePart,
    WhatsAppList,
    WhatsAppPart,
    WhatsAppTemplatePart,
    WhatsAppTextPart,
)
from channels.whatsapp_shape import (
    LONGEST_BUTTON_TITLE,
    LONGEST_CAPTION,
    LONGEST_HEADER,
    LONGEST_PAYLOAD,
    LONGEST_ROW_DESCRIPTION,
    LONGEST_ROW_TITLE,
    LONGEST_TEXT,
    LONGEST_TEXT_WITH_BUTTONS,
)
from domain.content import (
    Choice,
    Media,
    ReplyButton,
    TemplateButton,
    TemplateParameter,
    WhatsAppImage,
    WhatsAppTemplate,
    WhatsAppText,
)
from domain.locales import DEFAULT
from domain.reasons import Reason

_LINK = re.compile(r"https?://[^\s/?#@]+[^\s]*", re.IGNORECASE)
_MEDIA_ID = re.compile(r"[0-9]{5,32}")


def render(part: WhatsAppPart, scope: Scope, language: str) -> Rendered:
    """Returns what the part says; `skipped` is `no_image` where it only makes sense with one.

    Args:
        part: The part.
        scope: Data, locale, zone, budget.
        language: Locale of the part, for approved templates that name no language themselves.

    Raises:
        TemplateError: A variable is missing, or a value does not fit where it stands.
    """
    match part:
        case WhatsAppTemplatePart():
            return _template(part, scope, language)
        case WhatsAppTextPart():
            return rendered(_text(part, scope))
        case WhatsAppImagePart():
            image = _image(part.image, scope, "/image", optional=part.skip_if_no_image)
            if image is None:
                return rendered(None, skipped=Reason.NO_IMAGE)
            return rendered(WhatsAppImage(media=image, caption=_caption(part.caption, scope, "/caption")))


def _template(part: WhatsAppTemplatePart, scope: Scope, language: str) -> Rendered:
    header = part.header or WhatsAppHeader()
    media = _header_media(header, scope, optional=part.skip_if_no_image)
    if media is None and header.image is not None:
        return rendered(None, skipped=Reason.NO_IMAGE)
    kinds = [kind for kind in ("video", "document") if getattr(header, kind) is not None]
    content = WhatsAppTemplate(
        name=part.name,
        language=part.language or _whatsapp_language(language),
        header_media=media,
        header_media_kind=kinds[0] if kinds else "image",
        header=tuple(
            TemplateParameter(value=_value(source, scope, f"/header/text/{index}"))
            for index, source in enumerate(header.text)
        ),
        body=_body(part.body, scope),
        buttons=tuple(
            TemplateButton(
                index=button.index, sub_type=button.type, value=_button(button, scope, f"/buttons/{place}/value")
            )
            for place, button in enumerate(part.buttons)
        ),
    )
    return rendered(content, follow_up=_follow_up(part.follow_up, scope))


def _header_media(header: WhatsAppHeader, scope: Scope, *, optional: bool) -> Media | None:
    if header.image is not None:
        return _image(header.image, scope, "/header/image", optional=optional)
    if header.video is not None:
        return _media(fill(header.video, scope, pointer="/header/video"), "/header/video")
    if header.document is None:
        return None
    filename = _value(header.filename, scope, "/header/filename") if header.filename else None
    return _media(fill(header.document, scope, pointer="/header/document"), "/header/document", filename)


def _body(body: tuple[str, ...] | Mapping[str, str], scope: Scope) -> tuple[TemplateParameter, ...]:
    if isinstance(body, Mapping):
        return tuple(
            TemplateParameter(value=_value(source, scope, f"/body/{name}"), name=name) for name, source in body.items()
        )
    return tuple(TemplateParameter(value=_value(source, scope, f"/body/{index}")) for index, source in enumerate(body))


def _value(source: str, scope: Scope, pointer: str) -> str:
    """Returns a template's value on one line, as WhatsApp takes no line ends, tabs or long gaps inside values."""
    value = " ".join(fill(source, scope, pointer=pointer).split())
    if not value:
        raise refused("the value is blank with this data, which WhatsApp does not take; give it a default", pointer)
    return value


def _follow_up(follow_up: WhatsAppFollowUp | None, scope: Scope) -> WhatsAppImage | None:
    if follow_up is None:
        return None
    image = _image(follow_up.image, scope, "/follow_up/image", optional=True)
    if image is None:
        return None
    return WhatsAppImage(media=image, caption=_caption(follow_up.caption, scope, "/follow_up/caption"))


def _text(part: WhatsAppTextPart, scope: Scope) -> WhatsAppText:
    longest = LONGEST_TEXT_WITH_BUTTONS if part.buttons else LONGEST_TEXT
    return WhatsAppText(
        body=_limited(part.body, scope, "/body", longest) or "",
        preview_url=part.preview_url,
        buttons=tuple(
            ReplyButton(
                id=_payload(button.id, scope, f"/buttons/{index}/id"),
                title=_limited(button.title, scope, f"/buttons/{index}/title", LONGEST_BUTTON_TITLE) or "",
            )
            for index, button in enumerate(part.buttons)
        ),
        choices=_choices(part.list, scope) if part.list is not None else (),
        choose=_limited(part.list.button, scope, "/list/button", LONGEST_BUTTON_TITLE) if part.list else None,
        header=_optional(part.header, scope, "/header"),
        footer=_optional(part.footer, scope, "/footer"),
    )


def _choices(choices: WhatsAppList, scope: Scope) -> tuple[Choice, ...]:
    found = []
    for index, row in enumerate(choices.rows):
        place, description = f"/list/rows/{index}", None
        if row.description is not None:
            description = _limited(row.description, scope, f"{place}/description", LONGEST_ROW_DESCRIPTION, blank=True)
        title = _limited(row.title, scope, f"{place}/title", LONGEST_ROW_TITLE) or ""
        found.append(Choice(id=_payload(row.id, scope, f"{place}/id"), title=title, description=description))
    return tuple(found)


def _button(button: WhatsAppButton, scope: Scope, pointer: str) -> str:
    fitting = _payload if button.type == "quick_reply" else _value
    return fitting(button.value, scope, pointer)


def _payload(source: str, scope: Scope, pointer: str) -> str:
    """Returns what a button says when it is tapped."""
    value = _value(source, scope, pointer)
    if len(value) > LONGEST_PAYLOAD:
        raise refused(f"this has {len(value):,} characters with this data; {LONGEST_PAYLOAD} are possible", pointer)
    return value


def _caption(source: str | None, scope: Scope, pointer: str) -> str | None:
    return _limited(source, scope, pointer, LONGEST_CAPTION, blank=True) if source is not None else None


def _optional(source: str | None, scope: Scope, pointer: str) -> str | None:
    return _limited(source, scope, pointer, LONGEST_HEADER) if source is not None else None


def _limited(source: str, scope: Scope, pointer: str, longest: int, *, blank: bool = False) -> str | None:
    text = fill(source, scope, pointer=pointer).replace("\r\n", "\n").strip()
    if not text and not blank:
        raise refused("the text is blank with this data", pointer)
    if len(text) > longest:
        raise refused(f"the text has {len(text):,} characters with this data; {longest:,} are possible", pointer)
    return text or None


def _image(source: str, scope: Scope, pointer: str, *, optional: bool) -> Media | None:
    if optional and _lacks(source, scope):
        return None
    filled = fill(source, scope, pointer=pointer).strip()
    return None if optional and not filled else _media(filled, pointer)


def _lacks(source: str, scope: Scope) -> bool:
    """Tells whether a variable that the source needs has no value."""
    return any(_lookup(scope.data, path) is None for path in compiled(source).uses.required)


def _lookup(data: Any, path: str) -> Any:
    for step in path.replace("[]", ".[]").split("."):
        if step == "[]" and isinstance(data, list):
            data = data[0] if data else None
        elif isinstance(data, Mapping):
            data = data.get(step)
        else:
            return None
    return data


def _media(text: str, pointer: str, filename: str | None = None) -> Media:
    value = text.strip()
    if _LINK.fullmatch(value):
        return Media(link=value, filename=filename)
    if _MEDIA_ID.fullmatch(value):
        return Media(media_id=value, filename=filename)
    raise refused("with this data, this is neither a link (https://…) nor a media id", pointer)


def _whatsapp_language(locale: str) -> str:
    if locale == DEFAULT:
        raise refused("a part for the locale 'default' has to name the language of the approved template", "/language")
    return locale.replace("-", "_")
