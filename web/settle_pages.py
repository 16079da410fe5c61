"""Settling a doubt in the console: which attempt, what a person found out, and how; done as the API does it."""

from typing import Annotated
from uuid import UUID

from fastapi import Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.notification_models import NotificationId
from api.problems import not_found
from api.scopes import Scope
from api.services import ServicesOf
from api.settling import Finding, settle_notification
from db import settlement
from domain.settlement import Verdict
from web.notification_list import notification_url
from web.rendering import render
from web.routing import page_router
from web.session import Session, signed_in

router = page_router("/notifications/{notification_id}")

Sender = Annotated[Session, signed_in(Scope.NOTIFICATIONS_SEND)]
_SEE_OTHER = 303


@router.get("/settle")
async def ask_to_settle(
    request: Request,
    notification_id: NotificationId,
    attempt: Annotated[UUID, Query()],
    session: Sender,
    services: ServicesOf,
) -> Response:
    """Asks what was found out about an attempt in doubt."""
    session.principal.demand(Scope.NOTIFICATIONS_READ)
    tenant_id = session.principal.tenant_id
    async with services.database.tenant(tenant_id) as connection:
        ground = await settlement.read(connection, tenant_id, notification_id)
    found = next((one for one in ground.attempts if one.id == attempt), None) if ground else None
    if found is None:
        raise not_found("attempt of this notification")
    return render(request, "settle.html", notification_id=notification_id, attempt=found)


@router.post("/settle")
async def settle(
    notification_id: NotificationId,
    session: Sender,
    services: ServicesOf,
    attempt: Annotated[UUID, Form()],
    outcome: Annotated[Verdict, Form()],
    reason: Annotated[str, Form(min_length=1, max_length=500, pattern=r"\S")],
) -> Response:
    """Settles it, and leads to the notification's page."""
    said = Finding(outcome=outcome, reason=reason, attempt=attempt)
    await settle_notification(notification_id, said, session.principal, services)
    return RedirectResponse(f"{notification_url(notification_id)}?outcome=settled", _SEE_OTHER)
