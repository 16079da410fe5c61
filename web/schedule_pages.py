"""The schedules: when each runs next, what its runs did, and pausing, resuming or running it now."""

from typing import Annotated, Any, Literal
from urllib.parse import urlencode
from uuid import UUID, uuid4

from fastapi import Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.paging import PagingOf
from api.problem_types import Kind
from api.problems import Problem
from api.schedule_models import RunStatus, ScheduleId
from api.schedule_steering import list_schedule_runs, pause_schedule, resume_schedule, trigger_schedule
from api.schedules import get_schedule, list_schedules
from api.scopes import Scope
from api.services import ServicesOf
from domain import keys
from web.rendering import render
from web.routing import page_router
from web.session import Session, signed_in
from web.temporal_links import schedule_url as clock_url

router = page_router("/schedules")

Reader = Annotated[Session, signed_in(Scope.SCHEDULES_READ)]
Writer = Annotated[Session, signed_in(Scope.SCHEDULES_WRITE)]
Action = Literal["pause", "resume", "trigger"]
_STATUSES = ("active", "paused", "ended")
_RUN_STATUSES = ("waiting", "running", "done", "failed", "missed")
_SEE_OTHER = 303

OUTCOMES = {
    "pause": "Paused: no run begins until it is resumed. A run under way is finished.",
    "resume": "Resumed: it runs again from now on; what was due meanwhile is not made up for.",
    "trigger": "It runs now; the run stands below.",
}
"""What an action achieved, as the page that follows it says it."""


@router.get("")
async def schedule_list(
    request: Request,
    session: Reader,
    services: ServicesOf,
    paging: PagingOf,
    status: Annotated[str, Query(max_length=16)] = "",
    name: Annotated[str, Query(max_length=128)] = "",
    flow: Annotated[str, Query(max_length=128)] = "",
) -> Response:
    """Shows the schedules, the newest first, each with when it runs next."""
    wanted = {key: text.strip() for key, text in (("status", status), ("name", name), ("flow", flow)) if text.strip()}
    asked: dict[str, Any] = {**wanted, "status": _known("status", status, _STATUSES)}
    found = await list_schedules(session.principal, services, paging, **asked)
    return render(
        request,
        "schedule_list.html",
        rows=found.data,
        wanted=wanted,
        statuses=_STATUSES,
        address=_address(router.prefix, wanted),
        older=_address(router.prefix, wanted, found.next_cursor) if found.next_cursor else None,
        first=paging.before is None,
    )


@router.get("/{schedule_id}")
async def schedule_page(
    request: Request,
    schedule_id: ScheduleId,
    session: Reader,
    services: ServicesOf,
    paging: PagingOf,
    status: Annotated[str, Query(max_length=16)] = "",
    outcome: Annotated[str, Query(max_length=32)] = "",
) -> Response:
    """Shows a schedule, its next instants, and its runs, the latest first."""
    one = await get_schedule(schedule_id, session.principal, services, Response())
    wanted: RunStatus | None = _known("status of a run", status, _RUN_STATUSES)
    runs = await list_schedule_runs(schedule_id, session.principal, services, paging, status=wanted)
    fields, place = ({"status": status} if status else {}), schedule_url(schedule_id)
    return render(
        request,
        "schedule.html",
        one=one,
        runs=runs.data,
        statuses=_RUN_STATUSES,
        chosen=status,
        address=_address(place, fields),
        older=_address(place, fields, runs.next_cursor) if runs.next_cursor else None,
        first=paging.before is None,
        clock_url=clock_url(services, keys.schedule_clock(str(session.principal.tenant_id), str(schedule_id))),
        outcome=OUTCOMES.get(outcome),
        may_act=session.may(Scope.SCHEDULES_WRITE),
    )


@router.get("/{schedule_id}/{kind}")
async def ask(
    request: Request, schedule_id: ScheduleId, kind: Action, session: Writer, services: ServicesOf
) -> Response:
    """Asks whether it is really to be done; the form carries the key of a run."""
    session.principal.demand(Scope.SCHEDULES_READ)
    one = await get_schedule(schedule_id, session.principal, services, Response())
    return render(request, "schedule_question.html", one=one, kind=kind, once=uuid4().hex)


@router.post("/{schedule_id}/{kind}")
async def act(
    schedule_id: ScheduleId,
    kind: Action,
    session: Writer,
    services: ServicesOf,
    once: Annotated[str, Form(pattern="^[0-9a-f]{32}$")],
) -> Response:
    """Does it, and leads to the schedule; a form that is sent twice makes one run."""
    principal = session.principal
    match kind:
        case "pause":
            await pause_schedule(schedule_id, principal, services, Response())
        case "resume":
            await resume_schedule(schedule_id, principal, services, Response())
        case "trigger":
            await trigger_schedule(schedule_id, principal, services, Response(), f"console/{schedule_id}/{once}")
    return RedirectResponse(f"{schedule_url(schedule_id)}?outcome={kind}", _SEE_OTHER)


def schedule_url(schedule_id: UUID) -> str:
    """Returns the address of a schedule's page."""
    return f"{router.prefix}/{schedule_id}"


def _known(what: str, given: str, known: tuple[str, ...]) -> Any:
    if given and given not in known:
        raise Problem(Kind.BAD_REQUEST, f"{given!r} is no {what}; choose one above the list.")
    return given or None


def _address(place: str, fields: dict[str, str], cursor: str | None = None) -> str:
    more = {**fields, **({"cursor": cursor} if cursor else {})}
    return f"{place}?{urlencode(more)}" if more else place
