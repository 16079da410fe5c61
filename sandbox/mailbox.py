"""The mailbox: every mail that arrived, whole, as files beside the journal."""

import email
import re
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from email.message import EmailMessage, MIMEPart
from email.policy import default
from pathlib import Path
from typing import Any

from sandbox.journal import Entry, Journal

Json = dict[str, Any]
_REMEMBERED = 50_000
_REFERENCE = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")
_SHOWN_TEXT = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One mail in the mailbox of one recipient."""

    id: str
    seq: int
    at: str
    recipient: str
    sender: str
    subject: str
    message_id: str
    reference: str | None
    bounce: bool

    def summary(self) -> Json:
        """Returns the facts of a mail as the mailbox lists them."""
        return {
            "id": self.id,
            "seq": self.seq,
            "at": self.at,
            "to": self.recipient,
            "from": self.sender,
            "subject": self.subject,
            "message_id": self.message_id,
            "reference": self.reference,
            "bounce": self.bounce,
        }


class Mailbox:
    """Keeps mails by id; the raw bytes are in a folder, the index is told by the journal."""

    def __init__(self, folder: Path, journal: Journal) -> None:
        self._folder = folder
        self._journal = journal
        self._mails: OrderedDict[str, Mail] = OrderedDict()

    def store(self, raw: bytes) -> str:
        """Writes the raw bytes of a mail and returns its id."""
        self._folder.mkdir(parents=True, exist_ok=True)
        mail_id = secrets.token_hex(12)
        (self._folder / f"{mail_id}.eml").write_bytes(raw)
        return mail_id

    def accept(self, mail_id: str, raw: bytes, sender: str, recipient: str, **facts: Any) -> Entry:
        """Writes one accepted mail for one recipient into the journal and the mailbox."""
        parsed = parse(raw)
        message_id = str(parsed.get("message-id", "")).strip()
        entry = self._journal.append(
            {
                "provider": "smtp",
                "kind": "accepted",
                "id": message_id,
                "reference": reference_of(parsed, sender),
                "to": recipient.lower(),
                "from": sender,
                "mail": mail_id,
                "subject": str(parsed.get("subject", "")),
                "header_from": str(parsed.get("from", "")),
                "body": {"text": text_of(parsed, "plain")[:_SHOWN_TEXT], "size": len(raw)},
                **facts,
            }
        )
        self.index(entry)
        return entry

    def index(self, entry: Entry) -> None:
        """Adds the mail an entry of the journal speaks of to the index."""
        mail = Mail(
            id=entry["mail"] if entry["kind"] == "bounce" else f"{entry['mail']}-{entry['seq']}",
            seq=entry["seq"],
            at=entry["at"],
            recipient=entry["to"],
            sender=entry["from"],
            subject=entry.get("subject", ""),
            message_id=entry["id"],
            reference=entry.get("reference"),
            bounce=entry["kind"] == "bounce",
        )
        self._mails[mail.id] = mail
        while len(self._mails) > _REMEMBERED:
            self._mails.popitem(last=False)

    def find(self, mail_id: str) -> Mail | None:
        """Returns a mail by its id."""
        return self._mails.get(mail_id)

    def newest_first(self, recipient: str | None, before: int | None, limit: int) -> list[Mail]:
        """Returns a page of mails, of one recipient if one is named, older than a sequence number if one is given."""
        page: list[Mail] = []
        for mail in reversed(self._mails.values()):
            if recipient is not None and mail.recipient != recipient.lower():
                continue
            if before is not None and mail.seq >= before:
                continue
            page.append(mail)
            if len(page) == limit:
                break
        return page

    def raw(self, mail: Mail) -> bytes:
        """Returns the bytes as they came in."""
        return (self._folder / f"{mail.id.partition('-')[0]}.eml").read_bytes()

    def shown(self, mail: Mail) -> Json:
        """Returns everything about one mail: headers, text, HTML, attachments and the raw message."""
        raw = self.raw(mail)
        parsed = parse(raw)
        attachments = [
            {"filename": part.get_filename(), "content_type": part.get_content_type(), "size": len(_payload(part))}
            for part in parsed.iter_attachments()
        ]
        return {
            **mail.summary(),
            "headers": [[name, str(value)] for name, value in parsed.items()],
            "text": text_of(parsed, "plain"),
            "html": text_of(parsed, "html"),
            "attachments": attachments,
            "raw": raw.decode("utf-8", "replace"),
        }


def parse(raw: bytes) -> EmailMessage:
    """Returns the parsed mail."""
    return email.message_from_bytes(raw, _class=EmailMessage, policy=default)


def text_of(mail: EmailMessage, kind: str) -> str:
    """Returns the text of the first part of a kind (`plain` or `html`), decoded, empty if there is none."""
    part = mail.get_body((kind,))
    if part is None:
        return ""
    try:
        text = _payload(part).decode(part.get_content_charset() or "utf-8", "replace")
    except LookupError:  # a character set that nobody knows
        text = _payload(part).decode("ascii", "replace")
    return text.replace("\r\n", "\n")


def reference_of(mail: EmailMessage, sender: str) -> str | None:
    """Returns the reference a mail carries: 32 hex digits in its header, its return path or its Message-ID."""
    places = [str(mail.get("X-Carillon-Reference", "")), sender, str(mail.get("Message-ID", ""))]
    return next((found[0] for place in places if (found := _REFERENCE.search(place.lower()))), None)


def _payload(part: EmailMessage | MIMEPart) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""
