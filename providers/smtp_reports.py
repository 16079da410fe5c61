"""Reads mails that come back: delivery reports, complaints, and whatever else people and servers answer with.

Sources: RFC 3464 (delivery reports), RFC 5965 (complaints)
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import Message
from email.parser import BytesHeaderParser
from email.utils import parsedate_to_datetime
from typing import TypeVar

from domain.errors import Rejected
from domain.status import Status
from providers.base import Complaint, Event, Receipt, Unknown
from providers.callback_values import bounded_key, digest
from providers.redaction import facts
from providers.smtp_replies import kind_of_status

ACTIONS = {
    "failed": Status.BOUNCED,
    "delivered": Status.DELIVERED,
    "relayed": Status.SENT,
    "expanded": Status.SENT,
    "delayed": Status.ACCEPTED,
}
"""What an action of a delivery report means; a delayed mail is still in the hands of the server that took it."""
COMPLAINTS = frozenset({"abuse", "fraud", "opt-out", "opt-out-list", "other", "virus"})
"""Types of feedback (RFC 5965, RFC 6430) by which somebody does not want our mails; `not-spam` says the contrary."""
_HEADERS = 64 * 1024
"""Bytes of a mail in which its recipients are looked for."""
_RECIPIENT_HEADERS = ("delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "to")
_REFERENCE = re.compile(r"[0-9a-z]{1,45}")
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_RETURNED = frozenset({"message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers"})
_LONGEST_WORD = 100
_Result = TypeVar("_Result")


def recipients(body: bytes) -> tuple[str, ...]:
    """Returns the addresses that a mail says it came to, those of the envelope first."""
    return _forgiving(lambda: _recipients(BytesHeaderParser().parsebytes(body[:_HEADERS])), ())


def events_of(body: bytes, *, reference: str | None, sender: str) -> tuple[Event, ...]:
    """Returns what a mail tells.

    Args:
        body: The mail.
        reference: Of the attempt whose return path the mail came to, where one is known.
        sender: Our address that the attempt was made from.
    """
    unreadable = _unknown("unreadable", body, {"reference": reference})
    return _forgiving(lambda: _events(body, reference, sender), (unreadable,))


def _forgiving(read: Callable[[], _Result], otherwise: _Result) -> _Result:
    try:
        return read()
    except Exception:  # noqa: BLE001 - the standard parser raises anything between IndexError and LookupError on broken mail
        return otherwise


def _recipients(mail: Message) -> tuple[str, ...]:
    # Raw texts, not parsed addresses: who has proved nothing yet must not cost more than a search.
    return tuple(str(value) for name in _RECIPIENT_HEADERS for value in mail.get_all(name, []))


def _events(body: bytes, reference: str | None, sender: str) -> tuple[Event, ...]:
    mail = message_from_bytes(body)
    # Only the outermost parts count: a report inside a returned mail is that mail's content.
    parts = {part.get_content_type(): part for part in _parts(mail)}
    original = next((_returned(part) for kind, part in parts.items() if kind in _RETURNED), None) or Message()
    reference = reference or _matching(_REFERENCE, original.get("x-carillon-reference"))
    if report := parts.get("message/delivery-status"):
        about = _About(body=body, mail=mail, original=original, reference=reference, sender=sender)
        return tuple(_outcome(about, block) for block in _parts(report)[1:]) or (_unknown("report", body, about.facts),)
    if complaint := parts.get("message/feedback-report"):
        return (_complaint(mail, complaint, body, reference),)
    automatic = _word(mail, "auto-submitted")
    return (_unknown("mail", body, {"reference": reference, "auto_submitted": automatic}),)


def _complaint(mail: Message, report: Message, body: bytes, reference: str | None) -> Event:
    told = next(iter(_parts(report)), Message())
    kind = _word(told, "feedback-type").lower()
    if reference is None or kind not in COMPLAINTS:
        return _unknown("complaint", body, {"reference": reference, "feedback_type": kind})
    at = _instant(told.get("arrival-date"), told.get("received-date"), mail.get("date"))
    return Complaint(
        event_key=bounded_key(f"complaint:{reference}:{kind}"), reference=reference, occurred_at=at, kind=kind
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _About:
    """What all outcomes of one report share."""

    body: bytes
    mail: Message
    original: Message
    reference: str | None
    sender: str

    @property
    def facts(self) -> dict[str, str | None]:
        """Returns what can be said about the report without its content."""
        return {"reference": self.reference}


def _outcome(about: _About, block: Message) -> Event:
    action, status = _word(block, "action").lower(), _matching(_STATUS, block.get("status"))
    message_id = _word(about.original, "message-id")
    if action not in ACTIONS or not (about.reference or message_id):
        return _unknown("report", about.body, {**about.facts, "action": action, "status": status})
    recipient = digest(_word(block, "final-recipient").lower().encode("utf-8", "replace"))[:8]
    failed = ACTIONS[action].is_failure
    kind = kind_of_status(status or "") or Rejected
    words = str(block.get("diagnostic-code", "")).partition(";")[2]
    return Receipt(
        event_key=bounded_key(f"report:{about.reference or message_id}:{recipient}:{action}:{status or ''}"),
        status=ACTIONS[action],
        raw_status=action,
        occurred_at=_instant(block.get("last-attempt-date"), about.mail.get("date")),
        provider_message_id=message_id,
        reference=about.reference,
        sender=about.sender,
        error_code=kind.code if failed else None,
        provider_code=status,
        detail=facts(words) or None,
    )


def _parts(mail: Message) -> list[Message]:
    payload = mail.get_payload()
    return [part for part in payload if isinstance(part, Message)] if isinstance(payload, list) else []


def _returned(part: Message) -> Message | None:
    """Returns the headers of the mail that came back."""
    inner = _parts(part)
    if inner:
        return inner[0]
    content = part.get_payload(decode=True)
    return message_from_bytes(content) if isinstance(content, bytes) else None


def _word(mail: Message, name: str) -> str:
    return str(mail.get(name, "")).strip()[:_LONGEST_WORD]


def _matching(pattern: re.Pattern[str], value: object) -> str | None:
    found = pattern.match(str(value or "").strip())
    return found[0] if found else None


def _instant(*candidates: object) -> datetime:
    """Returns the first date among the candidates, or the present where none is."""
    for candidate in candidates:
        try:
            found = parsedate_to_datetime(str(candidate or ""))
        except (ValueError, TypeError, OverflowError):  # not a date
            continue
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    return datetime.now(UTC)


def _unknown(kind: str, body: bytes, told: dict[str, str | None]) -> Unknown:
    return Unknown(event_key=f"unknown:{digest(body)}", kind=kind, raw=told)
