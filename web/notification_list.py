"""The first page of the console: how the last day went, and the notifications, the newest first."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response
from fastapi.responses import RedirectResponse

from api.notification_views import NotificationPage, shown
from api.paging import PagingOf
from api.scopes import Scope
from api.services import ServicesOf
from db import lookups, notifications, status_counts
from domain.recipients import Channel
from domain.status import Status
from web.filters import TROUBLE, TROUBLED, wanted_of
from web.rendering import render
from web.routing import HOME, page_router
from web.session import Session, signed_in

router = page_router()

Reader = Annotated[Session, signed_in(Scope.NOTIFICATIONS_READ)]
COUNTED = 10_000
_DAY = timedelta(hours=24)
_MOST_FOUND = 50
_SEE_OTHER = 303


@router.get("")
async def notification_list(request: Request, session: Reader, services: ServicesOf, paging: PagingOf) -> Response:
    """Shows the counts of the last 24 hours and a page of what is looked for."""
    wanted, tenant_id = wanted_of(request), session.principal.tenant_id
    query = wanted.filter()
    async with services.database.tenant(tenant_id) as connection:
        since = services.now() - _DAY
        counts = await status_counts.by_status(connection, tenant_id, since=since, most=COUNTED + 1)
        rows = await notifications.page(connection, tenant_id, wanted=query, limit=paging.fetch, before=paging.before)
    found = paging.page(NotificationPage, rows, shown)
    return render(
        request,
        "notification_list.html",
        wanted=wanted,
        counts=counts,
        counted=COUNTED,
        rows=found.data,
        older=wanted.url(cursor=found.next_cursor) if found.next_cursor else None,
        first=paging.before is None,
        statuses=list(Status),
        trouble=TROUBLE,
        troubled=TROUBLED,
        channels=list(Channel),
        api_url=services.settings.public_url,
    )


@router.get("/find")
async def find(
    request: Request,
    session: Reader,
    services: ServicesOf,
    given: Annotated[str, Query(alias="id", max_length=320)] = "",
) -> Response:
    """Leads to the notification that an id belongs to, or shows those that it may belong to."""
    tenant_id = session.principal.tenant_id
    if not given.strip():
        return RedirectResponse(HOME, _SEE_OTHER)
    async with services.database.tenant(tenant_id) as connection:
        found = await lookups.notifications(connection, tenant_id, given, limit=_MOST_FOUND)
        if len(found) == 1:
            return RedirectResponse(notification_url(found[0]), _SEE_OTHER)
        rows = await notifications.some(connection, tenant_id, found) if found else []
    return render(request, "found.html", given=given.strip(), rows=[shown(row) for row in rows], most=_MOST_FOUND)


@router.get("/")
async def with_slash() -> Response:
    """Leads to the first page."""
    return RedirectResponse(HOME, _SEE_OTHER)


def notification_url(notification_id: UUID) -> str:
    """Returns the address of a notification's page."""
    return f"{HOME}/notifications/{notification_id}"
