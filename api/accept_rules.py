"""Judges one notification that is asked for: what is stored of it, or why it is refused. No input or output."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import uuid_utils.compat

from activities.prepared_versions import PreparedVersion
from api.notification_models import Attachment, FallbackRule, NotificationBody
from api.problem_types import Kind
from api.problems import Problem, invalid
from db.acceptance import Found, NewNotification
from db.uploads import Upload
from domain.faults import Fault
from domain.notifications import LANES, Lane, OnUnknown
from domain.recipients import CARRIES, Channel
from domain.variables import with_defaults


@dataclass(frozen=True, slots=True)
class Note:
    """What the audit trail says about an ask that was accepted."""

    action: str
    subject_id: UUID | str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A notification that somebody asks for.

    Attributes:
        key: The idempotency key; `request_hash` tells its repetition from its reuse.
        version: Number of the template's version; None means the published one.
        original_id: The notification that this one sends again.
        lane: What applies where the body names no lane.
        refusal: Why it must not be accepted, unless it was before.
        audit: Written down when a person does it by hand.
    """

    key: str
    request_hash: bytes
    body: NotificationBody
    version: int | None = None
    original_id: UUID | None = None
    lane: Lane = Lane.TRANSACTIONAL
    refusal: Problem | None = None
    audit: Note | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the database holds about an ask, and the moment of judging."""

    found: Found
    version: PreparedVersion | None
    uploads: Mapping[UUID, Upload]
    now: datetime


def judge(ask: Ask, evidence: Evidence) -> NewNotification:
    """Returns what is to be stored, or raises the problem that stands against it."""
    if ask.refusal is not None:
        raise ask.refusal
    version = _version(ask, evidence)
    receiver_id = _receiver(ask.body, evidence.found)
    channels = _channels(ask.body, evidence.found, version)
    data = with_defaults(version.schema, ask.body.data)
    attachments = [_attachment(item, evidence.uploads) for item in ask.body.attachments]
    faults = [
        *_time_faults(ask.body, evidence.now),
        *_channel_faults(ask.body, version, channels),
        *_sender_faults(ask.body, evidence.found, channels),
        *_upload_faults(ask.body, evidence.uploads),
        *(fault.under("/data") for fault in version.check(_visible(data, attachments), channels)),
    ]
    if faults:
        raise invalid(*faults)
    return _new(ask, evidence.found, version, receiver_id, data, attachments)


def stored_fallback(fallback: Mapping[Channel, FallbackRule]) -> dict[str, Any]:
    """Returns the fallback rules as they are stored: only what was said."""
    return {channel.value: rule.model_dump(exclude_defaults=True) for channel, rule in fallback.items()}


def _new(
    ask: Ask,
    found: Found,
    version: PreparedVersion,
    receiver_id: UUID | None,
    data: Mapping[str, Any],
    attachments: Sequence[Mapping[str, Any]],
) -> NewNotification:
    body, defaults = ask.body, found.defaults or {}
    address = body.to.address()
    critical = bool(body.critical if body.critical is not None else defaults.get("critical") and body.lane is None)
    return NewNotification(
        id=uuid_utils.compat.uuid7(),
        idempotency_key=ask.key,
        request_hash=ask.request_hash,
        to=address.value if address else body.to.recipient or "",
        to_kind=address.kind.value if address else "recipient",
        receiver_id=receiver_id,
        channels=[channel.value for channel in body.channels] if body.channels is not None else None,
        template=body.template,
        template_version_id=version.id,
        data=data,
        locale=body.locale,
        trigger_type=body.trigger,
        resource_type=body.resource.type if body.resource else None,
        resource_id=body.resource.id if body.resource else None,
        metadata=body.metadata,
        attachments=attachments,
        sender=found.sender_id,
        critical=critical,
        lane=LANES[Lane.CRITICAL if critical else Lane(body.lane) if body.lane else ask.lane],
        fallback=stored_fallback(body.fallback),
        on_unknown=(body.on_unknown or defaults.get("on_unknown") or OnUnknown.PREFER_SILENCE),
        send_at=body.send_at,
        expires_at=body.expires_at,
        original_notification_id=ask.original_id,
    )


def _version(ask: Ask, evidence: Evidence) -> PreparedVersion:
    if evidence.version is not None:
        return evidence.version
    name = ask.body.template
    if not evidence.found.template_known:
        message = f"there is no template {name!r}; create it, or correct the name"
    elif ask.version is None:
        message = f"the template {name!r} has no published version; publish one"
    else:
        message = f"the template {name!r} has no version {ask.version}"
    raise invalid(Fault(pointer="/template", message=message))


def _receiver(body: NotificationBody, found: Found) -> UUID | None:
    """Returns the recipient: the one named, or the only one who has the address."""
    if body.to.recipient is not None:
        if found.recipient_id is None:
            raise _unknown("/to/recipient", "there is no recipient with this id; create it first")
        return found.recipient_id
    if not found.holders and (found.defaults or {}).get("require_known_recipient"):
        raise _unknown("/to", "no recipient has this address, and the template requires a known one")
    return found.holders[0] if len(found.holders) == 1 else None


def _unknown(pointer: str, message: str) -> Problem:
    return Problem(
        Kind.UNKNOWN_RECIPIENT, f"{message[0].upper()}{message[1:]}.", faults=[Fault(pointer=pointer, message=message)]
    )


def _channels(body: NotificationBody, found: Found, version: PreparedVersion) -> list[Channel]:
    """Returns the channels that will be tried, in order."""
    return body.channels or [Channel(name) for name in found.channels or ()] or list(version.paths)


def _time_faults(body: NotificationBody, now: datetime) -> list[Fault]:
    if body.expires_at is not None and body.expires_at <= now:
        return [Fault(pointer="/expires_at", message="this moment is over; nothing would be sent")]
    return []


def _channel_faults(body: NotificationBody, version: PreparedVersion, channels: Sequence[Channel]) -> list[Fault]:
    names = ", ".join(channel.value for channel in channels)
    if not any(channel in version.paths for channel in channels):
        message = f"version {version.number} of the template has no part for {names}"
        return [Fault(pointer="/channels", message=message)]
    address = body.to.address()
    if address is not None and not any(address.kind in CARRIES[channel] for channel in channels):
        return [Fault(pointer="/channels", message=f"none of {names} reaches a {address.kind.value}")]
    return []


def _sender_faults(body: NotificationBody, found: Found, channels: Sequence[Channel]) -> list[Fault]:
    if body.sender is None:
        return []
    if found.sender_id is None:
        return [Fault(pointer="/sender", message="there is no such account, or it is retired")]
    if found.sender_channel not in channels:
        message = f"this account carries {found.sender_channel}, which is not among the channels"
        return [Fault(pointer="/sender", message=message)]
    return []


def _upload_faults(body: NotificationBody, uploads: Mapping[UUID, Upload]) -> list[Fault]:
    return [
        Fault(pointer=f"/attachments/{index}/upload_id", message="there is no such upload, or it has expired")
        for index, item in enumerate(body.attachments)
        if item.upload_id is not None and item.upload_id not in uploads
    ]


def _attachment(item: Attachment, uploads: Mapping[UUID, Upload]) -> dict[str, Any]:
    upload = uploads.get(item.upload_id) if item.upload_id is not None else None
    found = {
        "url": item.url,
        "upload_id": str(item.upload_id) if item.upload_id is not None else None,
        "filename": item.filename or (upload.filename if upload else None),
        "content_type": item.content_type or (upload.content_type if upload else None),
    }
    return {name: value for name, value in found.items() if value is not None}


def _visible(data: Mapping[str, Any], attachments: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Returns the data as templates will see it."""
    return {**data, "attachments": list(attachments)} if attachments else data
