"""Reads WhatsApp parts from JSON and names their Liquid texts."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal, cast

from channels.reading import Reader
from channels.shapes import (
    Source,
    WhatsAppButton,
    WhatsAppFollowUp,
    WhatsAppHeader,
    WhatsAppImagePart,
    WhatsAppList,
    WhatsAppPart,
    WhatsAppReply,
    WhatsAppRow,
    WhatsAppTemplatePart,
    WhatsAppTextPart,
)
from domain.faults import escape_pointer

LONGEST_TEXT = 4096
LONGEST_TEXT_WITH_BUTTONS = 1024
LONGEST_CAPTION = 1024
LONGEST_HEADER = 60
LONGEST_BUTTON_TITLE = 20
LONGEST_ROW_TITLE = 24
LONGEST_ROW_DESCRIPTION = 72
LONGEST_PAYLOAD = 160
"""Characters of what a button says when it is tapped: WhatsApp takes 200 of a row's, and our signature needs 39."""
MOST_ROWS = 10
MOST_REPLIES = 3
MOST_TEMPLATE_BUTTONS = 10
_KINDS = ("template", "text", "image")
_BUTTONS = ("url", "quick_reply", "copy_code", "flow")
_NAME = re.compile(r"[a-z0-9_]{1,512}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(_[A-Za-z0-9]{2,8})*")
_PARAMETER = re.compile(r"[a-z][a-z0-9_]{0,63}")


def read(content: Mapping[str, Any]) -> WhatsAppPart:
    """Returns the part.

    Raises:
        TemplateError: The content has another shape.
    """
    reader = Reader(content)
    kind = reader.choice("kind", _KINDS)
    if reader.faults:
        reader.end()
    readers = {"template": _template, "text": _text, "image": _image}
    part = readers[kind](reader)
    reader.end()
    return part


def _template(reader: Reader) -> WhatsAppPart:
    name = reader.text("name", required=True)
    if name and not _NAME.fullmatch(name):
        reader.fault("name", "an approved template's name is made of a-z, 0-9 and '_'")
    language = reader.text("language")
    if language and not _LANGUAGE.fullmatch(language):
        reader.fault("language", "write the language as WhatsApp does, like 'hi' or 'en_US'")
    header = _header(reader)
    if reader.flag("skip_if_no_image") and (header is None or header.image is None):
        reader.fault(
            "skip_if_no_image", "there is no image in the header; a follow-up without image is left out anyway"
        )
    return WhatsAppTemplatePart(
        kind="template",
        name=name,
        language=language,
        header=header,
        body=_body(reader),
        buttons=_buttons(reader),
        follow_up=_follow_up(reader),
        skip_if_no_image=reader.flag("skip_if_no_image"),
    )


def _header(reader: Reader) -> WhatsAppHeader | None:
    inner = reader.inner("header")
    if inner is None:
        return None
    given = [name for name in ("image", "video", "document", "text") if inner.has(name)]
    if len(given) != 1:
        inner.fault("", "a header has exactly one of image, video, document, text")
    if inner.has("filename") and not inner.has("document"):
        inner.fault("filename", "only a document has a file name")
    header = WhatsAppHeader(
        image=inner.text("image"),
        video=inner.text("video"),
        document=inner.text("document"),
        filename=inner.text("filename"),
        text=inner.texts("text"),
    )
    inner.close()
    return header


def _body(reader: Reader) -> tuple[str, ...] | Mapping[str, str]:
    if not reader.is_object("body"):
        return reader.texts("body")
    named = reader.named_texts("body")
    for name in named:
        if not _PARAMETER.fullmatch(name):
            reader.fault("body", f"{name[:64]!r} cannot be the name of a value; use a-z, 0-9 and '_'")
    return named


def _buttons(reader: Reader) -> tuple[WhatsAppButton, ...]:
    found: list[WhatsAppButton] = []
    for inner in reader.each("buttons", most=MOST_TEMPLATE_BUTTONS):
        kind = cast("Literal['url', 'quick_reply', 'copy_code', 'flow']", inner.choice("type", _BUTTONS))
        index = inner.whole_number("index", least=0, most=MOST_TEMPLATE_BUTTONS - 1)
        if any(button.index == index for button in found):
            inner.fault("index", f"there is already a button {index}")
        found.append(WhatsAppButton(index=index, type=kind, value=inner.text("value", required=True)))
        inner.close()
    return tuple(found)


def _follow_up(reader: Reader) -> WhatsAppFollowUp | None:
    inner = reader.inner("follow_up")
    if inner is None:
        return None
    follow_up = WhatsAppFollowUp(image=inner.text("image", required=True), caption=inner.text("caption"))
    inner.close()
    return follow_up


def _text(reader: Reader) -> WhatsAppPart:
    replies = []
    for inner in reader.each("buttons", most=MOST_REPLIES):
        replies.append(WhatsAppReply(id=inner.text("id", required=True), title=inner.text("title", required=True)))
        inner.close()
    choices = _list(reader)
    if replies and choices is not None:
        reader.fault("list", "a text has either buttons or a list")
    part = WhatsAppTextPart(
        kind="text",
        body=reader.text("body", required=True),
        preview_url=reader.flag("preview_url"),
        buttons=tuple(replies),
        list=choices,
        header=reader.text("header"),
        footer=reader.text("footer"),
    )
    if not replies and choices is None:
        for name in ("header", "footer"):
            if reader.has(name):
                reader.fault(name, f"WhatsApp takes a {name} only with buttons or a list")
    return part


def _list(reader: Reader) -> WhatsAppList | None:
    inner = reader.inner("list")
    if inner is None:
        return None
    rows = []
    for row in inner.each("rows", most=MOST_ROWS):
        title = row.text("title", required=True)
        rows.append(WhatsAppRow(id=row.text("id", required=True), title=title, description=row.text("description")))
        row.close()
    if not rows:
        inner.fault("rows", "a list has at least one row")
    choices = WhatsAppList(button=inner.text("button", required=True), rows=tuple(rows))
    inner.close()
    return choices


def _image(reader: Reader) -> WhatsAppPart:
    return WhatsAppImagePart(
        kind="image",
        image=reader.text("image", required=True),
        caption=reader.text("caption"),
        skip_if_no_image=reader.flag("skip_if_no_image"),
    )


def sources(part: WhatsAppPart) -> tuple[Source, ...]:
    """Returns the Liquid texts of the part."""
    match part:
        case WhatsAppTemplatePart():
            return _template_sources(part)
        case WhatsAppTextPart():
            return _text_sources(part)
        case WhatsAppImagePart():
            image = Source(pointer="/image", text=part.image, optional=part.skip_if_no_image)
            return (image, *_one("/caption", part.caption, LONGEST_CAPTION))


def _template_sources(part: WhatsAppTemplatePart) -> tuple[Source, ...]:
    header = part.header or WhatsAppHeader()
    found = [
        *(Source(pointer=f"/header/text/{index}", text=text) for index, text in enumerate(header.text)),
        *_one("/header/video", header.video),
        *_one("/header/document", header.document),
        *_one("/header/filename", header.filename),
        *(Source(pointer=f"/buttons/{place}/value", text=button.value) for place, button in enumerate(part.buttons)),
    ]
    if header.image is not None:
        found.append(Source(pointer="/header/image", text=header.image, optional=part.skip_if_no_image))
    named = part.body.items() if isinstance(part.body, Mapping) else enumerate(part.body)
    found += [Source(pointer=f"/body/{escape_pointer(str(key))}", text=text) for key, text in named]
    if part.follow_up is not None:
        found.append(Source(pointer="/follow_up/image", text=part.follow_up.image, optional=True))
        caption = part.follow_up.caption
        if caption is not None:
            # without the image nobody needs its caption
            found.append(Source(pointer="/follow_up/caption", text=caption, optional=True, longest=LONGEST_CAPTION))
    return tuple(found)


def _text_sources(part: WhatsAppTextPart) -> tuple[Source, ...]:
    longest = LONGEST_TEXT_WITH_BUTTONS if part.buttons else LONGEST_TEXT
    found = [Source(pointer="/body", text=part.body, longest=longest)]
    for index, button in enumerate(part.buttons):
        found.append(Source(pointer=f"/buttons/{index}/id", text=button.id, longest=LONGEST_PAYLOAD))
        found.append(Source(pointer=f"/buttons/{index}/title", text=button.title, longest=LONGEST_BUTTON_TITLE))
    found += _list_sources(part.list) if part.list is not None else ()
    return (*found, *_one("/header", part.header, LONGEST_HEADER), *_one("/footer", part.footer, LONGEST_HEADER))


def _list_sources(choices: WhatsAppList) -> Iterator[Source]:
    yield Source(pointer="/list/button", text=choices.button, longest=LONGEST_BUTTON_TITLE)
    for index, row in enumerate(choices.rows):
        yield Source(pointer=f"/list/rows/{index}/id", text=row.id, longest=LONGEST_PAYLOAD)
        yield Source(pointer=f"/list/rows/{index}/title", text=row.title, longest=LONGEST_ROW_TITLE)
        yield from _one(f"/list/rows/{index}/description", row.description, LONGEST_ROW_DESCRIPTION)


def _one(pointer: str, text: str | None, longest: int | None = None) -> tuple[Source, ...]:
    return () if text is None else (Source(pointer=pointer, text=text, longest=longest),)
