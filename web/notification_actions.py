"""What one can do about a notification: cancel, send again, resume, drop; each after a question, as the API does it."""

from typing import Annotated
from uuid import UUID, uuid4

from fastapi import Form, Request, Response
from fastapi.responses import RedirectResponse

from api.cancelling import cancel_notification
from api.notification_models import NotificationId, Resend
from api.notification_views import Notification, shown
from api.parked_models import WhyDrop, WhyResume
from api.parking import drop_notification, resume_notification
from api.problems import not_found
from api.resending import resend_notification
from api.scopes import Scope
from api.services import Services, ServicesOf
from db import notifications
from domain.status import Status
from web.notification_list import notification_url
from web.rendering import render
from web.routing import page_router
from web.session import Session, signed_in

router = page_router("/notifications/{notification_id}")

Sender = Annotated[Session, signed_in(Scope.NOTIFICATIONS_SEND)]
_SEE_OTHER = 303


@router.get("/cancel")
async def ask_to_cancel(
    request: Request, notification_id: NotificationId, session: Sender, services: ServicesOf
) -> Response:
    """Asks whether the notification is really to be cancelled."""
    return render(request, "cancel.html", one=await _read(services, session, notification_id))


@router.post("/cancel")
async def cancel(notification_id: NotificationId, session: Sender, services: ServicesOf) -> Response:
    """Cancels, and leads to the page that says what was achieved."""
    fact = await cancel_notification(notification_id, session.principal, services)
    return RedirectResponse(f"{notification_url(notification_id)}?outcome={fact.result}", _SEE_OTHER)


@router.get("/resend")
async def ask_to_resend(
    request: Request, notification_id: NotificationId, session: Sender, services: ServicesOf
) -> Response:
    """Asks whether the notification is really to be sent again; the form carries the key of the new one."""
    one = await _read(services, session, notification_id)
    return render(request, "resend.html", one=one, doubtful=one.status is Status.UNKNOWN, once=uuid4().hex)


@router.post("/resend")
async def resend(
    notification_id: NotificationId,
    session: Sender,
    services: ServicesOf,
    once: Annotated[str, Form(pattern="^[0-9a-f]{32}$")],
    force: Annotated[str, Form(max_length=8)] = "",
) -> Response:
    """Sends again, and leads to the new notification; a form that is sent twice sends once."""
    accepted = await resend_notification(
        notification_id,
        f"console/{notification_id}/{once}",
        session.principal,
        services,
        Response(),
        Resend(force=bool(force)),
    )
    return RedirectResponse(f"{notification_url(accepted.id)}?outcome=resent", _SEE_OTHER)


@router.get("/resume")
async def ask_to_resume(
    request: Request, notification_id: NotificationId, session: Sender, services: ServicesOf
) -> Response:
    """Asks whether the parked notification is really to go on."""
    return render(request, "unpark.html", one=await _read(services, session, notification_id), kind="resume")


@router.post("/resume")
async def resume(
    notification_id: NotificationId,
    session: Sender,
    services: ServicesOf,
    reason: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Lets a parked notification go on, and leads to its page."""
    why = WhyResume(reason=reason.strip() or None)
    await resume_notification(notification_id, session.principal, services, why)
    return RedirectResponse(f"{notification_url(notification_id)}?outcome=resumed", _SEE_OTHER)


@router.get("/drop")
async def ask_to_drop(
    request: Request, notification_id: NotificationId, session: Sender, services: ServicesOf
) -> Response:
    """Asks whether the parked notification is really to be dropped, and why."""
    return render(request, "unpark.html", one=await _read(services, session, notification_id), kind="drop")


@router.post("/drop")
async def drop(
    notification_id: NotificationId,
    session: Sender,
    services: ServicesOf,
    reason: Annotated[str, Form(min_length=1, max_length=200, pattern=r"\S")],
) -> Response:
    """Drops a parked notification, and leads to its page."""
    await drop_notification(notification_id, WhyDrop(reason=reason), session.principal, services)
    return RedirectResponse(f"{notification_url(notification_id)}?outcome=dropped", _SEE_OTHER)


async def _read(services: Services, session: Session, notification_id: UUID) -> Notification:
    session.principal.demand(Scope.NOTIFICATIONS_READ)
    tenant_id = session.principal.tenant_id
    async with services.database.tenant(tenant_id) as connection:
        row = await notifications.get(connection, tenant_id, notification_id)
    if row is None:
        raise not_found("notification")
    return shown(row)
