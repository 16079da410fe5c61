"""Steering schedules over HTTP: paused, resumed, run at once; what their runs did, and what one would do."""

import asyncio
from typing import Annotated
from uuid import UUID

from fastapi import Query, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.event_taking import NotMeant
from activities.schedule_selecting import Picked, Selecting
from api.audit import record
from api.auth import Principal
from api.etags import etag
from api.openapi import problem_responses
from api.paging import PagingOf
from api.problem_types import Kind
from api.problems import Problem
from api.routing import noun_router
from api.schedule_models import (
    RunPage,
    RunShown,
    RunStatus,
    ScheduleDetail,
    ScheduleId,
    SchedulePreview,
    SchedulePreviewBody,
    Selected,
    Selection,
    ahead,
    run_shown,
    shown_in_full,
)
from api.schedules import CreateKey, Reader, Writer, days_of, found
from api.services import Services, ServicesOf
from db import outbox, schedule_runs, schedules
from db.schedules import StoredSchedule
from domain import keys
from domain.calendar import zone_of
from domain.notifications import LANES, Lane
from domain.schedule_actions import StartEach, action_of
from domain.schedules import ScheduleStatus, spec_of

router = noun_router("/v1/schedules", "Schedules")

_PREVIEWED = 10
_LOOKED_AT = 5_000
_AT_ONCE = 500
_SHOWN = 5


@router.post("/preview", summary="Preview a schedule")
async def preview_schedule(body: SchedulePreviewBody, principal: Reader, services: ServicesOf) -> SchedulePreview:
    """Returns the next ten instants of a spec, and what a query would select now; nothing is changed."""
    now = services.now()
    async with services.database.tenant(principal.tenant_id) as connection:
        days = await days_of(connection, principal.tenant_id, body.spec)
    spec = spec_of(body.spec.document(), days)
    action = action_of(body.action.model_dump(mode="json", exclude_none=True)) if body.action else None
    selected = None
    if isinstance(action, StartEach):
        about = {
            "name": "preview",
            "scheduled_at": now.isoformat(),
            "date": now.astimezone(zone_of(spec.zone)).date().isoformat(),
        }
        chosen = Selecting(action=action, at=now, zone=spec.zone, about=about, until=now)
        async with services.database.snapshot(principal.tenant_id) as connection:
            selected = await _selection(connection, principal.tenant_id, chosen)
    due = await asyncio.to_thread(ahead, spec, now, _PREVIEWED)
    return SchedulePreview(next=list(due), selected=selected)


@router.post("/{schedule_id}/pause", summary="Pause a schedule", responses=problem_responses(Kind.WRONG_STATE))
async def pause_schedule(
    schedule_id: ScheduleId, principal: Writer, services: ServicesOf, response: Response
) -> ScheduleDetail:
    """Lets no run begin until it is resumed, effective when this answers; a run under way is finished."""
    return await _turn(services, principal, schedule_id, ScheduleStatus.PAUSED, response)


@router.post("/{schedule_id}/resume", summary="Resume a schedule", responses=problem_responses(Kind.WRONG_STATE))
async def resume_schedule(
    schedule_id: ScheduleId, principal: Writer, services: ServicesOf, response: Response
) -> ScheduleDetail:
    """Lets it run again from now on; what was due meanwhile is not made up for."""
    return await _turn(services, principal, schedule_id, ScheduleStatus.ACTIVE, response)


@router.post(
    "/{schedule_id}/trigger",
    status_code=202,
    summary="Run a schedule now",
    responses={200: {"description": "This key triggered it before.", "model": RunShown}},
)
async def trigger_schedule(
    schedule_id: ScheduleId,
    principal: Writer,
    services: ServicesOf,
    response: Response,
    idempotency_key: CreateKey = None,
) -> RunShown:
    """Makes a run of its own now, also of a paused schedule, beside others; once for each key."""
    tenant_id = principal.tenant_id
    async with services.database.tenant(tenant_id) as connection:
        row = await found(connection, tenant_id, schedule_id, lock=True)
        run, is_new = await schedule_runs.trigger(connection, tenant_id, row.id, services.now(), idempotency_key)
        if is_new:
            order = {"tenant_id": str(tenant_id), "schedule_id": str(row.id), "run_id": str(run.id)}
            payload = {"workflow": "schedule", "input": order, "summary": f"{row.name}, triggered"}
            name = keys.schedule_run_workflow(str(run.id))
            await outbox.add_starts(connection, tenant_id, [(name, LANES[Lane.TRANSACTIONAL], payload)])
            await record(connection, principal, "schedule.triggered", row.id, name=row.name, run=str(run.id))
    services.wake()
    response.status_code = 202 if is_new else 200
    return run_shown(run)


@router.get("/{schedule_id}/runs", summary="List a schedule's runs")
async def list_schedule_runs(
    schedule_id: ScheduleId,
    principal: Reader,
    services: ServicesOf,
    paging: PagingOf,
    *,
    status: Annotated[RunStatus | None, Query()] = None,
) -> RunPage:
    """Returns the runs of a schedule, the latest instant first, also those that were missed and why."""
    tenant_id = principal.tenant_id
    async with services.database.tenant(tenant_id) as connection:
        row = await found(connection, tenant_id, schedule_id)
        runs = await schedule_runs.page(
            connection, tenant_id, row.id, status=status, limit=paging.fetch, before=paging.before
        )
    return paging.page(RunPage, runs, run_shown)


async def _turn(
    services: Services, principal: Principal, schedule_id: UUID, status: ScheduleStatus, response: Response
) -> ScheduleDetail:
    """Pauses or resumes; what stands so already stays as it is."""
    async with services.database.tenant(principal.tenant_id) as connection:
        row = await found(connection, principal.tenant_id, schedule_id, lock=True)
        if row.status == ScheduleStatus.ENDED:
            detail = "The schedule has ended; replace its spec by one that has runs to come."
            raise Problem(Kind.WRONG_STATE, detail, state=row.status)
        if row.status != status:
            row = await _turned(connection, services, row, status)
            action = "paused" if status is ScheduleStatus.PAUSED else "resumed"
            await record(connection, principal, f"schedule.{action}", row.id, name=row.name)
    services.wake()
    response.headers["ETag"] = etag(row.updated_at)
    return shown_in_full(row, services.now())


async def _turned(
    connection: AsyncConnection, services: Services, row: StoredSchedule, status: ScheduleStatus
) -> StoredSchedule:
    since = {"counts_from": services.now()} if status is ScheduleStatus.ACTIVE else {}
    return await schedules.change(connection, row, status=status.value, **since)


async def _selection(connection: AsyncConnection, tenant_id: UUID, chosen: Selecting) -> Selection:
    count, first, looked_at, after = 0, list[Selected](), 0, None
    while looked_at < _LOOKED_AT:
        rows = await chosen.rows(connection, tenant_id, after=after, limit=_AT_ONCE)
        meant = [one for one in rows if one.is_meant]
        count += len(meant)
        first += [_selected(chosen, one) for one in meant[: _SHOWN - len(first)]]
        if len(rows) < _AT_ONCE:
            return Selection(count=count, is_complete=True, first=first)
        looked_at, after = looked_at + len(rows), rows[-1].id
    return Selection(count=count, is_complete=False, first=first)


def _selected(chosen: Selecting, picked: Picked) -> Selected:
    refusal = picked.error
    if refusal is None:
        try:
            wanted = chosen.wanted(picked)
            return Selected(item=picked.name, key=wanted.key, to=wanted.to, detail=None)
        except NotMeant as error:
            refusal = str(error)
    return Selected(item=picked.name, key=None, to=None, detail=refusal)
