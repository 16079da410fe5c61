"""Sending again: a new notification that remembers which one it repeats."""

from collections.abc import Mapping
from typing import Any

from fastapi import Response
from pydantic import ValidationError

from api.accept_rules import Ask, Note
from api.acceptance import accept_one
from api.notification_models import KeyHeader, NotificationBody, NotificationId, Resend
from api.notification_views import Accepted
from api.notifications import ACCEPTING, REPLAYED, Sender, answered
from api.openapi import problem_responses
from api.problem_types import Kind
from api.problems import Problem, not_found, validation_problem
from api.routing import noun_router
from api.services import ServicesOf
from db import notifications
from db.notifications import Notification
from domain import keys
from domain.notifications import LANES
from domain.status import Status

router = noun_router("/v1/notifications", "Notifications")

_LANES = {number: lane for lane, number in LANES.items()}


@router.post(
    "/{notification_id}/resend",
    status_code=202,
    summary="Send a notification again",
    responses={
        202: {"description": "Accepted, durably.", "headers": REPLAYED},
        **problem_responses(*ACCEPTING, Kind.WRONG_STATE, Kind.OUTCOME_UNKNOWN),
    },
)
async def resend_notification(
    notification_id: NotificationId,
    key: KeyHeader,
    principal: Sender,
    services: ServicesOf,
    response: Response,
    body: Resend | None = None,
) -> Accepted:
    """Accepts a new notification like an ended one, from the published version of its template.

    Times are not repeated: it goes at once and does not expire.
    """
    changes = body or Resend()
    async with services.database.tenant(principal.tenant_id) as connection:
        original = await notifications.get(connection, principal.tenant_id, notification_id)
    if original is None:
        raise not_found("notification")
    said = changes.model_dump(mode="json", exclude_defaults=True)
    ask = Ask(
        key=key,
        request_hash=keys.request_hash({"resend": str(notification_id), **said}),
        body=_again(original, changes),
        original_id=notification_id,
        refusal=_refusal(original, force=changes.force),
        audit=Note("notification.resent", notification_id, {"forced": changes.force}),
    )
    return answered(response, *await accept_one(services, principal, ask))


def _again(original: Notification, changes: Resend) -> NotificationBody:
    """Returns the body that would have asked for the original, with what is to be different."""
    about = {"type": original.resource_type, "id": original.resource_id} if original.resource_type else None
    said = {
        "to": changes.to or {original.to_kind: original.to},
        "template": original.template,
        "data": changes.data if changes.data is not None else original.data,
        "channels": changes.channels or original.channels,
        "sender": str(original.sender) if original.sender else None,
        "locale": original.locale,
        "resource": about,
        "trigger": original.trigger_type,
        "metadata": original.metadata,
        "attachments": [_attachment(item) for item in original.attachments],
        "critical": original.critical,
        "fallback": original.fallback,
        "on_unknown": original.on_unknown,
        "lane": None if original.critical else _LANES[original.lane].value,
    }
    try:
        return NotificationBody.model_validate(said)
    except ValidationError as error:
        found = [{**one, "loc": ("body", *one["loc"])} for one in error.errors(include_url=False)]
        raise validation_problem(found, said) from error


def _attachment(item: Mapping[str, Any]) -> dict[str, Any]:
    """Returns an attachment as it was asked for: an upload brings its own content type."""
    return {name: value for name, value in item.items() if name != "content_type" or "upload_id" not in item}


def _refusal(original: Notification, *, force: bool) -> Problem | None:
    if original.ended_at is None:
        detail = f"The original is {original.status} and still on its way; wait for its end, or cancel it."
        return Problem(Kind.WRONG_STATE, detail, state=original.status)
    if original.status == Status.UNKNOWN and not force:
        return Problem(Kind.OUTCOME_UNKNOWN)
    return None
