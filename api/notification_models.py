"""Wire models of what callers ask for: a notification, many of them, one again."""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import Header, Path
from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from api.models import Body, Flag, JsonObject, Moment, Slug
from api.recipient_models import Locale
from channels.addresses import parse_address
from domain.durations import parse
from domain.notifications import OnUnknown
from domain.recipients import Address, AddressKind, Channel
from domain.templates import name_fault

MOST_ATTACHMENTS = 10
MOST_METADATA = 50
LONGEST_WITHIN = timedelta(days=90).total_seconds()
_ISO_DURATION: TypeAdapter[timedelta] = TypeAdapter(timedelta)
_HOW = "write a duration as seconds, or like '10m', '2h' or 'PT10M'"
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*", re.IGNORECASE)


def _short(text: str) -> float:
    """Returns the seconds of a length of time as flows write it, of days and exact ones: `90m`, `1d`."""
    try:
        span = parse(text)
    except ValueError as error:
        raise ValueError(_HOW) from error
    return span.days * 86_400 + span.exact.total_seconds()


def _seconds(value: Any) -> float:
    if isinstance(value, str) and value.startswith("P"):
        seconds = _ISO_DURATION.validate_python(value).total_seconds()
    elif isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        seconds = float(value)
    elif isinstance(value, str):
        seconds = _short(value)
    else:
        raise ValueError(_HOW)
    if not 0 < seconds <= LONGEST_WITHIN:
        raise ValueError(f"a duration is above 0 and at most {LONGEST_WITHIN:.0f} seconds (90 days)")
    return seconds


def _template_name(value: str) -> str:
    if wrong := name_fault(value):
        raise ValueError(wrong)
    return value


def _distinct(value: list[Channel]) -> list[Channel]:
    if len(set(value)) < len(value):
        raise ValueError("a channel stands twice; name each once")
    return value


def _link(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or any(part.isspace() for part in value):
        raise ValueError("this is no link; it starts with http:// or https://")
    return value


def _media_type(value: str) -> str:
    if not _MEDIA_TYPE.fullmatch(value):
        raise ValueError("this is no media type; write it like 'application/pdf'")
    return value.lower()


def _file_name(value: str) -> str:
    if any(character in '/\\"' or ord(character) < 32 for character in value) or value in {".", ".."}:  # noqa: PLR2004 - below the space are the control characters
        raise ValueError("a file name has neither slashes, quotes nor control characters")
    return value


Duration = Annotated[
    float,
    BeforeValidator(_seconds),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0, "maximum": LONGEST_WITHIN},
                {"type": "string", "format": "duration"},
                {
                    "type": "string",
                    "pattern": r"^(\d{1,4}w)?(\d{1,5}d)?(\d{1,6}h)?(\d{1,7}m)?(\d{1,9}s)?$",
                    "minLength": 2,
                },
            ],
            "description": "Seconds, an ISO 8601 duration, or `10m`, `2h`, `1d`.",
            "examples": ["PT10M", "2h"],
        }
    ),
]
TemplateName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=128, pattern=r"^[a-z0-9]+([._-][a-z0-9]+)*$"),
    AfterValidator(_template_name),
]
Channels = Annotated[list[Channel], Field(min_length=1, max_length=len(Channel)), AfterValidator(_distinct)]
FileName = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_file_name)]
MediaType = Annotated[str, StringConstraints(max_length=100), AfterValidator(_media_type)]
_KEY = r"^[!-~]([ -~]*[!-~])?$"
IdempotencyKey = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=_KEY)]
KeyHeader = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        description="Names this request for ever: repeated with the same body it changes nothing.",
        min_length=1,
        max_length=255,
        pattern=_KEY,
        examples=["invoice-1042/due/2026-01-31"],
    ),
]
NotificationId = Annotated[UUID, Path(description="The notification.")]


class To(Body):
    """Whom it reaches: a recipient by your own id, or an address; exactly one of them."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    recipient: str | None = Field(default=None, min_length=1, max_length=128, examples=["customer-42"])
    phone: str | None = Field(default=None, min_length=1, max_length=320)
    email: str | None = Field(default=None, min_length=1, max_length=320)
    whatsapp_user: str | None = Field(default=None, min_length=1, max_length=320)

    @field_validator("phone", "email", "whatsapp_user")
    @classmethod
    def _stored(cls, value: str | None, info: Any) -> str | None:
        return parse_address(AddressKind(info.field_name), value).value if value is not None else None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(value is not None for value in self.__dict__.values()) != 1:
            raise ValueError("give exactly one of recipient, phone, email, whatsapp_user")
        return self

    def address(self) -> Address | None:
        """Returns the address that was given directly, if one was."""
        for kind in AddressKind:
            if (value := getattr(self, kind.value)) is not None:
                return Address(kind, value)
        return None


class Resource(Body):
    """What a notification is about, in your own words."""

    type: Slug = Field(examples=["invoice"])
    id: str = Field(min_length=1, max_length=256, pattern=r"^\S(.*\S)?$", examples=["1042"])


class Attachment(Body):
    """A file: by public link, or by the id of an upload."""

    url: Annotated[str, StringConstraints(max_length=2048), AfterValidator(_link)] | None = None
    upload_id: UUID | None = None
    filename: FileName | None = None
    content_type: MediaType | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.url is None) == (self.upload_id is None):
            raise ValueError("give exactly one of url, upload_id")
        if self.upload_id is not None and self.content_type is not None:
            raise ValueError("the upload has its own content type; leave it out here")
        return self


class FallbackRule(Body):
    """When a channel counts as having worked, and when the next one takes over."""

    success: Literal["accepted", "sent", "delivered", "read"] | None = Field(
        default=None, description="`delivered` when only `within` is given, otherwise `accepted`."
    )
    within: Duration | None = Field(default=None, description="How long to wait for `success` before the next channel.")
    after_unknown: Flag = Field(
        default=False, description="Go on to the next channel also when nobody can say whether this one was taken."
    )


class NotificationBody(Body):
    """What must reach whom."""

    to: To
    template: TemplateName = Field(examples=["invoice.due"])
    data: JsonObject = Field(default_factory=dict, description="The template's variables.")
    channels: Channels | None = Field(default=None, description="In the order to try; the template's own by default.")
    sender: str | None = Field(default=None, min_length=1, max_length=200, description="Account to use: id or name.")
    locale: Locale | None = Field(default=None, description="The recipient's by default.")
    resource: Resource | None = None
    trigger: Slug | None = Field(default=None, description="Why it is sent.", examples=["invoice.overdue"])
    metadata: JsonObject = Field(default_factory=dict, max_length=MOST_METADATA, description="Yours; found by key.")
    attachments: list[Attachment] = Field(default_factory=list, max_length=MOST_ATTACHMENTS)
    critical: Flag | None = Field(default=None, description="Goes before everything else.")
    expires_at: Moment | None = Field(default=None, description="Not handed to a provider from then on.")
    send_at: Moment | None = Field(default=None, description="Not handed to a provider before.")
    fallback: dict[Channel, FallbackRule] = Field(default_factory=dict)
    on_unknown: OnUnknown | None = Field(
        default=None, description="What to do when nobody can say whether a message was taken."
    )
    lane: Literal["transactional", "bulk"] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.critical and self.lane is not None:
            raise ValueError("a critical notification has a lane of its own; leave `lane` out")
        if self.send_at is not None and self.expires_at is not None and self.send_at >= self.expires_at:
            raise ValueError("`expires_at` must be after `send_at`")
        return self


class BulkItem(NotificationBody):
    """One notification of many, with its own key."""

    idempotency_key: IdempotencyKey


class Resend(Body):
    """What to do differently; what is left out stays as it was."""

    to: To | None = None
    channels: Channels | None = None
    data: JsonObject | None = None
    force: Flag = Field(default=False, description="Also when nobody can say whether the original was sent.")


class KeyToCancel(Body):
    """The key under which a notification was, or would be, accepted."""

    idempotency_key: IdempotencyKey
