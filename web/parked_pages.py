"""What is parked: how many for which cause, which ones, and letting them go on or dropping them, counted first."""

from typing import Annotated, Literal

from fastapi import Form, Request, Response
from fastapi.responses import RedirectResponse

from api.notification_views import NotificationPage
from api.notification_views import shown as shown_notification
from api.paging import PagingOf
from api.parked import count_parked, operate, preview
from api.parked_models import Change
from api.parked_models import shown as shown_operation
from api.problem_types import Kind
from api.problems import Problem
from api.scopes import Scope
from api.services import Services, ServicesOf
from db import operations, parked
from domain.operations import DEFAULT_RATE, MOST_PER_SECOND, OperationKind, OperationSubject
from domain.reasons import Reason
from web.notification_list import Reader
from web.operation_pages import operation_url
from web.parked_filters import ParkedWanted, parked_wanted
from web.rendering import render
from web.routing import page_router
from web.session import Session, signed_in

router = page_router("/parked")

Sender = Annotated[Session, signed_in(Scope.NOTIFICATIONS_SEND)]
Action = Literal["resume", "drop"]
_SEE_OTHER = 303
_CONFLICT = 409
_RECENT = 5


@router.get("")
async def parked_page(request: Request, session: Reader, services: ServicesOf, paging: PagingOf) -> Response:
    """Shows what is parked by cause, the operations of late, and a page of what is looked for."""
    wanted, tenant_id = parked_wanted(request.query_params), session.principal.tenant_id
    meant = wanted.wish().filter()
    counts = await count_parked(session.principal, services)
    async with services.database.tenant(tenant_id) as connection:
        subject = [OperationSubject.NOTIFICATION]
        recent = await operations.page(connection, tenant_id, limit=_RECENT, before=None, subject=subject)
        rows = await parked.page(connection, tenant_id, wanted=meant, limit=paging.fetch, before=paging.before)
    found = paging.page(NotificationPage, rows, shown_notification)
    return render(
        request,
        "parked.html",
        wanted=wanted,
        counts=counts,
        recent=[shown_operation(row) for row in recent],
        rows=found.data,
        older=wanted.url(cursor=found.next_cursor) if found.next_cursor else None,
        first=paging.before is None,
        causes=list(Reason),
        may_send=session.may(Scope.NOTIFICATIONS_SEND),
    )


@router.get("/{kind}")
async def ask(request: Request, kind: Action, session: Sender, services: ServicesOf) -> Response:
    """Tells how many are meant, and asks whether they are really to go on or to be dropped."""
    session.principal.demand(Scope.NOTIFICATIONS_READ)
    return await _question(request, services, session, kind, parked_wanted(request.query_params))


@router.post("/{kind}")
async def act(
    request: Request,
    kind: Action,
    session: Sender,
    services: ServicesOf,
    expected: Annotated[int, Form(ge=0, le=2**31 - 1)],
    rate: Annotated[int, Form(ge=1, le=MOST_PER_SECOND)] = DEFAULT_RATE,
    reason: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Creates the operation and leads to its page, or asks again where the count changed meanwhile."""
    session.principal.demand(Scope.NOTIFICATIONS_READ)
    wanted = parked_wanted(await request.form())
    body = Change(filter=wanted.wish(), rate=rate, reason=reason.strip() or None, expected=expected)
    try:
        made = await operate(services, session.principal, OperationKind(kind), body)
    except Problem as problem:
        if problem.kind is not Kind.COUNT_CHANGED:
            raise
        return await _question(request, services, session, kind, wanted, changed=expected)
    return RedirectResponse(operation_url(made.id), _SEE_OTHER)


async def _question(
    request: Request,
    services: Services,
    session: Session,
    kind: Action,
    wanted: ParkedWanted,
    *,
    changed: int | None = None,
) -> Response:
    found = await preview(services, session.principal, Change(filter=wanted.wish()))
    return render(
        request,
        "parked_question.html",
        status=200 if changed is None else _CONFLICT,
        kind=kind,
        wanted=wanted,
        preview=found,
        changed=changed,
        rate=DEFAULT_RATE,
        fastest=MOST_PER_SECOND,
    )
