"""The message of a series' step, as the notification that it becomes, accepted in the transaction of the step."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import uuid_utils.compat
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.prepared_versions import PreparedVersion, PreparedVersions
from db import acceptance
from db.acceptance import Found, NewNotification, Reference
from db.flow_json import rest_document
from db.series import Series
from domain import keys
from domain.calendar import shift, zone_of
from domain.conditions import value_of
from domain.flow_steps import Send
from domain.notifications import LANES, Lane, OnUnknown
from domain.quiet_hours import Quiet, Rest
from domain.recipients import Channel
from domain.series import trigger_of
from domain.variables import with_defaults

_PATIENCE = 2.0
_MOST_TOLD = 5


class NotPossible(Exception):  # noqa: N818 - it is no error: the series waits until somebody has mended it
    """A step cannot be taken as things are.

    `template_missing`, `recipient_missing`, `topic_missing`, `data_refused`, `key_in_use`.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """One message to be sent.

    Attributes:
        number: The place of the message in its series' timeline, by which it is itself.
        facts: What expressions of the step see.
        now: When the step is taken, by its workflow's clock; `zone` is the recipient's.
        quiet: When its recipient is left alone, where it asks.
        more: What its text sees beside the data.
    """

    series: Series
    step: Send
    number: int
    facts: Mapping[str, Any]
    now: datetime
    zone: str
    not_before: datetime | None
    quiet: Quiet | None = None
    more: Mapping[str, str] = field(default_factory=dict)

    def receiver(self) -> tuple[str, str]:
        """Returns the kind and the value of whom it reaches.

        Raises:
            NotPossible: The step's own expression gives no recipient.
        """
        if self.step.to is None:
            return self.series.to_kind, self.series.to
        value = value_of(self.step.to, self.facts)
        if not isinstance(value, str) or not value:
            raise NotPossible("recipient_missing", f"`to` ({self.step.to}) gives no recipient's id")
        return "recipient", value

    def rest(self, receiver_id: UUID | None) -> Rest | None:
        """Returns the quiet hours that go with it, and whose clock they keep to where it is not the receiver's own.

        The clock of a series is not that of a third person. Of a receiver whom nobody knows the series knew more.
        """
        if self.quiet is None or self.step.critical:
            return None
        zone = self.series.zone if receiver_id is not None else self.zone
        zone = zone if self.step.to is None else None
        return Rest(quiet=self.quiet, one=str(self.series.id), zone=zone)

    def expires_at(self) -> datetime | None:
        """Returns from when on it is not worth sending."""
        if self.step.expires is None:
            return None
        return shift(self.not_before or self.now, self.step.expires, zone_of(self.zone))


class Sends:
    """Makes notifications of steps."""

    def __init__(self) -> None:
        self._versions = PreparedVersions()

    async def send(self, connection: AsyncConnection, tenant_id: UUID, sending: Sending) -> dict[str, Any]:
        """Accepts the notification of a step, and returns what later conditions see of it.

        Raises:
            NotPossible: The template, the recipient or the data stand against it.
        """
        series, step = sending.series, sending.step
        name = keys.series_send(str(series.id), step.id, sending.number)
        kind, to = sending.receiver()
        reference = _reference(kind, to, step.template, name)
        (found,) = await acceptance.look_up(connection, tenant_id, [reference], patience=_PATIENCE)
        if found.version_id is None:
            what = "has no published version" if found.template_known else "is not there"
            raise NotPossible("template_missing", f"the template {step.template!r} {what}")
        if kind == "recipient" and found.recipient_id is None:
            raise NotPossible("recipient_missing", f"there is no recipient {to!r}")
        version = await self._versions.get(connection, tenant_id, found.version_id)
        new = _new(sending, name, found, version, _checked(sending, found, version))
        stored = await acceptance.insert(connection, tenant_id, [new])
        if new.id not in stored:
            raise NotPossible("key_in_use", f"the idempotency key {name!r} is used by another notification")
        return {"notification_id": str(new.id), "template": step.template, "template_version": version.number}


def _reference(kind: str, to: str, template: str, name: str) -> Reference:
    is_known = kind == "recipient"
    return Reference(
        key=name,
        template=template,
        recipient=to if is_known else None,
        kind=None if is_known else kind,
        value=None if is_known else to,
    )


def _channels(step: Send, found: Found, version: PreparedVersion) -> list[Channel]:
    return list(step.channels) or [Channel(name) for name in found.channels or ()] or list(version.paths)


def _checked(sending: Sending, found: Found, version: PreparedVersion) -> dict[str, Any]:
    """Returns the data of a message: the series' own, its event, and what the step says, the last of them counting."""
    series, step = sending.series, sending.step
    said = {name: value_of(expression, sending.facts) for name, expression in step.data.items()}
    about = {"id": str(series.id), "key": series.key, "flow": series.flow, "step": step.id}
    seen = {"event": series.event, "series": about, **series.data, **said, **sending.more}
    data = with_defaults(version.schema, seen)
    channels = _channels(step, found, version)
    if not any(channel in version.paths for channel in channels):
        names = ", ".join(channel.value for channel in channels)
        raise NotPossible("template_missing", f"version {version.number} of {step.template!r} has no part for {names}")
    if faults := version.check(data, channels):
        told = "; ".join(f"{fault.pointer}: {fault.message}" for fault in faults[:_MOST_TOLD])
        raise NotPossible("data_refused", told)
    return data


def _new(
    sending: Sending, name: str, found: Found, version: PreparedVersion, data: Mapping[str, Any]
) -> NewNotification:
    series, step, defaults = sending.series, sending.step, found.defaults or {}
    kind, to = sending.receiver()
    receiver_id = found.recipient_id or (found.holders[0] if len(found.holders) == 1 else None)
    rest = sending.rest(receiver_id)
    return NewNotification(
        id=uuid_utils.compat.uuid7(),
        idempotency_key=name,
        request_hash=keys.request_hash(name),
        to=to,
        to_kind=kind,
        receiver_id=receiver_id,
        channels=[channel.value for channel in step.channels] or None,
        template=step.template,
        template_version_id=version.id,
        data=data,
        locale=None,
        trigger_type=trigger_of(series.event),
        resource_type=series.resource_type,
        resource_id=series.resource_id,
        metadata={"flow": series.flow, "series_id": str(series.id), "step": step.id},
        attachments=(),
        sender=None,
        critical=step.critical,
        lane=LANES[Lane.CRITICAL if step.critical else Lane.TRANSACTIONAL],
        fallback=step.fallback,
        on_unknown=defaults.get("on_unknown") or OnUnknown.PREFER_SILENCE,
        send_at=sending.not_before,
        expires_at=sending.expires_at(),
        original_notification_id=None,
        series_id=series.id,
        series_step=step.id,
        taps=step.taps.value,
        quiet=rest_document(rest) if rest else None,
    )
