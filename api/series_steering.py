"""Steering a series over HTTP: stopped, paused, moved to other dates, past a step, or back to one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import uuid_utils.compat
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.programs import Programs
from activities.series_facts import state_of_series
from activities.series_starting import PATIENCE, missing_anchors, stop_locked, wakes_at
from api.acceptance import within_patience
from api.audit import record
from api.auth import Principal
from api.etags import IfMatch, check
from api.flow_store import existing
from api.openapi import problem_responses
from api.problem_types import Kind
from api.problems import Problem, invalid
from api.routing import noun_router
from api.series import Writer, found
from api.series_models import (
    KeyStop,
    SeriesChange,
    SeriesDetail,
    SeriesId,
    SeriesStop,
    SeriesWhy,
    StepAgain,
    Stopped,
    shown_in_full,
)
from api.series_stopping import stopped
from api.services import Services, ServicesOf
from db import flows, outbox, series
from db.flow_json import state_document
from db.series import Entry, Series
from db.series_hearing import woken
from domain.faults import Fault
from domain.flow_program import Program
from domain.flow_state import SeriesState
from domain.flow_steering import NoSuchStepError, again, skipped
from domain.series import SeriesStatus

router = noun_router("/v1/series", "Series")

_PROGRAMS = Programs()
_REFUSED = problem_responses(Kind.WRONG_STATE)
_REFUSED_IF_CHANGED = problem_responses(Kind.WRONG_STATE, Kind.PRECONDITION_FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hold:
    """A locked series that is not over, within its transaction."""

    connection: AsyncConnection
    principal: Principal
    row: Series
    now: datetime

    async def change(self, kind: str, told: dict[str, Any], **values: Any) -> None:
        """Changes it, writes that down for its readers and for the audit trail, and wakes it."""
        row, tenant_id = self.row, self.principal.tenant_id
        entry = Entry(kind=kind, at=self.now, step=row.step, detail={**told, "by": self.principal.actor})
        entries = await series.note(self.connection, tenant_id, row.id, row.entries, [entry])
        await series.change(self.connection, tenant_id, row.id, entries=entries, **values)
        await record(self.connection, self.principal, f"series.{kind}", row.id, **told)
        cause = f"{kind}/{uuid_utils.compat.uuid7()}"
        await outbox.add_signals(self.connection, tenant_id, [woken(row.id, cause)])

    async def program(self) -> Program:
        """Returns what it runs by."""
        return await _PROGRAMS.get(self.connection, self.principal.tenant_id, self.row.flow_version_id)

    async def stands(self, kind: str, detail: dict[str, Any], state: SeriesState) -> None:
        """Lets it stand elsewhere, and go on if it was parked."""
        program = await self.program()
        goes_on = {"status": "running", "reason": None, "detail": None} if self.row.status == "parked" else {}
        stands = {"state": state_document(state), "place": state.place, "step": program.next_step(state.place)}
        # Known at once: it may be paused, and hears meanwhile.
        wakes = wakes_at(program, state.place)
        await self.change(kind, detail, **stands, next_at=None, wakes=wakes, **goes_on)


@router.patch("/{series_id}", summary="Move a series' dates", responses=_REFUSED)
async def change_series(
    series_id: SeriesId, body: SeriesChange, principal: Writer, services: ServicesOf
) -> SeriesDetail:
    """Changes dates, which moves every wait that is still to come, and merges into the data."""
    async with _held(services, principal, series_id) as hold:
        asked_for = missing_anchors((await hold.program()).flow, hold.row.anchors)  # since another version, perhaps
        if strange := sorted(body.anchors.keys() - {*hold.row.anchors, *asked_for}):
            known = ", ".join(sorted({*hold.row.anchors, *asked_for})) or "none"
            message = f"the series has no date of this name; it has {known}"
            raise invalid(*(Fault(pointer=f"/anchors/{name}", message=message) for name in strange))
        moved = {name: moment.isoformat() for name, moment in body.anchors.items()}
        detail = {"anchors": moved, "data": sorted(body.data), **_why(body)}
        merged = {"anchors": {**hold.row.anchors, **moved}, "data": {**hold.row.data, **body.data}}
        await hold.change("changed", detail, **merged)
    return await _answer(services, principal, series_id)


@router.post("/{series_id}/stop", summary="Stop a series")
async def stop_series(
    series_id: SeriesId, principal: Writer, services: ServicesOf, body: SeriesStop | None = None
) -> Stopped:
    """Stops a series for good, with what it handed over and was not sent yet; the answer is the fact."""
    async with services.database.tenant(principal.tenant_id) as connection:
        row = await found(connection, principal.tenant_id, series_id)
        ran = await _stop(connection, principal, row, body.reason if body else None, services.now())
    return await stopped(services, principal, row, was_over=not ran)


@router.post(
    "/stop",
    summary="Stop the series of a key",
    responses=problem_responses(Kind.IDEMPOTENCY_IN_FLIGHT, Kind.NOT_FOUND),
)
async def stop_series_by_key(body: KeyStop, principal: Writer, services: ServicesOf) -> Stopped:
    """Stops the series of a key; where there is none yet, none begins with this key for a week."""
    tenant_id = principal.tenant_id
    async with within_patience(), services.database.tenant(tenant_id) as connection:
        flow = await existing(connection, tenant_id, body.flow)
        await series.lock_key(connection, tenant_id, flow.id, body.key, patience=PATIENCE)
        row = await series.latest_of_key(connection, tenant_id, flow.id, body.key)
        if row is None:
            await series.bury(connection, tenant_id, flow.id, body.key, body.reason)
            await record(connection, principal, "series.buried", body.key, flow=body.flow, reason=body.reason)
            return Stopped(result="stopped_before_start", id=None)
        ran = await _stop(connection, principal, row, body.reason, services.now())
    return await stopped(services, principal, row, was_over=not ran)


@router.post("/{series_id}/pause", summary="Pause a series", responses=_REFUSED)
async def pause_series(
    series_id: SeriesId, principal: Writer, services: ServicesOf, body: SeriesWhy | None = None
) -> SeriesDetail:
    """Lets a series do nothing until it is resumed; what it hears meanwhile counts afterwards."""
    async with _held(services, principal, series_id) as hold:
        if hold.row.status != SeriesStatus.PAUSED:
            await hold.change("paused", _why(body), status="paused", reason=None, detail=None)
    return await _answer(services, principal, series_id)


@router.post("/{series_id}/resume", summary="Resume a series", responses=_REFUSED)
async def resume_series(
    series_id: SeriesId, principal: Writer, services: ServicesOf, body: SeriesWhy | None = None
) -> SeriesDetail:
    """Lets a paused or parked series go on from where it stands; what was due meanwhile comes at once."""
    async with _held(services, principal, series_id) as hold:
        if hold.row.status != SeriesStatus.RUNNING:
            told = {"from": hold.row.status, **_why(body)}
            await hold.change("resumed", told, status="running", reason=None, detail=None)
    return await _answer(services, principal, series_id)


@router.post("/{series_id}/skip", summary="Skip what a series stands at", responses=_REFUSED_IF_CHANGED)
async def skip_step(
    series_id: SeriesId,
    principal: Writer,
    services: ServicesOf,
    body: SeriesWhy | None = None,
    if_match: IfMatch = None,
) -> SeriesDetail:
    """Leaves out the step that a series waits at or is parked at; a wait for something counts as timed out."""
    async with _held(services, principal, series_id, if_match) as hold:
        program = await hold.program()
        state = await state_of_series(hold.connection, principal.tenant_id, hold.row, program.flow)
        try:
            following = skipped(program, state, hold.now)
        except NoSuchStepError as error:
            raise Problem(Kind.WRONG_STATE, f"{str(error).capitalize()}.", state=hold.row.status) from error
        await hold.stands("skipped", {"step": hold.row.step, **_why(body)}, following)
    return await _answer(services, principal, series_id)


@router.post("/{series_id}/run-again", summary="Take a step again", responses=_REFUSED_IF_CHANGED)
async def run_step_again(
    series_id: SeriesId, body: StepAgain, principal: Writer, services: ServicesOf, if_match: IfMatch = None
) -> SeriesDetail:
    """Puts a series back, or forward, to a step: it is taken as if the series came there now."""
    async with _held(services, principal, series_id, if_match) as hold:
        program = await hold.program()
        state = await state_of_series(hold.connection, principal.tenant_id, hold.row, program.flow)
        try:
            following = again(program, state, body.step, hold.now)
        except NoSuchStepError as error:
            raise invalid(Fault(pointer="/step", message=str(error))) from error
        await hold.stands("taken_again", {"step": body.step, **_why(body)}, following)
    return await _answer(services, principal, series_id)


@asynccontextmanager
async def _held(
    services: Services, principal: Principal, series_id: Any, if_match: str | None = None
) -> AsyncIterator[_Hold]:
    """Yields a locked series, or raises that there is none, that it is over, or that it is not what was read."""
    async with services.database.tenant(principal.tenant_id) as connection:
        await flows.hold(connection, principal.tenant_id, series_id)  # before the series, as those who publish do
        row = await found(connection, principal.tenant_id, series_id, lock=True)
        if row.ended_at is not None:
            raise Problem(Kind.WRONG_STATE, f"The series is over ({row.reason}); start another one.", state=row.status)
        check(if_match, row.updated_at)
        yield _Hold(connection=connection, principal=principal, row=row, now=services.now())


async def _answer(services: Services, principal: Principal, series_id: Any) -> SeriesDetail:
    services.wake()
    async with services.database.tenant(principal.tenant_id) as connection:
        return shown_in_full(await found(connection, principal.tenant_id, series_id))


def _why(body: SeriesWhy | None) -> dict[str, str]:
    return {"reason": body.reason} if body is not None and body.reason is not None else {}


async def _stop(
    connection: AsyncConnection, principal: Principal, row: Series, reason: str | None, now: datetime
) -> bool:
    ran = await stop_locked(connection, principal.tenant_id, row.id, reason="stopped", detail=reason, now=now)
    if ran:
        await record(connection, principal, "series.stopped", row.id, flow=row.flow, key=row.key, reason=reason)
    return ran
