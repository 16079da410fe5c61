"""Wire models of recipients and their addresses."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Path
from pydantic import AfterValidator, Field, StringConstraints, ValidationInfo, field_validator

from api.models import Body, Flag, JsonObject, Shown, Text
from api.paging import Page
from channels.addresses import parse_address, parse_email, parse_phone, parse_whatsapp_user
from db.addresses import StoredAddress
from db.recipients import Recipient as StoredRecipient
from domain.calendar import zone_of
from domain.locales import parse as parse_locale
from domain.recipients import Address, AddressKind

MOST_ADDRESSES = 20


def _zone(value: str) -> str:
    try:
        return zone_of(value).key
    except ValueError:
        raise ValueError("this is no time zone of the IANA database; write it like 'Asia/Kolkata'") from None


def _locale(value: str) -> str:
    return str(parse_locale(value))


ExternalId = Annotated[
    str,
    Path(
        description="Your own id of the recipient.",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@+~|=-]*$",
        max_length=128,
        examples=["customer-42"],
    ),
]
Locale = Annotated[str, StringConstraints(max_length=64), AfterValidator(_locale)]
Zone = Annotated[str, StringConstraints(max_length=64), AfterValidator(_zone)]


class NewAddress(Body):
    """A way to reach the recipient: a phone number with country code, a mail address, or a WhatsApp user id."""

    kind: AddressKind
    value: str = Field(min_length=1, max_length=320, examples=["+919876543210"])
    verified: Flag = False

    @field_validator("value")
    @classmethod
    def _stored(cls, value: str, info: ValidationInfo) -> str:
        """Returns the value in the one way in which it is stored; without a valid kind there is nothing to compare."""
        kind = info.data.get("kind")
        return parse_address(kind, value).value if kind is not None else value

    def address(self) -> Address:
        """Returns the address as the domain knows it."""
        return Address(self.kind, self.value)


class RecipientBody(Body):
    """The whole profile: what is left out is cleared, except `addresses`, which then stay as they are."""

    name: Text | None = None
    locale: Locale | None = Field(default=None, examples=["hi-IN"])
    zone: Zone | None = Field(default=None, examples=["Asia/Kolkata"])
    attributes: JsonObject = Field(default_factory=dict, description="Anything that templates may use.")
    addresses: list[NewAddress] | None = Field(
        default=None, max_length=MOST_ADDRESSES, description="All addresses, the preferred one of each kind first."
    )


class Suppression(Body):
    """Why nothing may be sent to an address."""

    reason: Text = Field(examples=["asked to stop on the phone"])


class ShownAddress(Shown):
    """An address and how it stands."""

    id: UUID
    kind: AddressKind
    value: str
    verified: bool
    status: Literal["active", "suppressed", "invalid"]
    status_reason: str | None
    created_at: datetime
    updated_at: datetime


class Recipient(Shown):
    """A recipient with its addresses, the preferred one first."""

    id: UUID
    external_id: str
    name: str | None
    locale: str | None
    zone: str | None
    attributes: JsonObject
    addresses: list[ShownAddress]
    created_at: datetime
    updated_at: datetime


class RecipientPage(Page[Recipient]):
    """A page of recipients."""


def spellings(value: str) -> list[str]:
    """Returns every way in which `value` may be stored, for searching."""
    found = {value.strip()}
    for parse in (parse_phone, parse_email, parse_whatsapp_user):
        try:
            found.add(parse(value).value)
        except ValueError:
            continue
    return sorted(found)


def shown(row: StoredRecipient, addresses: list[StoredAddress]) -> Recipient:
    """Returns a recipient as callers see it."""
    return Recipient(
        id=row.id,
        external_id=row.external_id,
        name=row.name,
        locale=row.locale,
        zone=row.zone,
        attributes=dict(row.attributes),
        addresses=[ShownAddress.model_validate(address) for address in addresses],
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
