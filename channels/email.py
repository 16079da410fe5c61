"""Mails: subject, HTML from MJML or HTML, and a text that is derived where the author wrote none."""

import re
from collections.abc import Mapping
from typing import Any

from channels.errors import refused
from channels.html_text import read_html
from channels.liquid import fill
from channels.markup import check_mjml, check_tags, from_mjml, inline, with_preheader
from channels.reading import Reader
from channels.rendered import Rendered, rendered
from channels.scope import Scope
from channels.shapes import EmailPart, Source
from domain.content import EmailContent
from domain.faults import Fault, escape_pointer

LONGEST_SUBJECT = 250
LONGEST_HEADER = 900
LARGEST_HTML = 512 * 1024
CLIPPED_HTML = 100 * 1024
"""Bytes from which on large mail programs show only the beginning."""
_HEADER_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,74}[A-Za-z0-9])?")
_OWN_HEADERS = frozenset(
    {"from", "to", "cc", "bcc", "subject", "date", "message-id", "sender", "return-path", "received", "reply-to"}
    | {"mime-version", "dkim-signature", "authentication-results", "in-reply-to", "references"}
)
_MOST_HEADERS = 20


def read(content: Mapping[str, Any]) -> EmailPart:
    """Returns the part.

    Raises:
        TemplateError: The content has another shape.
    """
    reader = Reader(content)
    part = EmailPart(
        subject=reader.text("subject", required=True),
        mjml=reader.text("mjml"),
        html=reader.text("html"),
        text=reader.text("text"),
        preheader=reader.text("preheader"),
        headers=reader.named_texts("headers"),
    )
    if "\n" in part.subject or "\r" in part.subject:
        reader.fault("subject", "a subject has only one line")
    if part.mjml is not None and part.html is not None:
        reader.fault("html", "give either mjml or html")
    if not any((part.mjml, part.html, part.text)):
        reader.fault("", "a mail needs mjml, html or text")
    if part.preheader and not (part.mjml or part.html):
        reader.fault("preheader", "only a mail with HTML has a preheader")
    _check_headers(reader, part.headers)
    reader.end()
    return part


def _check_headers(reader: Reader, headers: Mapping[str, str]) -> None:
    if len(headers) > _MOST_HEADERS:
        reader.fault("headers", f"at most {_MOST_HEADERS} headers are possible")
    for name in headers:
        if not _HEADER_NAME.fullmatch(name):
            reader.fault("headers", f"{name[:76]!r} cannot be the name of a header")
        elif name.lower() in _OWN_HEADERS or name.lower().startswith("content-"):
            reader.fault("headers", f"{name} is written by Carillon itself")


def sources(part: EmailPart) -> tuple[Source, ...]:
    """Returns the Liquid texts of the part."""
    found = [Source(pointer="/subject", text=part.subject, longest=LONGEST_SUBJECT)]
    for name in ("mjml", "html", "preheader"):
        text = getattr(part, name)
        if text is not None:
            found.append(Source(pointer=f"/{name}", text=text, html=True))
    if part.text is not None:
        found.append(Source(pointer="/text", text=part.text))
    headers = ((escape_pointer(name), text) for name, text in part.headers.items())
    return (*found, *(Source(pointer=f"/headers/{name}", text=text, longest=LONGEST_HEADER) for name, text in headers))


def faults(part: EmailPart) -> tuple[Fault, ...]:
    """Returns what is wrong with the markup of the part."""
    if part.mjml is not None:
        wrong, pointer = check_mjml(part.mjml), "/mjml"
    else:
        wrong, pointer = check_tags(part.html or "", is_mjml=False), "/html"
    return (Fault(pointer=pointer, message=wrong),) if wrong else ()


def render(part: EmailPart, scope: Scope, language: str) -> Rendered:
    """Returns what the part says; attachments are added by the caller.

    Args:
        part: The part.
        scope: Data, locale, zone, budget.
        language: Language of the part, for screen readers.

    Raises:
        TemplateError: A variable is missing, or the result is no acceptable mail.
    """
    html = _html(part, scope, language)
    text = fill(part.text, scope, pointer="/text").replace("\r\n", "\n").strip() if part.text is not None else ""
    if html is not None:
        reading = read_html(html)
        if reading.dangerous:
            raise refused(f"a link starts with {reading.dangerous[0]!r}", _pointer(part))
        text = text or reading.text
    if not text:
        raise refused("the mail has no visible text with this data", _pointer(part))
    content = EmailContent(
        subject=_line(part.subject, scope, "/subject", LONGEST_SUBJECT),
        text=text,
        html=html,
        headers=_headers(part.headers, scope),
    )
    clipped = html is not None and len(html.encode()) > CLIPPED_HTML
    return rendered(content, warnings=("html_clipped",) if clipped else ())


def _html(part: EmailPart, scope: Scope, language: str) -> str | None:
    pointer = _pointer(part)
    if part.mjml is not None:
        html = from_mjml(fill(part.mjml, scope, pointer=pointer, html=True), language=language, pointer=pointer)
    elif part.html is not None:
        html = fill(part.html, scope, pointer=pointer, html=True)
        if wrong := check_tags(html, is_mjml=False):
            raise refused(wrong, pointer)
    else:
        return None
    html = inline(html, pointer=pointer)
    if part.preheader is not None:
        html = with_preheader(html, " ".join(fill(part.preheader, scope, pointer="/preheader", html=True).split()))
    if len(html.encode()) > LARGEST_HTML:
        raise refused(f"the HTML is larger than {LARGEST_HTML // 1024} KiB", pointer)
    return html


def _pointer(part: EmailPart) -> str:
    return "/mjml" if part.mjml is not None else "/html" if part.html is not None else "/text"


def _headers(headers: Mapping[str, str], scope: Scope) -> tuple[tuple[str, str], ...]:
    return tuple(
        (name, _line(source, scope, f"/headers/{escape_pointer(name)}", LONGEST_HEADER))
        for name, source in headers.items()
    )


def _line(source: str, scope: Scope, pointer: str, longest: int) -> str:
    """Returns a text on one line: line ends from data must never start another header."""
    line = " ".join(fill(source, scope, pointer=pointer).split())
    if not line:
        raise refused("the text is blank with this data", pointer)
    if len(line) > longest:
        raise refused(f"the text has {len(line):,} characters with this data; {longest:,} are possible", pointer)
    return line
