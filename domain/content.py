"""What a message says, rendered and ready for a provider: made by `channels`, spelled by `providers`."""

from dataclasses import dataclass, field

from domain.recipients import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """A file by public link or by the provider's own media id; exactly one of both is set."""

    link: str | None = field(default=None, repr=False)
    media_id: str | None = None
    filename: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file that travels inside the message."""

    filename: str
    content_type: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailContent:
    """A mail: subject, a text part always, an HTML part where the template has one."""

    subject: str = field(repr=False)
    text: str = field(repr=False)
    html: str | None = field(default=None, repr=False)
    attachments: tuple[Attachment, ...] = ()
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Extra headers such as `List-Unsubscribe`; names are checked by the provider."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsContent:
    """A text message."""

    body: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateParameter:
    """One value of a provider-approved template: positional without `name`, named with it."""

    value: str = field(repr=False)
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateButton:
    """The dynamic part of a template's button: its place, kind, and URL suffix, payload or coupon code."""

    index: int
    sub_type: str  # url | quick_reply | copy_code | flow
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatsAppTemplate:
    """A template approved by WhatsApp with its values."""

    name: str
    language: str
    header_media: Media | None = None
    header_media_kind: str = "image"  # image | video | document
    header: tuple[TemplateParameter, ...] = ()
    body: tuple[TemplateParameter, ...] = ()
    buttons: tuple[TemplateButton, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyButton:
    """A button of a free-form message; the id comes back when somebody taps it."""

    id: str
    title: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A row of a list; the id comes back when somebody chooses it."""

    id: str
    title: str = field(repr=False)
    description: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatsAppText:
    """A free-form text, with up to three reply buttons or ten choices; allowed inside the service window."""

    body: str = field(repr=False)
    preview_url: bool = False
    buttons: tuple[ReplyButton, ...] = ()
    choices: tuple[Choice, ...] = ()
    choose: str | None = None  # what opens the choices
    header: str | None = field(default=None, repr=False)
    footer: str | None = field(default=None, repr=False)
    quotes: str | None = None  # provider id of the message this one answers


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatsAppImage:
    """An image with a caption; allowed inside the service window."""

    media: Media
    caption: str | None = field(default=None, repr=False)


Content = EmailContent | SmsContent | WhatsAppTemplate | WhatsAppText | WhatsAppImage


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One attempt, ready to be spelled by a provider.

    Attributes:
        reference: 32 hex characters that identify the attempt; travels to the provider and comes back in its receipts.
        message_id: Id of the message (the same for all its attempts), as text.
        to: Where it goes.
        content: What it says.
    """

    reference: str
    message_id: str
    to: Address
    content: Content
