"""What a link in a message stands for: whose choices it opens, about what, and until when."""

import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

from domain.recipients import Channel


class Purpose(StrEnum):
    """What a link is for."""

    PREFERENCES = "preferences"
    CONFIRM = "confirm"


class LinkError(ValueError):
    """Bytes that are no link of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link as its token holds it.

    Attributes:
        subject_kind: `recipient`, or the kind of an address.
        subject: The recipient's id, or the address.
        channel: The channel of the message that carries it; `topic` is what that is about.
        until: When it ends; a link in a mail serves for ever.
    """

    tenant_id: UUID
    subject_kind: str
    subject: str = field(repr=False)
    channel: Channel | None = None
    topic: str | None = None
    purpose: Purpose = Purpose.PREFERENCES
    until: datetime | None = None

    def is_over(self, now: datetime) -> bool:
        """Tells whether the link has ended."""
        return self.until is not None and now >= self.until


_VERSION = 1
_HEAD = struct.Struct(">BBBBI16sH")
_PURPOSES, _KINDS = tuple(Purpose), ("recipient", "phone", "email", "whatsapp_user")
_CHANNELS: tuple[Channel | None, ...] = (None, *Channel)


def packed(link: Link) -> bytes:
    """Returns a link as few bytes: links stand in text messages, too."""
    subject = UUID(link.subject).bytes if link.subject_kind == "recipient" else link.subject.encode()
    head = _HEAD.pack(
        _VERSION,
        _PURPOSES.index(link.purpose),
        _KINDS.index(link.subject_kind),
        _CHANNELS.index(link.channel),
        int(link.until.timestamp()) if link.until else 0,
        link.tenant_id.bytes,
        len(subject),
    )
    return head + subject + (link.topic or "").encode()


def unpacked(content: bytes) -> Link:
    """Returns the link that bytes of `packed` hold.

    Raises:
        LinkError: They are none.
    """
    try:
        version, purpose, kind, channel, until, tenant, length = _HEAD.unpack_from(content)
        subject, topic = content[_HEAD.size : _HEAD.size + length], content[_HEAD.size + length :]
        if version != _VERSION:
            raise LinkError("a link of another version")
        return Link(
            tenant_id=UUID(bytes=tenant),
            subject_kind=_KINDS[kind],
            subject=str(UUID(bytes=subject)) if _KINDS[kind] == "recipient" else subject.decode(),
            channel=_CHANNELS[channel],
            topic=topic.decode() or None,
            purpose=_PURPOSES[purpose],
            until=datetime.fromtimestamp(until, UTC) if until else None,
        )
    except (struct.error, IndexError, ValueError) as error:
        raise LinkError("no link of ours") from error
