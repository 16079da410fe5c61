"""E-mail through any SMTP server: a relay, a submission service, or the server of the house.

Sources: RFC 5321 (SMTP), RFC 5322 (messages), RFC 3464 (delivery reports), RFC 5965 (complaints)
"""

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, ClassVar, Self

from domain.content import EmailContent, Outgoing
from domain.errors import CallbackRefused, ContentRefused, InvalidAddress, Uncertain
from domain.limits import Defaults
from domain.recipients import Address, AddressKind, Channel
from providers import mime, smtp_replies, smtp_reports, verp
from providers.base import MAIL_CONNECTIONS, Accepted, Callback, Event, MailRequest, MailResponse, Response
from providers.configuration import QUARANTINE, Field, read, schema, secrets_of

PORTS = {"none": 25, "starttls": 587, "tls": 465}
_ADDRESS = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9.-]{1,190}"
_DOMAIN = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}\.)*[A-Za-z0-9-]{0,62}[A-Za-z0-9]"
_ANY_TEXT = r"[^\x00-\x1f\x7f]+"
_NAME = r"[^\x00-\x1f\x7f]{1,200}"
_FIELDS = (
    Field(name="host", pattern=r"[A-Za-z0-9.:_\[\]-]{1,253}", description="Name or IP address of the SMTP server."),
    Field(
        name="port",
        required=False,
        whole=(1, 65535),
        description="Its port; 587 for starttls, 465 for tls, 25 for none.",
    ),
    Field(
        name="security",
        required=False,
        choices=tuple(PORTS),
        default="starttls",
        description="How the connection is encrypted: starttls and tls insist on it and check the certificate.",
    ),
    Field(name="username", required=False, pattern=_ANY_TEXT, description="User name, where the server wants one."),
    Field(name="password", required=False, secret=True, pattern=_ANY_TEXT, description="Password of the user."),
    Field(name="from_address", pattern=_ADDRESS, description="Address that mails come from, like hello@example.org."),
    Field(name="from_name", required=False, pattern=_NAME, description="Name shown beside the address."),
    Field(
        name="return_path_domain",
        required=False,
        pattern=_DOMAIN,
        description="Domain whose mail comes back to Carillon; bounces then tell which attempt they are about.",
    ),
    Field(
        name="verp_key",
        required=False,
        secret=True,
        pattern=r"[!-~]{16,}",
        description="Text of at least 16 characters that signs return paths; needed with return_path_domain.",
    ),
    Field(name="hostname", required=False, pattern=_DOMAIN, description="Name we introduce ourselves with (EHLO)."),
    QUARANTINE,
)
_MESSAGE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_REFERENCE = re.compile(r"[0-9a-z]{1,45}")
_LOCAL_PART = re.compile(r"""[^\s<>()\[\]:;,@\\"\x00-\x1f\x7f\ud800-\udfff]{1,64}""")
_ASCII_DOMAIN = re.compile(_DOMAIN)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Smtp:
    """A sender address at an SMTP server."""

    name: ClassVar[str] = "smtp"
    channel: ClassVar[Channel] = Channel.EMAIL
    quarantine: ClassVar[float] = 600.0
    confirms: ClassVar[bool] = False  # only what could not be delivered comes back
    # Every relay has its own rate; what comes at once finds a connection within two others' time.
    limits: ClassVar[Defaults] = Defaults(at_once=2 * MAIL_CONNECTIONS)
    secret_fields: ClassVar[frozenset[str]] = secrets_of(_FIELDS)

    host: str
    port: int
    security: str
    username: str | None = field(repr=False)
    password: str | None = field(repr=False)
    from_address: str
    from_name: str | None
    return_path_domain: str | None
    verp_key: str | None = field(repr=False)
    hostname: str | None
    quarantine_seconds: int | None = None
    clock: Callable[[], datetime] = field(default=_now, repr=False, compare=False)

    @classmethod
    def configure(cls, config: Mapping[str, Any]) -> Self:
        """Returns the provider for an account's configuration, or raises `ValueError` that names the wrong field."""
        values = read(_FIELDS, config)
        if (values["username"] is None) != (values["password"] is None):
            raise ValueError("username and password belong together; give both or neither")
        if values["password"] is not None and values["security"] == "none" and not _is_loopback(values["host"]):
            raise ValueError("security must be starttls or tls: the password would travel in clear text")
        if values["return_path_domain"] is not None and values["verp_key"] is None:
            raise ValueError("verp_key is required with return_path_domain; it signs the return paths")
        return cls(**{**values, "port": values["port"] or PORTS[values["security"]]})

    @classmethod
    def config_schema(cls) -> dict[str, Any]:
        """Returns the JSON Schema of the configuration."""
        return schema(_FIELDS)

    def sender(self) -> str:
        """Returns the address that mails come from."""
        return self.from_address

    def request(self, message: Outgoing) -> MailRequest:
        """Returns the one mail that sends `message`, or raises `Rejected` for what cannot be expressed."""
        content = message.content
        if not isinstance(content, EmailContent):
            raise ContentRefused(f"a mail does not carry {type(content).__name__}")
        if not _MESSAGE_ID.fullmatch(message.message_id) or not _REFERENCE.fullmatch(message.reference):
            raise ContentRefused("the message's id or the attempt's reference cannot stand in a mail's header")
        to, domain = _checked(message.to), self.from_address.rpartition("@")[2]
        message_id = f"<{message.message_id}.carillon@{domain}>"
        return MailRequest(
            host=self.host,
            port=self.port,
            security=self.security,
            username=self.username,
            password=self.password,
            envelope_from=self._return_path(message.reference),
            envelope_to=to,
            body=mime.mail("".join(self._headers(message.reference, message_id, to, content.subject)), content),
            message_id=message_id,
            hostname=self.hostname or domain,
        )

    def accepted(self, response: Response) -> Accepted:
        """Returns the acceptance that `response` holds, or raises the `DeliveryError` that it means."""
        if not isinstance(response, MailResponse):
            raise Uncertain("the answer did not come over SMTP")
        if response.stage == "accepted" and response.code in range(200, 300):
            found = smtp_replies.queue_id(response.text) or response.message_id or "accepted"
            return Accepted(provider_message_id=found)
        raise smtp_replies.refusal(response, secrets=tuple(filter(None, (self.username, self.password))))

    def authenticate(self, callback: Callback) -> None:
        """Returns for a mail that came to a return path of ours and raises `CallbackRefused` otherwise."""
        if self._reference(callback) is None:
            raise CallbackRefused("the mail did not come to a return path that this account signed")

    def events(self, callback: Callback) -> tuple[Event, ...]:
        """Returns what a mail to a return path tells: delivery reports; anything else is `Unknown`, nothing raises."""
        return smtp_reports.events_of(callback.body, reference=self._reference(callback), sender=self.from_address)

    def _headers(self, reference: str, message_id: str, to: str, subject: str) -> list[str]:
        return [
            mime.written("Date", format_datetime(self.clock())),
            f"From: {mime.mailbox(self.from_name, self.from_address)}\r\n",
            f"To: {to}\r\n",
            mime.written("Subject", subject),
            mime.written("Message-ID", message_id),
            mime.written("X-Carillon-Reference", reference),
        ]

    def _return_path(self, reference: str) -> str:
        if self.return_path_domain is None or self.verp_key is None:
            return self.from_address
        return verp.return_path(reference, domain=self.return_path_domain, key=self.verp_key)

    def _reference(self, callback: Callback) -> str | None:
        if self.return_path_domain is None or self.verp_key is None:
            return None
        envelope = callback.query.get("recipient", "")
        places = (envelope, *smtp_reports.recipients(callback.body))
        return verp.reference_in(places, domain=self.return_path_domain, key=self.verp_key)


def _checked(to: Address) -> str:
    """Returns the address as it stands in the envelope: the domain in ASCII, the local part as it is."""
    if to.kind is not AddressKind.EMAIL:
        raise InvalidAddress("a mail reaches mail addresses only")
    local, _, domain = to.value.rpartition("@")
    try:
        ascii_domain = domain if domain.isascii() else domain.encode("idna").decode("ascii")
    except UnicodeError:
        ascii_domain = ""
    if not _LOCAL_PART.fullmatch(local) or not _ASCII_DOMAIN.fullmatch(ascii_domain):
        raise InvalidAddress("this cannot stand in an envelope as a mail address")
    return f"{local}@{ascii_domain}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"
