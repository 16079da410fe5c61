"""Replies of SMTP servers: which enhanced code, or else which reply code at which stage, means what to us.

Sources: RFC 5321, RFC 3463 and https://www.iana.org/assignments/smtp-enhanced-status-codes
"""

import re

from domain.errors import (
    ContentRefused,
    DeliveryError,
    InvalidAddress,
    Misconfigured,
    NotSent,
    RecipientThrottled,
    Rejected,
    Throttled,
    Unavailable,
    Uncertain,
)
from providers.base import MailResponse
from providers.redaction import facts

# A code that ends with a dot is a family; the first entry that fits counts, so exact ones stand before their families.
ENHANCED: tuple[tuple[str, type[DeliveryError]], ...] = (
    ("5.1.7", Misconfigured),  # the sender's address is malformed
    ("5.1.8", Misconfigured),  # the sender's domain does not resolve
    ("5.1.", InvalidAddress),  # no such mailbox, no such domain, malformed, moved, domain takes no mail
    ("5.2.0", Rejected),
    ("5.2.1", InvalidAddress),  # the mailbox is disabled
    ("5.2.2", Rejected),  # the mailbox is full
    ("5.2.3", ContentRefused),  # longer than the mailbox takes
    ("5.3.4", ContentRefused),  # longer than the system takes
    ("5.4.4", InvalidAddress),  # the domain has no route
    ("5.5.2", ContentRefused),
    ("5.6.7", InvalidAddress),  # the server takes no address with characters beyond ASCII
    ("5.6.", ContentRefused),
    ("5.7.8", Misconfigured),  # wrong user name or password
    ("5.7.9", Misconfigured),
    ("5.7.11", Misconfigured),
    ("5.7.14", Misconfigured),
    *((f"5.7.{number}", Misconfigured) for number in range(20, 30)),  # DKIM, SPF, reverse DNS
    ("5.7.30", Misconfigured),
    ("5.7.57", Misconfigured),
    ("4.2.", RecipientThrottled),  # this mailbox is full, disabled for now, or receives mail too fast
    ("4.5.3", Throttled),  # too many recipients
    ("4.7.", Throttled),  # over a rate, or of doubtful reputation for now; grey-listed, if it comes at `rcpt`
    ("4.", Unavailable),
)
AT_STAGE: dict[tuple[int, str], type[DeliveryError]] = {
    (421, "connect"): Unavailable,
    (450, "rcpt"): RecipientThrottled,  # this mailbox is busy, or its server grey-lists
    (452, "mail"): Throttled,
    (452, "rcpt"): Throttled,
    (452, "data"): Throttled,
    (454, "mail"): Throttled,
    (454, "rcpt"): Throttled,
    (454, "data"): Throttled,
    (530, "mail"): Misconfigured,
    (530, "rcpt"): Misconfigured,
    (550, "rcpt"): InvalidAddress,
    (551, "rcpt"): InvalidAddress,
    (553, "rcpt"): InvalidAddress,
    (552, "mail"): ContentRefused,
    (552, "rcpt"): Rejected,
    (552, "data"): ContentRefused,
    (550, "data"): ContentRefused,
    (554, "data"): ContentRefused,
}
# What else is permanent at a stage: we are not welcome, or the sender is not.
PERMANENT: dict[str, type[DeliveryError]] = {"connect": Misconfigured, "auth": Misconfigured, "mail": Misconfigured}

_ENHANCED = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_QUEUE_IDS = (
    re.compile(r"\bqueued(?: mail for delivery)? as:?\s+<?([\w.@=+-]+)", re.IGNORECASE),
    re.compile(r"\bInternalId=(\d+)"),
    re.compile(r"\bid=([\w.-]+)"),
    re.compile(r"^(?:2\.\d\.\d\s+)?ok:?\s+<?([\w.@=+-]{8,})>?$", re.IGNORECASE),
    re.compile(r"^(?:2\.\d\.\d\s+)?<?([\w.@=+-]{8,})>? message accepted", re.IGNORECASE),
    re.compile(r"\b([\w.-]{16,}) - gsmtp$"),
)
_LONGEST_ID = 200
_REFUSALS = range(400, 600)
_PERMANENT_FROM = 500
_GREY = frozenset({450, 451})


def enhanced_code(text: str) -> str | None:
    """Returns the enhanced status code at the start of a reply's text, like `5.1.1`."""
    found = _ENHANCED.match(text)
    return found[1] if found else None


def kind_of_status(status: str) -> type[DeliveryError] | None:
    """Returns the class of an enhanced status code, or None for a family that means too many things."""
    return next((kind for prefix, kind in ENHANCED if _covers(prefix, status)), None)


def refusal(response: MailResponse, *, secrets: tuple[str, ...]) -> DeliveryError:
    """Returns what a reply other than an acceptance means."""
    enhanced = enhanced_code(response.text)
    if response.code not in _REFUSALS:
        kind: type[DeliveryError] = Uncertain if response.stage in {"accepted", "data"} else NotSent
    else:
        kind = _kind(response, enhanced)
    words = facts(response.text, secrets=secrets) or "no explanation was given"
    code = enhanced or str(response.code)
    return kind(f"refused at {response.stage} with {response.code}: {words}", provider_code=code)


def queue_id(text: str) -> str | None:
    """Returns the id under which the server queued a mail, out of the words of its acceptance."""
    for pattern in _QUEUE_IDS:
        if found := pattern.search(text.strip()):
            return found[1].rstrip(".")[:_LONGEST_ID]
    return None


def _kind(response: MailResponse, enhanced: str | None) -> type[DeliveryError]:
    permanent = response.code >= _PERMANENT_FROM
    # A code of the other class contradicts the reply code, which is the one that binds.
    if enhanced is not None and enhanced[0] == str(response.code)[0]:
        kind = _by_stage(response, enhanced) or kind_of_status(enhanced)
        if kind is not None:
            return kind
    elif (response.code, response.stage) in AT_STAGE:
        return AT_STAGE[response.code, response.stage]
    if not permanent:
        return Unavailable
    return PERMANENT.get(response.stage, ContentRefused if response.stage == "data" else Rejected)


def _by_stage(response: MailResponse, enhanced: str) -> type[DeliveryError] | None:
    """Returns the class of a code that means something else where it came.

    A permanent one that came before a recipient was named is about us or about the sender. Grey-listing answers to
    one recipient with 450 or 451 and leaves the connection open: it says nothing about others.
    """
    stage = response.stage
    if response.code < _PERMANENT_FROM:
        grey = stage == "rcpt" and enhanced.startswith("4.7.") and response.code in _GREY
        return RecipientThrottled if grey else None
    if stage in {"connect", "auth"} or (stage == "mail" and enhanced.startswith(("5.1.", "5.2."))):
        return PERMANENT[stage]
    return None


def _covers(entry: str, status: str) -> bool:
    return status.startswith(entry) if entry.endswith(".") else status == entry
