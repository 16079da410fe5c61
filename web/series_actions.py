"""What one can do about a series: each after a question that asks why, done as the API does it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Form, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData

from activities.programs import Programs
from activities.series_facts import state_of_series
from activities.series_starting import missing_anchors
from api.etags import etag
from api.problem_types import Kind as ProblemKind
from api.problems import Problem, invalid
from api.scopes import Scope
from api.series import found
from api.series_models import SeriesChange, SeriesId, SeriesStop, SeriesWhy, StepAgain, shown
from api.series_steering import (
    change_series,
    pause_series,
    resume_series,
    run_step_again,
    skip_step,
    stop_series,
)
from api.services import Services, ServicesOf
from domain.calendar import at_local, zone_of
from domain.faults import Fault
from web.rendering import by_clock, render
from web.routing import page_router
from web.series_pages import series_url
from web.session import Session, signed_in

router = page_router("/series/{series_id}")

Writer = Annotated[Session, signed_in(Scope.SERIES_WRITE)]
Why = Annotated[str, Form(min_length=1, max_length=200, pattern=r"\S")]
Seen = Annotated[str, Form(min_length=1, max_length=40)]
_SEE_OTHER = 303
_CONFLICT = 409
_PROGRAMS = Programs()


class Kind(StrEnum):
    """What is done to a series."""

    PAUSE = "pause"
    RESUME = "resume"
    SKIP = "skip"
    RUN_AGAIN = "run-again"
    MOVE = "move"
    STOP = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a question about a series shows.

    Attributes:
        seen: The version of the series that it shows.
        zone: Whose clock counts.
        steps: The steps that it can be put to.
        dates: Its dates as local times; empty for one that it lacks.
    """

    seen: str
    zone: str
    steps: list[str]
    dates: Mapping[str, str]


@router.get("/{kind}")
async def ask(request: Request, series_id: SeriesId, kind: Kind, session: Writer, services: ServicesOf) -> Response:
    """Asks whether it is really to be done, and why."""
    session.principal.demand(Scope.SERIES_READ)
    return await _question(request, services, session, series_id, kind)


@router.post("/pause")
async def pause(series_id: SeriesId, session: Writer, services: ServicesOf, reason: Why) -> Response:
    """Lets it do nothing until it is resumed."""
    await pause_series(series_id, session.principal, services, SeriesWhy(reason=reason))
    return _back(series_id, Kind.PAUSE)


@router.post("/resume")
async def resume(series_id: SeriesId, session: Writer, services: ServicesOf, reason: Why) -> Response:
    """Lets it go on."""
    await resume_series(series_id, session.principal, services, SeriesWhy(reason=reason))
    return _back(series_id, Kind.RESUME)


@router.post("/skip")
async def skip(
    request: Request, series_id: SeriesId, session: Writer, services: ServicesOf, reason: Why, seen: Seen
) -> Response:
    """Leaves out what it stands at, or asks again where it has moved on since it was shown."""
    try:
        await skip_step(series_id, session.principal, services, SeriesWhy(reason=reason), seen)
    except Problem as problem:
        return await _again(problem, request, services, session, series_id, Kind.SKIP)
    return _back(series_id, Kind.SKIP)


@router.post("/run-again")
async def run_again(
    request: Request,
    series_id: SeriesId,
    session: Writer,
    services: ServicesOf,
    reason: Why,
    step: Annotated[str, Form(min_length=1, max_length=64)],
    seen: Seen,
) -> Response:
    """Puts it to a step, or asks again where it has moved on since it was shown."""
    body = StepAgain(step=step, reason=reason)
    try:
        await run_step_again(series_id, body, session.principal, services, seen)
    except Problem as problem:
        return await _again(problem, request, services, session, series_id, Kind.RUN_AGAIN)
    return _back(series_id, Kind.RUN_AGAIN)


@router.post("/move")
async def move(request: Request, series_id: SeriesId, session: Writer, services: ServicesOf, reason: Why) -> Response:
    """Moves the dates that were changed in the form, which shows them as the recipient's clock does."""
    zone = await _zone(services, session, series_id)
    moved = _moved(await request.form(), zone)
    if not moved:
        raise invalid(Fault(pointer="/anchors", message="no date was changed in the form, so nothing was moved"))
    await change_series(series_id, SeriesChange(anchors=moved, reason=reason), session.principal, services)
    return _back(series_id, Kind.MOVE)


@router.post("/stop")
async def stop(series_id: SeriesId, session: Writer, services: ServicesOf, reason: Why) -> Response:
    """Stops it for good, and leads to the page that says what was achieved."""
    fact = await stop_series(series_id, session.principal, services, SeriesStop(reason=reason))
    return _back(series_id, fact.result, under_way=fact.under_way[:10])


async def _question(
    request: Request, services: Services, session: Session, series_id: UUID, kind: Kind, *, changed: bool = False
) -> Response:
    tenant_id = session.principal.tenant_id
    async with services.database.tenant(tenant_id) as connection:
        row = await found(connection, tenant_id, series_id)
        program = await _PROGRAMS.get(connection, tenant_id, row.flow_version_id)
        state = await state_of_series(connection, tenant_id, row, program.flow)
    known: Mapping[str, str] = {**dict.fromkeys(missing_anchors(program.flow, row.anchors), ""), **row.anchors}
    standing = Standing(
        seen=etag(row.updated_at),
        zone=state.zone,
        steps=list(program.places),
        dates={name: _local(text, state.zone) for name, text in known.items()},
    )
    return render(
        request,
        "series_question.html",
        status=_CONFLICT if changed else 200,
        one=shown(row),
        kind=kind.value,
        standing=standing,
        changed=changed,
    )


async def _again(
    problem: Problem, request: Request, services: Services, session: Session, series_id: UUID, kind: Kind
) -> Response:
    """Returns the question once more where the series is not what the form showed; raises every other problem."""
    if problem.kind is not ProblemKind.PRECONDITION_FAILED:
        raise problem
    session.principal.demand(Scope.SERIES_READ)
    return await _question(request, services, session, series_id, kind, changed=True)


def _back(series_id: UUID, outcome: str, **more: Any) -> Response:
    query = urlencode({"outcome": outcome, **more}, doseq=True)
    return RedirectResponse(f"{series_url(series_id)}?{query}", _SEE_OTHER)


async def _zone(services: Services, session: Session, series_id: UUID) -> str:
    tenant_id = session.principal.tenant_id
    async with services.database.tenant(tenant_id) as connection:
        row = await found(connection, tenant_id, series_id)
        program = await _PROGRAMS.get(connection, tenant_id, row.flow_version_id)
        return (await state_of_series(connection, tenant_id, row, program.flow)).zone


def _moved(form: FormData, zone: str) -> dict[str, datetime]:
    """Returns the dates that differ from what the form showed; another's change meanwhile is not undone."""
    moved, faults = dict[str, datetime](), list[Fault]()
    for field, value in form.items():
        prefix, _, name = field.partition(".")
        if prefix != "date" or not isinstance(value, str) or not value:
            continue
        try:
            local = datetime.fromisoformat(value)
            if local == _parsed(form.get(f"was.{name}")):
                continue
            moved[name] = local.astimezone(UTC) if local.tzinfo else at_local(local.date(), local.time(), zone_of(zone))
        except (ValueError, OverflowError):
            faults.append(Fault(pointer=f"/anchors/{name}", message="write a date with a time of day"))
    if faults:
        raise invalid(*faults)
    return moved


def _parsed(shown: object) -> datetime | None:
    """Returns the local time that a field showed: browsers write the same one without its seconds where they are 0."""
    return datetime.fromisoformat(shown) if isinstance(shown, str) and shown else None


def _local(text: str, zone: str) -> str:
    """Returns an instant as a field of a form takes it, by the clock of a zone."""
    if not text:
        return ""
    shown, _ = by_clock(datetime.fromisoformat(text), zone)
    return shown.replace(tzinfo=None).isoformat(timespec="seconds")
