"""Whom a message reaches: addresses as (kind, value) pairs that cannot be wrong once they exist."""

from dataclasses import dataclass
from enum import StrEnum


class Channel(StrEnum):
    """A medium that carries messages."""

    WHATSAPP = "whatsapp"
    EMAIL = "email"
    SMS = "sms"
    IN_APP = "in_app"
    WEBHOOK = "webhook"


class AddressKind(StrEnum):
    """How a person is addressed; a WhatsApp user may have a user id and no phone number."""

    PHONE = "phone"
    EMAIL = "email"
    WHATSAPP_USER = "whatsapp_user"


@dataclass(frozen=True, slots=True)
class Address:
    """One way to reach somebody: E.164 with `+` for a phone, `local@domain` for e-mail, the opaque id otherwise."""

    kind: AddressKind
    value: str

    def __repr__(self) -> str:
        """Shows the kind only: addresses stay out of logs and tracebacks."""
        return f"Address({self.kind.value}, …)"


CARRIES: dict[Channel, tuple[AddressKind, ...]] = {
    Channel.WHATSAPP: (AddressKind.PHONE, AddressKind.WHATSAPP_USER),
    Channel.EMAIL: (AddressKind.EMAIL,),
    Channel.SMS: (AddressKind.PHONE,),
    Channel.IN_APP: (),
    Channel.WEBHOOK: (),
}
"""Which kinds of address each channel can use, the preferred one first."""
