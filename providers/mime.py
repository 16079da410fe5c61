"""Writes mails as bytes: headers that cannot be broken out of, text with HTML, attachments; pure ASCII on the wire.

Sources: RFC 5322, RFC 2047, RFC 8058
"""

import re
from collections.abc import Iterable
from email.errors import MessageError
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import quote

from domain.content import Attachment, EmailContent
from domain.errors import ContentRefused, MediaRefused

OWN_HEADERS = frozenset(
    {"from", "to", "cc", "bcc", "subject", "date", "message-id", "sender", "return-path", "received", "mime-version"}
    | {"dkim-signature", "authentication-results", "x-carillon-reference"}
)
"""Names that content may not set, in lower case; all that begin with `content-` and `resent-` are refused too."""

_POLICY = SMTP.clone(cte_type="7bit")
_NAME = re.compile(r"[!-9;-~]{1,76}")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
_LINE = 76
_LONGEST_LINE = 998


def mail(headers: str, content: EmailContent) -> bytes:
    """Returns the mail with these headers, written already, followed by the headers and the body of the content.

    Raises:
        ContentRefused: A header or the text cannot be written.
        MediaRefused: An attachment cannot be written.
    """
    extra = "".join(written(name, value) for name, value in _extra(content.headers))
    return (headers + extra).encode() + _body(content)


def written(name: str, value: str) -> str:
    """Returns a header with its line ends, folded, with encoded words where it is not ASCII.

    Raises:
        ContentRefused: The value would break out of the header, or has no place to fold.
    """
    if _CONTROL.search(value) or _SURROGATE.search(value):
        raise ContentRefused(f"the header {name} holds a line end or another control character")
    if _needs_encoding(value):
        return f"{name}: {encoded(value, taken=len(name) + 2)}\r\n"
    first, *more = value.split(" ")
    lines = [f"{name}: {first}"]  # not folded before its first word: some readers lose an id that stands below its name
    for word in more:
        if len(lines[-1]) + 1 + len(word) > _LINE and word:
            lines.append("")
        lines[-1] += f" {word}"
    if any(len(line) > _LONGEST_LINE for line in lines):
        raise ContentRefused(f"the header {name} has more than {_LONGEST_LINE} characters without a space")
    return "\r\n".join(lines) + "\r\n"


def encoded(text: str, *, taken: int) -> str:
    """Returns text as encoded words, folded, where its first line has `taken` characters already."""
    return Header(text, "utf-8", maxlinelen=_LINE, header_name="x" * (taken - 2)).encode(linesep="\r\n")


def mailbox(name: str | None, address: str) -> str:
    """Returns a mailbox for From or To: a display name, quoted or encoded as it needs, and the address."""
    if not name:
        return address
    if _CONTROL.search(name) or _SURROGATE.search(name):
        raise ContentRefused("a display name holds a line end or another control character")
    if _needs_encoding(name):
        return f"{encoded(name, taken=len('From: '))}\r\n <{address}>"
    shown = name if _ATOMS.fullmatch(name) else f'"{quote(name)}"'
    return f"{shown} <{address}>"


def _needs_encoding(text: str) -> bool:
    return not text.isascii() or "=?" in text  # what looks like an encoded word would be read as one


def _extra(headers: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    seen: set[str] = set()
    for name, value in headers:
        lower = name.lower()
        if not _NAME.fullmatch(name):
            raise ContentRefused(f"{name[:76]!r} cannot be the name of a header")
        if lower in OWN_HEADERS or lower.startswith(("content-", "resent-")):
            raise ContentRefused(f"the header {name} is written by Carillon itself")
        if lower in seen:
            raise ContentRefused(f"the header {name} is given twice")
        seen.add(lower)
        yield name, value


def _body(content: EmailContent) -> bytes:
    if _SURROGATE.search(content.text) or _SURROGATE.search(content.html or ""):
        raise ContentRefused("the text holds half of a surrogate pair, which no text can")
    message = EmailMessage(policy=_POLICY)
    message.set_content(content.text)
    if content.html is not None:
        message.add_alternative(content.html, subtype="html")
    for attachment in content.attachments:
        _attach(message, attachment)
    return message.as_bytes()


def _attach(message: EmailMessage, attachment: Attachment) -> None:
    if _CONTROL.search(attachment.filename) or _SURROGATE.search(attachment.filename):
        raise MediaRefused("the name of an attachment holds a control character")
    kind = _POLICY.header_factory("Content-Type", attachment.content_type)
    if kind.defects or _CONTROL.search(attachment.content_type):
        raise MediaRefused("an attachment has no valid content type")
    if kind.maintype in {"multipart", "message"}:
        raise MediaRefused(f"an attachment cannot be {kind.maintype}/{kind.subtype}")
    try:
        message.add_attachment(
            attachment.body,
            maintype=kind.maintype,
            subtype=kind.subtype,
            params=dict(kind.params),
            filename=attachment.filename,
        )
    except (ValueError, MessageError) as error:
        raise MediaRefused(f"an attachment cannot be written: {type(error).__name__}") from error
