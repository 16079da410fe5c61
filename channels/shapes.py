"""The shapes of parts: what each channel's content looks like as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailPart:
    """A mail: a subject, and MJML or HTML or only text; texts are Liquid."""

    subject: str
    mjml: str | None = None
    html: str | None = None
    text: str | None = None
    preheader: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsPart:
    """A text message."""

    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatsAppHeader:
    """The variable header of an approved template: one medium, or texts."""

    image: str | None = None
    video: str | None = None
    document: str | None = None
    filename: str | None = None
    text: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatsAppButton:
    """The variable piece of an approved template's button."""

    index: int
    type: Literal["url", "quick_reply", "copy_code", "flow"]
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatsAppFollowUp:
    """An image that is sent after the template, if there is one."""

    image: str
    caption: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatsAppTemplatePart:
    """A template approved by WhatsApp; the body's values by position or by name."""

    kind: Literal["template"]
    name: str
    language: str | None = None
    header: WhatsAppHeader | None = None
    body: tuple[str, ...] | Mapping[str, str] = ()
    buttons: tuple[WhatsAppButton, ...] = ()
    follow_up: WhatsAppFollowUp | None = None
    skip_if_no_image: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatsAppReply:
    """A button of a free-form text."""

    id: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatsAppRow:
    """A row of a list."""

    id: str
    title: str
    description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatsAppList:
    """Rows of which one is chosen; `button` opens them."""

    button: str
    rows: tuple[WhatsAppRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatsAppTextPart:
    """A free-form text, with buttons or a list."""

    kind: Literal["text"]
    body: str
    preview_url: bool = False
    buttons: tuple[WhatsAppReply, ...] = ()
    list: WhatsAppList | None = None
    header: str | None = None
    footer: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatsAppImagePart:
    """An image with a caption."""

    kind: Literal["image"]
    image: str
    caption: str | None = None
    skip_if_no_image: bool = False


WhatsAppPart = WhatsAppTemplatePart | WhatsAppTextPart | WhatsAppImagePart


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One Liquid text of a part.

    Attributes:
        pointer: Where it stands in the part.
        text: The Liquid.
        html: Whether its values are escaped for HTML.
        optional: Whether missing variables make it empty instead of being an error.
        longest: Characters that a text without variables may have; None where the medium has no limit.
    """

    pointer: str
    text: str
    html: bool = False
    optional: bool = False
    longest: int | None = None
