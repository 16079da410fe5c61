"""Cancelling: the answer is the fact, stopped or too late, and after `stopped` nothing is ever sent."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncConnection

from api.acceptance import PATIENCE, within_patience
from api.audit import record
from api.auth import Principal, needs
from api.models import Shown
from api.notification_models import KeyToCancel, NotificationId
from api.openapi import problem_responses
from api.problem_types import Kind
from api.problems import not_found
from api.routing import noun_router
from api.scopes import Scope
from api.services import ServicesOf
from crashpoints import crash_here
from db import cancellations, outbox
from db.cancellations import Standing, Underway
from domain import keys
from domain.status import Status

router = noun_router("/v1/notifications", "Notifications")

Sender = Annotated[Principal, needs(Scope.NOTIFICATIONS_SEND)]


class MessageUnderway(Shown):
    """The message that is, or may be, with a provider."""

    id: UUID
    channel: str
    status: Status
    claimed_at: datetime = Field(description="When it was handed over, as far as anybody knows.")
    accepted_at: datetime | None = Field(description="When the provider took it; null when nobody can say yet.")


class Cancellation(Shown):
    """What cancelling achieved.

    `stopped`: nothing was sent and nothing will be. `too_late`: a message was, or may have been, handed over; nothing
    follows it. `ended`: it had ended already without anything being sent.
    """

    result: Literal["stopped", "too_late", "ended"]
    notification_id: UUID | None = Field(description="Null when the cancellation came before any notification.")
    status: Status
    reason: str | None
    message: MessageUnderway | None = None
    stopped_remaining: bool = Field(description="No further message will be attempted.")


@router.post("/{notification_id}/cancel", summary="Cancel a notification")
async def cancel_notification(notification_id: NotificationId, principal: Sender, services: ServicesOf) -> Cancellation:
    """Stops a notification, or says which message was quicker; repeating it does no harm."""
    async with services.database.tenant(principal.tenant_id) as connection:
        standing = await cancellations.lock(connection, principal.tenant_id, notification_id)
        if standing is None:
            raise not_found("notification")
        fact = await cancel_locked(connection, principal, standing)
        crash_here("before_cancel_commit")
    crash_here("after_cancel_commit")
    services.wake()
    return fact


@router.post("/cancel", summary="Cancel by idempotency key", responses=problem_responses(Kind.IDEMPOTENCY_IN_FLIGHT))
async def cancel_by_key(body: KeyToCancel, principal: Sender, services: ServicesOf) -> Cancellation:
    """Stops the notification of a key; when there is none yet, none will ever be accepted under it."""
    key, tenant_id = body.idempotency_key, principal.tenant_id
    async with within_patience(), services.database.tenant(tenant_id) as connection:
        standing = await cancellations.lock_by_key(connection, tenant_id, key)
        if standing is None:
            await cancellations.forbid_accepting(connection, tenant_id, key, patience=PATIENCE)
            standing = await cancellations.lock_by_key(connection, tenant_id, key)
        if standing is None:
            fact = await _bury(connection, principal, key)
        else:
            fact = await cancel_locked(connection, principal, standing)
    services.wake()
    return fact


async def cancel_locked(connection: AsyncConnection, principal: Principal, standing: Standing) -> Cancellation:
    """Stops a locked notification, or says which message was quicker.

    It decides under the notification's lock; a claim takes the same lock, so it comes wholly before or after.
    """
    message = await cancellations.underway(connection, principal.tenant_id, standing.id)
    if standing.ended_at is not None:
        return _fact(standing, message)
    is_new = standing.cancel_requested_at is None
    change = cancellations.stop if message is None else cancellations.stop_rest
    standing = await change(connection, principal.tenant_id, standing.id)
    workflow_id = keys.notification_workflow(str(standing.id))
    await outbox.add_signal(connection, principal.tenant_id, workflow_id, signal="cancel", cause="cancel", arguments=[])
    fact = _fact(standing, message)
    if is_new:
        await record(connection, principal, "notification.cancelled", standing.id, result=fact.result)
    return fact


async def _bury(connection: AsyncConnection, principal: Principal, key: str) -> Cancellation:
    if await cancellations.bury(connection, principal.tenant_id, key):
        await record(connection, principal, "notification.cancelled", key, result="stopped", before_start=True)
    return Cancellation(
        result="stopped", notification_id=None, status=Status.CANCELLED, reason="cancelled", stopped_remaining=True
    )


def _fact(standing: Standing, message: Underway | None) -> Cancellation:
    if message is not None:
        result: Literal["stopped", "too_late", "ended"] = "too_late"
    else:
        result = "stopped" if standing.status is Status.CANCELLED else "ended"
    return Cancellation(
        result=result,
        notification_id=standing.id,
        status=standing.status,
        reason=standing.reason,
        message=MessageUnderway.model_validate(message) if message else None,
        stopped_remaining=True,
    )
