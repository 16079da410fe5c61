"""What a provider is: it translates between our values and a company's wire format and performs no input or output."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Protocol, Self

import httpx

from domain.content import Outgoing
from domain.limits import Defaults
from domain.recipients import Address, Channel
from domain.status import Status

MAIL_CONNECTIONS = 20
"""Connections to one mail server at once; servers commonly allow a client twenty to fifty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailRequest:
    """A mail on its way to an SMTP server: where to connect, the envelope, and the message as bytes."""

    host: str
    port: int
    security: str  # none | starttls | tls
    username: str | None
    password: str | None = field(repr=False)
    envelope_from: str = field(repr=False)
    envelope_to: str = field(repr=False)
    body: bytes = field(repr=False)
    message_id: str = ""
    hostname: str = "localhost"
    """How we introduce ourselves to the server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailResponse:
    """What an SMTP server answered to the final dot, or to the command that it refused."""

    code: int
    text: str = field(repr=False)
    stage: str  # connect | auth | mail | rcpt | data | accepted
    message_id: str = ""


Request = httpx.Request | MailRequest
Response = httpx.Response | MailResponse


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The provider took the message: its id there, and whether it says that it holds the message back for now."""

    provider_message_id: str
    held: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """A webhook request as it arrived; `body` is the raw bytes that were signed. Header names are lower case."""

    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    query: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A provider says where a message stands.

    Attributes:
        event_key: The same for every repetition of this event; unique per provider and tenant.
        status: What it means in our words.
        raw_status: The provider's word.
        occurred_at: When the provider says it happened (aware UTC).
        provider_message_id: The message's id at the provider.
        reference: Our attempt reference, where the provider returned it.
        sender: The sending number, domain or identity at the provider, where it tells.
        error_code: A code of `domain.errors`, for failures.
        provider_code: The provider's own error code.
        detail: The provider's words about the failure.
    """

    event_key: str
    status: Status
    raw_status: str
    occurred_at: datetime
    provider_message_id: str
    reference: str | None = None
    sender: str | None = None
    error_code: str | None = None
    provider_code: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """Somebody wrote, tapped or reacted."""

    event_key: str
    provider_message_id: str
    sender: str
    """Which of our numbers or mailboxes it came to, in the provider's words."""
    author: Address
    kind: str
    occurred_at: datetime
    text: str | None = field(default=None, repr=False)
    payload: str | None = field(default=None, repr=False)
    quotes: str | None = None
    media_id: str | None = None
    media_type: str | None = None
    author_name: str | None = field(default=None, repr=False)
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """Somebody told their provider that they do not want our messages."""

    event_key: str
    reference: str
    """Of the attempt that they complain about."""
    occurred_at: datetime
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateUpdate:
    """The provider reviewed, paused or changed a template."""

    event_key: str
    name: str
    language: str
    event: str
    reason: str | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """Something the provider sent that nobody here knows yet; kept and counted, never dropped."""

    event_key: str
    kind: str
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)


Event = Receipt | Inbound | Complaint | TemplateUpdate | Unknown


class Provider(Protocol):
    """A company that carries messages, as one frozen dataclass with its credentials as fields (hidden from `repr`)."""

    name: ClassVar[str]
    channel: ClassVar[Channel]
    quarantine: ClassVar[float]
    """Seconds within which a receipt normally tells the fate of an uncertain attempt."""
    confirms: ClassVar[bool]
    """Whether it normally tells of every message that it took what became of it."""
    limits: ClassVar[Defaults]
    """How much an account may usually send; the account can say otherwise."""
    secret_fields: ClassVar[frozenset[str]]
    """Names of the configuration fields that are never shown again."""

    @classmethod
    def configure(cls, config: Mapping[str, Any]) -> Self:
        """Returns the provider for an account's configuration, or raises `ValueError` that names the wrong field."""
        ...

    @classmethod
    def config_schema(cls) -> dict[str, Any]:
        """Returns the JSON Schema of the configuration, for the API and its documentation."""
        ...

    def sender(self) -> str:
        """Returns the identity that sends (phone number id, mail address), as receipts name it."""
        ...

    def request(self, message: Outgoing) -> Request:
        """Returns the one request that sends `message`, or raises `Rejected` for what cannot be expressed."""
        ...

    def accepted(self, response: Response) -> Accepted:
        """Returns the acceptance that `response` holds, or raises the `DeliveryError` that it means."""
        ...

    def authenticate(self, callback: Callback) -> None:
        """Returns for an authentic callback and raises `CallbackRefused` otherwise."""
        ...

    def events(self, callback: Callback) -> tuple[Event, ...]:
        """Returns what an authentic callback tells; unknown parts become `Unknown`, nothing raises."""
        ...
