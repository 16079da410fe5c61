"""Notifications over HTTP: accepted one at a time, found, read."""

from typing import Annotated

from fastapi import Response

from api.accept_rules import Ask
from api.acceptance import accept_one, body_hash
from api.auth import Principal, needs
from api.notification_filters import FilterOf
from api.notification_models import KeyHeader, NotificationBody, NotificationId
from api.notification_views import (
    Accepted,
    NotificationDetail,
    NotificationPage,
    shown,
    shown_in_full,
)
from api.openapi import problem_responses
from api.paging import PagingOf
from api.problem_types import Kind
from api.problems import not_found
from api.routing import noun_router
from api.scopes import Scope
from api.services import ServicesOf
from db import notifications

router = noun_router("/v1/notifications", "Notifications")

Reader = Annotated[Principal, needs(Scope.NOTIFICATIONS_READ)]
Sender = Annotated[Principal, needs(Scope.NOTIFICATIONS_SEND)]
REPLAYED = {
    "Idempotency-Replayed": {
        "description": "`true` when the same request was accepted before.",
        "schema": {"type": "string", "enum": ["true"]},
    }
}
ACCEPTING = (
    Kind.IDEMPOTENCY_IN_FLIGHT,
    Kind.CANCELLED_BEFORE_START,
    Kind.UNKNOWN_RECIPIENT,
    Kind.IDEMPOTENCY_MISMATCH,
    Kind.LINE_FULL,
)
"""How accepting can be refused, besides what holds for every request."""


@router.post(
    "",
    status_code=202,
    summary="Send a notification",
    responses={202: {"description": "Accepted, durably.", "headers": REPLAYED}, **problem_responses(*ACCEPTING)},
)
async def send_notification(
    body: NotificationBody, key: KeyHeader, principal: Sender, services: ServicesOf, response: Response
) -> Accepted:
    """Accepts a notification durably; it is sent soon after, or at `send_at`.

    The same key with the same body always gets the first answer again, and sends nothing more.
    """
    ask = Ask(key=key, request_hash=body_hash(body), body=body)
    return answered(response, *await accept_one(services, principal, ask))


@router.get("", summary="List notifications")
async def list_notifications(
    principal: Reader, services: ServicesOf, paging: PagingOf, wanted: FilterOf
) -> NotificationPage:
    """Returns notifications, the newest first.

    `metadata.<key>=<value>` finds those whose metadata holds this value. `created_after` is included, `created_before`
    is not.
    """
    async with services.database.tenant(principal.tenant_id) as connection:
        rows = await notifications.page(
            connection, principal.tenant_id, wanted=wanted, limit=paging.fetch, before=paging.before
        )
    return paging.page(NotificationPage, rows, shown)


@router.get("/{notification_id}", summary="Read a notification")
async def get_notification(
    notification_id: NotificationId, principal: Reader, services: ServicesOf
) -> NotificationDetail:
    """Returns a notification with its messages and every attempt to hand one over."""
    async with services.database.snapshot(principal.tenant_id) as connection:
        row = await notifications.get(connection, principal.tenant_id, notification_id)
        if row is None:
            raise not_found("notification")
        messages = await notifications.messages(connection, principal.tenant_id, notification_id)
        ids = [message.id for message in messages]
        attempts = await notifications.attempts(connection, principal.tenant_id, ids) if ids else []
    return shown_in_full(row, messages, attempts)


def answered(response: Response, accepted: Accepted, replayed: bool) -> Accepted:  # noqa: FBT001 - the pair that accepting returns
    """Returns the answer to a request that was accepted, now or before."""
    response.headers["Location"] = f"/v1/notifications/{accepted.id}"
    if replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return accepted
