"""WhatsApp Cloud API of Meta: one account is one business phone number.

Sources: https://developers.facebook.com/docs/whatsapp/cloud-api/reference/messages and
https://developers.facebook.com/docs/graph-api/webhooks/getting-started
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar, Self

import httpx

from domain.content import Outgoing
from domain.errors import CallbackRefused, ContentRefused, Uncertain
from domain.limits import Defaults
from domain.recipients import Channel
from providers import meta_callbacks, meta_errors, meta_messages
from providers.base import Accepted, Callback, Event, Response
from providers.configuration import QUARANTINE, Field, read, schema, secrets_of

HELD = frozenset({"held_for_quality_assessment", "paused"})
"""Words of `message_status` for a message that Meta took and keeps back for now."""

_DIGITS = r"[0-9]{3,32}"
_FIELDS = (
    Field(
        name="phone_number_id", pattern=_DIGITS, description="Id of the phone number, digits, from WhatsApp Manager."
    ),
    Field(name="waba_id", pattern=_DIGITS, description="Id of the WhatsApp Business Account, digits."),
    Field(name="access_token", secret=True, description="Token of a system user that may send messages."),
    Field(name="app_secret", secret=True, description="Secret of the app; its callbacks are signed with it."),
    Field(name="verify_token", secret=True, description="Text of your choice, given to Meta for the handshake."),
    Field(
        name="graph_version",
        required=False,
        default="v26.0",
        pattern=r"v[0-9]{1,3}\.[0-9]{1,2}",
        description="Version of the Graph API, like v26.0.",
    ),
    Field(
        name="base_url",
        required=False,
        default="https://graph.facebook.com",
        pattern=r"https?://[A-Za-z0-9.\[\]:_-]+(?:/[A-Za-z0-9._~/-]*)?",
        description="Where the Graph API is, without version, query and credentials.",
    ),
    Field(
        name="display_phone_number",
        required=False,
        pattern=r"[+0-9() .-]{3,32}",
        description="The number as people see it.",
    ),
    QUARANTINE,
)
# 80 messages per second and number, inbound ones counted, and one per 6 seconds to a person, of whom 45 may be borrowed
# from the future: https://developers.facebook.com/docs/whatsapp/cloud-api/overview#throughput. We borrow five, enough
# for a template, its image and what an answer brings: other programs may use the number too, and who borrowed all of
# them keeps that person waiting for minutes.
_LIMITS = Defaults(rate=80, burst=20, pair_seconds=6, pair_burst=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """A business phone number at WhatsApp."""

    name: ClassVar[str] = "meta"
    channel: ClassVar[Channel] = Channel.WHATSAPP
    quarantine: ClassVar[float] = 120.0
    confirms: ClassVar[bool] = True
    limits: ClassVar[Defaults] = _LIMITS
    secret_fields: ClassVar[frozenset[str]] = secrets_of(_FIELDS)

    phone_number_id: str
    waba_id: str
    access_token: str = field(repr=False)
    app_secret: str = field(repr=False)
    verify_token: str = field(repr=False)
    graph_version: str
    base_url: str
    display_phone_number: str | None
    quarantine_seconds: int | None = None

    @classmethod
    def configure(cls, config: Mapping[str, Any]) -> Self:
        """Returns the provider for an account's configuration, or raises `ValueError` that names the wrong field."""
        values = read(_FIELDS, config)
        try:
            httpx.URL(values["base_url"])
        except httpx.InvalidURL as error:
            raise ValueError("base_url is not a URL") from error
        return cls(**{**values, "base_url": values["base_url"].rstrip("/")})

    @classmethod
    def config_schema(cls) -> dict[str, Any]:
        """Returns the JSON Schema of the configuration."""
        return schema(_FIELDS)

    def sender(self) -> str:
        """Returns the phone number id, as receipts name it."""
        return self.phone_number_id

    def request(self, message: Outgoing) -> httpx.Request:
        """Returns the one request that sends `message`, or raises `Rejected` for what cannot be expressed."""
        return self._post(meta_messages.body_of(message))

    def mark_read(self, provider_message_id: str, *, typing: bool = False) -> httpx.Request:
        """Returns the request that marks an inbound message as read; `typing` also shows for 25 s that we write."""
        return self._post(meta_messages.read_mark(provider_message_id, typing=typing))

    def accepted(self, response: Response) -> Accepted:
        """Returns the acceptance that `response` holds, or raises the `DeliveryError` that it means."""
        if not isinstance(response, httpx.Response):
            raise Uncertain("the answer did not come over HTTP")
        answer = _parsed(response.content)
        message = _first_message(answer) if response.is_success else {}
        message_id = message.get("id")
        if isinstance(message_id, str) and message_id:
            return Accepted(provider_message_id=message_id, held=message.get("message_status") in HELD)
        error = answer.get("error")
        if isinstance(error, dict):
            raise meta_errors.refusal(response, error, (self.access_token, self.app_secret))
        raise meta_errors.refusal_without_envelope(response)

    def authenticate(self, callback: Callback) -> None:
        """Returns for a callback that the app secret signed and raises `CallbackRefused` otherwise."""
        digest = hmac.new(self.app_secret.encode(), callback.body, hashlib.sha256).hexdigest()
        given = callback.headers.get("x-hub-signature-256", "")
        if not hmac.compare_digest(f"sha256={digest}".encode(), given.encode("utf-8", "replace")):
            raise CallbackRefused("the signature does not fit the body and the app secret")

    def challenge(self, query: Mapping[str, str]) -> str:
        """Returns the challenge of a genuine subscription handshake and raises `CallbackRefused` otherwise."""
        given = query.get("hub.verify_token", "").encode("utf-8", "replace")
        known = hmac.compare_digest(self.verify_token.encode(), given)
        challenge = query.get("hub.challenge", "")
        if not known or query.get("hub.mode") != "subscribe" or not challenge:
            raise CallbackRefused("this is no handshake with the verify token of the account")
        return challenge

    def events(self, callback: Callback) -> tuple[Event, ...]:
        """Returns what an authentic callback tells; unknown parts become `Unknown`, nothing raises."""
        return meta_callbacks.events_of(callback.body)

    def _post(self, body: dict[str, Any]) -> httpx.Request:
        text = json.dumps(body, ensure_ascii=False, allow_nan=False)
        content = text.encode("utf-8", "replace")
        if content.decode() != text:
            raise ContentRefused("the content holds half of a surrogate pair, which no text can")
        return httpx.Request(
            "POST",
            _url(f"{self.base_url}/{self.graph_version}/{self.phone_number_id}/messages"),
            content=content,
            headers={"Authorization": f"Bearer {self.access_token}", "Content-Type": "application/json"},
        )


@lru_cache(maxsize=1024)
def _url(address: str) -> httpx.URL:
    """Returns an address that is taken apart once for all messages of an account."""
    return httpx.URL(address)


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _first_message(answer: Mapping[str, Any]) -> dict[str, Any]:
    messages = answer.get("messages")
    first = messages[0] if isinstance(messages, list) and messages else {}
    return first if isinstance(first, dict) else {}
