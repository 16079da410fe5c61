"""Many series at once: paused, resumed or stopped as a filter means them, counted first."""

from enum import StrEnum
from typing import Annotated

from fastapi import Form, Request, Response
from fastapi.responses import RedirectResponse

from api.problem_types import Kind as ProblemKind
from api.problems import Problem
from api.scopes import Scope
from api.series_operations import SeriesOperation, operate, preview
from api.services import Services, ServicesOf
from domain.operations import DEFAULT_RATE, MOST_PER_SECOND
from web.operation_pages import operation_url
from web.rendering import render
from web.routing import page_router
from web.series_filters import SeriesWanted, series_wanted
from web.session import Session, signed_in

router = page_router("/series/many")

Writer = Annotated[Session, signed_in(Scope.SERIES_WRITE)]
_SEE_OTHER = 303
_CONFLICT = 409


class Kind(StrEnum):
    """What is done to many series."""

    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"


@router.get("/{kind}")
async def ask(request: Request, kind: Kind, session: Writer, services: ServicesOf) -> Response:
    """Tells how many are meant, and asks whether it is really to be done."""
    session.principal.demand(Scope.SERIES_READ)
    return await _question(request, services, session, kind, series_wanted(request.query_params))


@router.post("/{kind}")
async def act(
    request: Request,
    kind: Kind,
    session: Writer,
    services: ServicesOf,
    expected: Annotated[int, Form(ge=0, le=2**31 - 1)],
    reason: Annotated[str, Form(min_length=1, max_length=200, pattern=r"\S")],
    rate: Annotated[int, Form(ge=1, le=MOST_PER_SECOND)] = DEFAULT_RATE,
) -> Response:
    """Creates the operation and leads to its page, or asks again where the count changed meanwhile."""
    session.principal.demand(Scope.SERIES_READ)
    wanted = series_wanted(await request.form())
    body = SeriesOperation(kind=kind.value, filter=wanted.wish(), rate=rate, reason=reason, expected=expected)
    try:
        made = await operate(services, session.principal, body)
    except Problem as problem:
        if problem.kind is not ProblemKind.COUNT_CHANGED:
            raise
        return await _question(request, services, session, kind, wanted, changed=expected)
    return RedirectResponse(operation_url(made.id), _SEE_OTHER)


async def _question(
    request: Request,
    services: Services,
    session: Session,
    kind: Kind,
    wanted: SeriesWanted,
    *,
    changed: int | None = None,
) -> Response:
    found = await preview(services, session.principal, wanted.wish())
    return render(
        request,
        "series_many.html",
        status=200 if changed is None else _CONFLICT,
        kind=kind.value,
        wanted=wanted,
        preview=found,
        changed=changed,
        rate=DEFAULT_RATE,
        fastest=MOST_PER_SECOND,
    )
