"""The series: found by what they are, and each with where it stands, what it did, and what is still to come."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response

from api.notification_views import Notification
from api.notification_views import shown as shown_notification
from api.paging import PagingOf
from api.parked_models import shown as shown_operation
from api.scopes import Scope
from api.series import get_series, get_series_timeline, get_series_upcoming
from api.series_models import SeriesDetail, SeriesId, SeriesPage
from api.series_models import shown as shown_series
from api.services import Services, ServicesOf
from db import flows, notifications, operations, series_lists
from db.notifications import Filter
from domain import keys
from domain.operations import OperationSubject
from domain.series import SeriesStatus
from web.recipient_choices import choices_of
from web.rendering import render
from web.routing import page_router
from web.series_filters import SERIES, series_wanted
from web.series_words import expected, judged, said, way_out
from web.session import Session, signed_in
from web.temporal_links import run_url

router = page_router("/series")

Reader = Annotated[Session, signed_in(Scope.SERIES_READ)]
_RECENT = 5
_MOST_SENT = 50
_MOST_UPCOMING = 100

OUTCOMES = {
    "stopped": "Stopped: no step follows, and nothing of it is sent any more.",
    "too_late": "Stopped, but too late for what was just being handed over; nothing follows it.",
    "ended": "It was over already.",
    "pause": "Paused: it does nothing until it is resumed; what it hears meanwhile counts afterwards.",
    "resume": "Resumed: it goes on from where it stands.",
    "skip": "Left out: it goes on behind that step.",
    "run-again": "It was put to that step, as if it came there now.",
    "move": "Moved: every wait that is still to come counts from the new date.",
}
"""What an action achieved, as the page that follows it says it."""


@router.get("")
async def series_list(request: Request, session: Reader, services: ServicesOf, paging: PagingOf) -> Response:
    """Shows series, the newest first, and the operations over many of late."""
    wanted, tenant_id = series_wanted(request.query_params), session.principal.tenant_id
    meant = wanted.filter()
    async with services.database.tenant(tenant_id) as connection:
        rows = await series_lists.page(connection, tenant_id, wanted=meant, limit=paging.fetch, before=paging.before)
        recent = await operations.page(
            connection, tenant_id, subject=[OperationSubject.SERIES], limit=_RECENT, before=None
        )
    found = paging.page(SeriesPage, rows, shown_series)
    return render(
        request,
        "series_list.html",
        wanted=wanted,
        rows=found.data,
        recent=[shown_operation(row) for row in recent],
        older=wanted.url(cursor=found.next_cursor) if found.next_cursor else None,
        first=paging.before is None,
        statuses=list(SeriesStatus),
        may_act=session.may(Scope.SERIES_WRITE) and wanted.may_go_on,
    )


@router.get("/{series_id}")
async def series_page(
    request: Request,
    series_id: SeriesId,
    session: Reader,
    services: ServicesOf,
    paging: PagingOf,
    outcome: Annotated[str, Query(max_length=32)] = "",
    under_way: Annotated[list[UUID] | None, Query(max_length=10)] = None,
) -> Response:
    """Shows a series."""
    one = await get_series(series_id, session.principal, services, Response())
    lines = await get_series_timeline(series_id, session.principal, services, paging)
    upcoming = await get_series_upcoming(series_id, session.principal, services)
    zone = upcoming.zone or "UTC"
    flow_status, sent = await _around(services, session, one)
    return render(
        request,
        "series.html",
        one=one,
        flow_status=flow_status,
        lines=[(line, said(line, zone), judged(line)) for line in lines.data],
        older=f"{series_url(series_id)}?cursor={lines.next_cursor}" if lines.next_cursor else None,
        first=paging.before is None,
        address=series_url(series_id),
        zone=zone,
        upcoming=[(entry, expected(entry, zone)) for entry in upcoming.entries[:_MOST_UPCOMING]],
        more=len(upcoming.entries) > _MOST_UPCOMING,
        sent=sent,
        most_sent=_MOST_SENT,
        choices=await choices_of(services, session, one.to_kind, one.to),
        way_out=way_out(one.reason) if one.status == "parked" else None,
        workflow_url=run_url(services, keys.series_workflow(str(series_id))),
        outcome=OUTCOMES.get(outcome),
        under_way=(under_way or []) if outcome == "too_late" else [],
        may_act=session.may(Scope.SERIES_WRITE) and one.ended_at is None,
    )


def series_url(series_id: UUID) -> str:
    """Returns the address of a series' page."""
    return f"{SERIES}/{series_id}"


async def _around(services: Services, session: Session, one: SeriesDetail) -> tuple[str, list[Notification]]:
    """Returns how the flow of a series stands, and the newest of what the series sent."""
    tenant_id = session.principal.tenant_id
    async with services.database.tenant(tenant_id) as connection:
        flow = await flows.get(connection, tenant_id, one.flow)
        rows = []
        if session.may(Scope.NOTIFICATIONS_READ):
            wanted = Filter(series_id=one.id)
            rows = await notifications.page(connection, tenant_id, wanted=wanted, limit=_MOST_SENT, before=None)
    return flow.status if flow else "active", [shown_notification(row) for row in rows]
