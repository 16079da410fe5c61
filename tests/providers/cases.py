"""What the contract test needs to know about each provider: a configuration, answers of its servers, callbacks."""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from domain.content import Content, EmailContent, Outgoing, SmsContent, WhatsAppTemplate, WhatsAppText
from domain.errors import (
    ContentRefused,
    DeliveryError,
    InvalidAddress,
    Misconfigured,
    RecipientThrottled,
    Throttled,
    Unavailable,
    Uncertain,
)
from domain.recipients import Address, AddressKind
from providers import verp
from providers.base import Callback, MailResponse, Response

REFERENCE = "0123456789abcdef0123456789abcdef"
UNICODE = "नमस्ते 👋🏽 Zażółć — “quoted” \u200f שלום"
LONG = "word " * 800


@dataclass(frozen=True, slots=True, kw_only=True)
class Cases:
    """One provider's part of the contract."""

    config: Mapping[str, Any]
    secrets: tuple[str, ...]
    to: Address
    foreign: tuple[Address, Content]
    content: Callable[[str], Content]
    accepted: Response
    accepted_id: str
    refusals: Mapping[str, tuple[Response, type[DeliveryError]]]
    silent_server: type[DeliveryError]
    at: Callable[[str, int], Mapping[str, Any]]
    callback: Callback
    unknown: Callback
    forged: tuple[Callback, ...]


def outgoing(to: Address, content: Content, **changes: Any) -> Outgoing:
    """Returns an attempt with this content."""
    facts: dict[str, Any] = {"reference": REFERENCE, "message_id": "0192f0c1-7b6a-7c3e-9d51-2f4be01c77aa", **changes}
    return Outgoing(to=to, content=content, **facts)


def graph_error(status: int, code: int, *, headers: Mapping[str, str] | None = None, **more: Any) -> httpx.Response:
    """Returns an answer with the Graph API's error envelope."""
    error = {"message": f"(#{code}) Some words", "type": "OAuthException", "code": code, "fbtrace_id": "Az8or", **more}
    return httpx.Response(status, json={"error": error}, headers=headers)


META_CONFIG: dict[str, Any] = {
    "phone_number_id": "106540352242922",
    "waba_id": "102290129340398",
    "access_token": "EAAtoken-of-the-system-user",
    "app_secret": "the-app-secret",
    "verify_token": "the-verify-token",
}


def signed(document: Any, *, secret: str = "the-app-secret") -> Callback:
    """Returns a callback signed as Meta does, over the bytes as they are, with escapes for all that is not ASCII."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return Callback(body=body, headers={"x-hub-signature-256": f"sha256={signature}"})


def change(value: Any, field: str = "messages", **entry: Any) -> dict[str, Any]:
    """Returns a callback document with one change."""
    one = {"id": "102290129340398", "changes": [{"field": field, "value": value}], **entry}
    return {"object": "whatsapp_business_account", "entry": [one]}


def value(**parts: Any) -> dict[str, Any]:
    """Returns the value of a change in `messages`."""
    metadata = {"display_phone_number": "15550783881", "phone_number_id": "106540352242922"}
    return {"messaging_product": "whatsapp", "metadata": metadata, **parts}


def status(word: str = "delivered", **more: Any) -> dict[str, Any]:
    """Returns a status object."""
    facts = {"id": "wamid.HBgM", "status": word, "timestamp": "1763715600", "recipient_id": "919876543210"}
    return {**facts, "biz_opaque_callback_data": REFERENCE, **more}


WRITTEN = {"from": "919876543210", "from_user_id": "IN.1349", "id": "wamid.IN", "timestamp": "1763715600"}
"""What every message of a person holds."""
TEXT = {"type": "text", "text": {"body": "Hello"}}


def _altered(callback: Callback) -> tuple[Callback, ...]:
    signature = callback.headers["x-hub-signature-256"]
    other = signed(callback.body, secret="another-secret")
    headers: tuple[Mapping[str, str], ...] = (
        {},
        other.headers,
        {"x-hub-signature-256": signature.upper()},
        {"x-hub-signature-256": signature[:-1]},
        {"x-hub-signature-256": "sha256=é"},
    )
    changed = Callback(body=callback.body + b" ", headers=callback.headers)
    return (changed, *(Callback(body=callback.body, headers=one) for one in headers))


META = Cases(
    config=META_CONFIG,
    secrets=("EAAtoken-of-the-system-user", "the-app-secret", "the-verify-token"),
    to=Address(AddressKind.PHONE, "+919876543210"),
    foreign=(Address(AddressKind.EMAIL, "asha@example.org"), EmailContent(subject="Hello", text="Hello")),
    content=lambda text: WhatsAppText(body=text),
    accepted=httpx.Response(200, json={"messaging_product": "whatsapp", "messages": [{"id": "wamid.HBgM"}]}),
    accepted_id="wamid.HBgM",
    refusals={
        "4xx": (graph_error(400, 131009), ContentRefused),
        "bad credentials": (graph_error(401, 190, message="Malformed EAAtoken-of-the-system-user"), Misconfigured),
        "429": (graph_error(429, 130429), Throttled),
        "5xx that explains": (graph_error(500, 131000), Unavailable),
        "5xx that does not": (httpx.Response(502, text="<html>Bad Gateway</html>"), Uncertain),
        "408": (httpx.Response(408), Uncertain),
        "broken body": (httpx.Response(200, content=b'{"messages": [{"id": "wam'), Uncertain),
        "empty body": (httpx.Response(200), Uncertain),
    },
    silent_server=Uncertain,
    at=lambda host, port: {**META_CONFIG, "base_url": f"http://{host}:{port}"},
    callback=signed(change(value(statuses=[status()]))),
    unknown=signed(change({"decision": "APPROVED"}, "account_review_update")),
    forged=_altered(signed(change(value(statuses=[status()])))),
)

SMTP_CONFIG: dict[str, Any] = {
    "host": "127.0.0.1",
    "port": 2525,
    "security": "none",
    "username": "mailer",
    "password": "the-smtp-password",
    "from_address": "hello@example.org",
    "from_name": "Example",
    "return_path_domain": "bounces.example.org",
    "verp_key": "the-key-of-return-paths",
}
RETURN_PATH = verp.return_path(REFERENCE, domain="bounces.example.org", key="the-key-of-return-paths")


def reply(code: int, text: str, stage: str) -> MailResponse:
    """Returns a reply of an SMTP server."""
    return MailResponse(code=code, text=text, stage=stage, message_id="<own@example.org>")


def report(*fields: str, to: str = RETURN_PATH, headers: str = "Message-ID: <own@example.org>") -> bytes:
    """Returns a delivery report about one recipient."""
    lines = [
        "From: Mail Delivery System <mailer-daemon@mx.example.net>",
        f"To: {to}",
        "Date: Fri, 21 Nov 2025 09:00:05 +0000",
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b1",
        *("", "--b1", "Content-Type: text/plain", "", "It could not be delivered."),
        *("--b1", "Content-Type: message/delivery-status", "", "Reporting-MTA: dns; mx.example.net", ""),
        *(fields or ("Final-Recipient: rfc822; asha@example.org", "Action: failed", "Status: 5.1.1")),
        *("--b1", "Content-Type: text/rfc822-headers", "", headers, "", "--b1--", ""),
    ]
    return "\r\n".join(lines).encode()


SMTP = Cases(
    config=SMTP_CONFIG,
    secrets=("the-smtp-password", "the-key-of-return-paths"),
    to=Address(AddressKind.EMAIL, "asha@example.org"),
    foreign=(Address(AddressKind.PHONE, "+919876543210"), SmsContent(body="Hello")),
    content=lambda text: EmailContent(subject=text[:200].strip(), text=text, html=f"<p>{text}</p>"),
    accepted=reply(250, "2.0.0 Ok: queued as 4bX9fS3Tz1", "accepted"),
    accepted_id="4bX9fS3Tz1",
    refusals={
        "5xx": (reply(554, "5.6.0 Malformed", "data"), ContentRefused),
        "no mailbox": (reply(550, "5.1.1 <asha@example.org>: unknown", "rcpt"), InvalidAddress),
        "bad credentials": (reply(535, "5.7.8 the-smtp-password is wrong", "auth"), Misconfigured),
        "throttled": (reply(451, "4.7.1 Greylisted, try again", "rcpt"), RecipientThrottled),
        "4xx": (reply(421, "4.3.2 Shutting down", "connect"), Unavailable),
        "broken reply": (reply(354, "?", "data"), Uncertain),
    },
    silent_server=Unavailable,
    at=lambda host, port: {**SMTP_CONFIG, "host": host, "port": port},
    callback=Callback(body=report(), headers={}),
    unknown=Callback(body=f"To: {RETURN_PATH}\r\nSubject: I am away\r\n\r\nBack on Monday\r\n".encode(), headers={}),
    forged=(
        Callback(body=report(to="bounces+0123.00000000@bounces.example.org"), headers={}),
        Callback(body=report(to=RETURN_PATH.replace("bounces.example", "bounces.elsewhere")), headers={}),
        Callback(body=b"", headers={}),
    ),
)

CASES = {"meta": META, "smtp": SMTP}

TEMPLATE = WhatsAppTemplate(name="order_ready", language="en_US")
