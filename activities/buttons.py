"""Buttons that say which message they belong to: their payloads are signed, so that a tap is what it seems to be.

On its way a payload is `<value>~<message id><signature>`, base64url: 39 characters more than its template says.
"""

import base64
import hmac
from dataclasses import dataclass, replace
from uuid import UUID

from domain.content import Content, WhatsAppTemplate, WhatsAppText
from domain.replies import Seal
from sealing import KeyRing

_MARK = "~"
_ID_BYTES, _SIGNATURE_BYTES = 16, 12
_TAIL_BYTES = _ID_BYTES + _SIGNATURE_BYTES
_TAIL = (_TAIL_BYTES * 8 + 5) // 6
_PURPOSE = "button"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tapped:
    """What a tap says: the value that the template gave its button, and of which message it was."""

    value: str
    seal: Seal
    message_id: UUID | None = None


class Buttons:
    """Signs the buttons of messages, and reads what comes back when somebody taps one."""

    def __init__(self, key_ring: KeyRing) -> None:
        self._key_ring = key_ring

    def signed(self, tenant_id: UUID, message_id: UUID, content: Content) -> Content:
        """Returns the content with payloads that are good for this message alone."""
        match content:
            case WhatsAppText():
                buttons = tuple(replace(one, id=self._sign(tenant_id, message_id, one.id)) for one in content.buttons)
                choices = tuple(replace(one, id=self._sign(tenant_id, message_id, one.id)) for one in content.choices)
                return replace(content, buttons=buttons, choices=choices)
            case WhatsAppTemplate():
                quick = tuple(
                    replace(one, value=self._sign(tenant_id, message_id, one.value))
                    if one.sub_type == "quick_reply"
                    else one
                    for one in content.buttons
                )
                return replace(content, buttons=quick)
            case _:
                return content

    def read(self, tenant_id: UUID, payload: str) -> Tapped:
        """Returns what a payload that came back says; one without a signature is not of ours."""
        value, mark, tail = payload.rpartition(_MARK)
        if not mark or len(tail) != _TAIL:
            return Tapped(value=payload, seal=Seal.UNSIGNED)
        try:
            raw = base64.b64decode(tail + "=" * (-len(tail) % 4), altchars=b"-_", validate=True)
        except ValueError:  # no base64, or no ASCII at all
            return Tapped(value=payload, seal=Seal.UNSIGNED)
        message_id = UUID(bytes=raw[:_ID_BYTES])
        known = self._signatures(tenant_id, message_id, value)
        if not any(hmac.compare_digest(raw[_ID_BYTES:], one) for one in known):
            return Tapped(value=value, seal=Seal.FORGED)
        return Tapped(value=value, seal=Seal.VERIFIED, message_id=message_id)

    def _sign(self, tenant_id: UUID, message_id: UUID, value: str) -> str:
        tail = message_id.bytes + self._signatures(tenant_id, message_id, value)[0]
        return f"{value}{_MARK}{base64.urlsafe_b64encode(tail).decode().rstrip('=')}"

    def _signatures(self, tenant_id: UUID, message_id: UUID, value: str) -> tuple[bytes, ...]:
        digests = self._key_ring.digests(f"{tenant_id}|{message_id}|{value}", purpose=_PURPOSE)
        return tuple(one[:_SIGNATURE_BYTES] for one in digests)
