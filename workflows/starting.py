"""How a row of the outbox becomes the start of a workflow: its input, what it is found by, and its summary."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from domain.notifications import NotificationInput
from domain.operations import OperationInput
from domain.outages import OutageInput
from domain.pages import PageInput
from domain.schedules import ScheduleInput
from domain.series import SeriesInput

_TEXT = {
    "template": SearchAttributeKey.for_keyword("CarillonTemplate"),
    "resource": SearchAttributeKey.for_keyword("CarillonResource"),
    "trigger": SearchAttributeKey.for_keyword("CarillonTrigger"),
    "channel": SearchAttributeKey.for_keyword("CarillonChannel"),
}
_TENANT = SearchAttributeKey.for_keyword("CarillonTenant")
_NOTIFICATION = SearchAttributeKey.for_keyword_list("CarillonNotification")


def _notification(fields: Mapping[str, Any]) -> NotificationInput:
    return NotificationInput(
        tenant_id=fields["tenant_id"],
        notification_id=fields["notification_id"],
        send_at=_time(fields.get("send_at")),
        expires_at=_time(fields.get("expires_at")),
    )


def attempts_at_once(payload: Mapping[str, Any]) -> int:
    """Returns how many attempts a workflow makes as soon as it starts; a scheduled one waits long before.

    The first look of a series is as much work for this process as an attempt.
    """
    asked = payload["input"]
    match payload["workflow"]:
        case "page":
            return len(asked["notification_ids"])
        case "notification":
            send_at = _time(asked.get("send_at"))
            return int(send_at is None or send_at <= datetime.now(UTC))
        case "series":
            return 1
        case _:
            return 0


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


INPUTS: Mapping[str, Callable[[Mapping[str, Any]], object]] = {
    "notification": _notification,
    "operation": lambda fields: OperationInput(**fields),
    "outage": lambda fields: OutageInput(**fields),
    "series": lambda fields: SeriesInput(**fields),
    "schedule": lambda fields: ScheduleInput(**fields),
    "page": lambda fields: PageInput(**{**fields, "notification_ids": tuple(fields["notification_ids"])}),
}
"""How the input of each kind of workflow is read from its row."""


def search_attributes(tenant_id: UUID, payload: Mapping[str, Any]) -> TypedSearchAttributes:
    """Returns what a workflow can be found by from its start."""
    pairs: list[SearchAttributePair[Any]] = [SearchAttributePair(_TENANT, str(tenant_id))]
    pairs += [SearchAttributePair(key, payload[name]) for name, key in _TEXT.items() if payload.get(name)]
    if payload["workflow"] == "page":  # an operator finds the page by any of its members
        pairs.append(SearchAttributePair(_NOTIFICATION, payload["input"]["notification_ids"]))
    return TypedSearchAttributes(pairs)


def summary(payload: Mapping[str, Any]) -> str:
    """Returns what the row itself says of its workflow, or what a notification is about."""
    about = f" about {payload['resource']}" if payload.get("resource") else ""
    if payload["workflow"] == "page":
        return f"{len(payload['input']['notification_ids'])} first attempts"
    said: str = payload.get("summary") or f"{payload.get('template')}{about}"
    return said[:200]
