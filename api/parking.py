"""Resuming and dropping one parked notification."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from api.audit import record
from api.auth import Principal
from api.notification_models import NotificationId
from api.notification_views import Notification, shown
from api.openapi import problem_responses
from api.parked import Sender
from api.parked_models import WhyDrop, WhyResume
from api.problem_types import Kind
from api.problems import Problem, not_found
from api.routing import noun_router
from api.services import ServicesOf
from db import circuits, notifications, outbox, parking
from db.notifications import Notification as Stored
from domain import keys
from domain.operations import OperationKind

router = noun_router("/v1/notifications", "Notifications")

_ANSWERS = {202: {"description": "Its run is told."}, **problem_responses(Kind.WRONG_STATE)}
_PAST = {OperationKind.RESUME: "notification.resumed", OperationKind.DROP: "notification.dropped"}


@router.post("/{notification_id}/resume", status_code=202, summary="Resume a parked notification", responses=_ANSWERS)
async def resume_notification(
    notification_id: NotificationId, principal: Sender, services: ServicesOf, body: WhyResume | None = None
) -> Notification:
    """Lets a parked notification go on; the circuit of its account is closed, so that it is let through."""
    reason = body.reason if body else None
    async with services.database.tenant(principal.tenant_id) as connection:
        row = await _parked(connection, principal, notification_id)
        if row.parked_account_id is not None:
            await circuits.close(connection, principal.tenant_id, row.parked_account_id)
        answer = await _tell(connection, principal, row, OperationKind.RESUME, reason)
    services.wake()
    return answer


@router.post("/{notification_id}/drop", status_code=202, summary="Drop a parked notification", responses=_ANSWERS)
async def drop_notification(
    notification_id: NotificationId, body: WhyDrop, principal: Sender, services: ServicesOf
) -> Notification:
    """Ends a parked notification as cancelled, with the reason `dropped`; nothing of it is ever sent."""
    async with services.database.tenant(principal.tenant_id) as connection:
        row = await _parked(connection, principal, notification_id)
        await parking.drop(connection, principal.tenant_id, [notification_id])
        answer = await _tell(connection, principal, row, OperationKind.DROP, body.reason)
    services.wake()
    return answer


async def _parked(connection: AsyncConnection, principal: Principal, notification_id: UUID) -> Stored:
    """Returns a notification that stays parked while this transaction lasts."""
    locked = await parking.lock(connection, principal.tenant_id, [notification_id])
    row = await notifications.get(connection, principal.tenant_id, notification_id)
    if row is None:
        raise not_found("notification")
    if not locked:
        detail = f"The notification is {row.status} and not parked; there is nothing to resume or drop."
        raise Problem(Kind.WRONG_STATE, detail, state=row.status)
    return row


async def _tell(
    connection: AsyncConnection, principal: Principal, row: Stored, kind: OperationKind, reason: str | None
) -> Notification:
    """Leaves word for the notification's run, and returns the notification as it stands now."""
    signal = outbox.Signal(
        workflow_id=keys.notification_workflow(str(row.id)),
        signal=kind.value,
        cause=f"{kind.value}/{row.parked_at.isoformat() if row.parked_at else ''}",
        arguments=[],
    )
    await outbox.add_signals(connection, principal.tenant_id, [signal])
    facts = {"cause": row.parked_cause} | ({"reason": reason} if reason else {})
    await record(connection, principal, _PAST[kind], row.id, **facts)
    found = await notifications.get(connection, principal.tenant_id, row.id)
    assert found is not None  # noqa: S101 - it is locked
    return shown(found)
