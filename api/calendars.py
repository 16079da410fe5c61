"""Calendars over HTTP: days off that the quiet hours and waits of flows ask, and schedules."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Path, Response
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.schedule_calendars import turn
from api.audit import record, record_all
from api.auth import Principal, needs
from api.etags import IfMatch, IfNoneMatch, check, check_absent, etag
from api.flow_days import MOST_DAYS, Day
from api.flow_words import CALENDAR_NAME
from api.models import Body, Shown
from api.openapi import problem_responses
from api.paging import Page, PagingOf
from api.problem_types import Kind
from api.problems import Problem, not_found
from api.routing import noun_router
from api.scopes import Scope
from api.services import Services, ServicesOf
from db import calendars, outbox, schedules, series_hearing, series_parked
from db.calendars import StoredCalendar
from db.errors import DatabaseError, is_rolled_back
from db.series_hearing import woken
from domain.holidays import missing
from domain.notifications import LANES, Lane
from domain.schedules import ScheduleStatus

router = noun_router("/v1/calendars", "Flows")

Reader = Annotated[Principal, needs(Scope.FLOWS_READ)]
Writer = Annotated[Principal, needs(Scope.FLOWS_WRITE)]
Name = Annotated[
    str,
    Path(description="The calendar, as flows name it.", pattern=CALENDAR_NAME, max_length=64, examples=["india"]),
]


class CalendarBody(Body):
    """All that a calendar says."""

    description: str = Field(default="", max_length=500)
    days: list[Day] = Field(
        max_length=MOST_DAYS,
        description="Days off: a date for one year, month and day for every year.",
        examples=[["2026-11-08", "08-15"]],
    )


class Calendar(Shown):
    """A calendar, its days in order: those of every year first."""

    id: UUID
    name: str
    description: str
    days: list[str]
    created_at: datetime
    updated_at: datetime


class CalendarPage(Page[Calendar]):
    """A page of calendars."""


@router.put(
    "/{name}",
    summary="Create or replace a calendar",
    responses={
        200: {"description": "The calendar, replaced."},
        201: {"description": "The calendar, created.", "model": Calendar},
        **problem_responses(Kind.PRECONDITION_FAILED),
    },
)
async def put_calendar(
    name: Name,
    body: CalendarBody,
    principal: Writer,
    services: ServicesOf,
    response: Response,
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> Calendar:
    """Creates the calendar or replaces its days; series that run and clocks of schedules look at them at once.

    Series that are parked because it was not there go on.
    """
    conditions = if_match, if_none_match
    try:
        row, is_new = await _put(name, body, principal, services, conditions)
    except DatabaseError as error:
        if not is_rolled_back(error):
            raise
        row, is_new = await _put(name, body, principal, services, conditions)  # somebody locked series the other way
    services.wake()
    if is_new:
        response.status_code = 201
        response.headers["Location"] = f"/v1/calendars/{name}"
    response.headers["ETag"] = etag(row.updated_at)
    return Calendar.model_validate(row)


@router.get("", summary="List calendars")
async def list_calendars(principal: Reader, services: ServicesOf, paging: PagingOf) -> CalendarPage:
    """Returns calendars, the newest first."""
    async with services.database.tenant(principal.tenant_id) as connection:
        rows = await calendars.page(connection, principal.tenant_id, limit=paging.fetch, before=paging.before)
    return paging.page(CalendarPage, rows, Calendar.model_validate)


@router.get("/{name}", summary="Read a calendar")
async def get_calendar(name: Name, principal: Reader, services: ServicesOf, response: Response) -> Calendar:
    """Returns a calendar."""
    row = await _existing(services, principal, name)
    response.headers["ETag"] = etag(row.updated_at)
    return Calendar.model_validate(row)


@router.delete(
    "/{name}",
    status_code=204,
    summary="Delete a calendar",
    responses=problem_responses(Kind.WRONG_STATE, Kind.PRECONDITION_FAILED),
)
async def delete_calendar(name: Name, principal: Writer, services: ServicesOf, if_match: IfMatch = None) -> None:
    """Removes a calendar that no published flow, no running series and no schedule asks."""
    async with services.database.tenant(principal.tenant_id) as connection:
        row = await calendars.get(connection, principal.tenant_id, name, lock=True)
        if row is None:
            raise not_found("calendar")
        check(if_match, row.updated_at)
        await _demand_unused(connection, principal.tenant_id, name)
        await calendars.remove(connection, principal.tenant_id, row.id)
        await record(connection, principal, "calendar.deleted", name)


async def _put(
    name: str, body: CalendarBody, principal: Principal, services: Services, conditions: tuple[str | None, str | None]
) -> tuple[StoredCalendar, bool]:
    """Returns the calendar as it is put, in one transaction, and whether it is new."""
    tenant_id, now = principal.tenant_id, services.now()
    days = sorted(set(body.days), key=lambda day: (len(day), day))
    async with services.database.tenant(tenant_id) as connection:
        await calendars.lock_name(connection, tenant_id, name)
        before = await calendars.get(connection, tenant_id, name, lock=True)
        check(conditions[0], before.updated_at if before else None)
        check_absent(conditions[1], before.updated_at if before else None)
        if before is not None and (before.description, list(before.days)) == (body.description, days):
            row, is_new = before, False
        else:
            asking = await schedules.asking(connection, tenant_id, name, lock=True)
            row, is_new = await calendars.put(connection, tenant_id, name, description=body.description, days=days)
            facts = {"schedules": await turn(connection, asking, now)}
            await record(connection, principal, "calendar.created" if is_new else "calendar.replaced", name, **facts)
            await _wake(connection, row, tenant_id)
        await _resume(connection, principal, row, now)
    return row, is_new


async def _wake(connection: AsyncConnection, row: StoredCalendar, tenant_id: UUID) -> None:
    """Lets the series that run by flows that ask a calendar look again."""
    for flow_id in await calendars.users(connection, tenant_id, row.name):
        await series_hearing.wake_all(connection, tenant_id, flow_id, cause=_cause(row), lane=LANES[Lane.BULK])


async def _resume(connection: AsyncConnection, principal: Principal, row: StoredCalendar, now: datetime) -> None:
    """Lets series go on that are parked for want of a calendar, on record as what its putter did."""
    told = {"from": "parked", "reason": f"the calendar {row.name!r} is there"}
    resumed = await series_parked.go_on(
        connection,
        principal.tenant_id,
        reason="calendar_missing",
        detail=missing(row.name),
        told={**told, "by": principal.actor},
        at=now,
    )
    await record_all(connection, principal, "series.resumed", resumed, **told)
    signals = [woken(series_id, _cause(row)) for series_id in resumed]
    await outbox.add_signals(connection, principal.tenant_id, signals, lane=LANES[Lane.BULK])


def _cause(row: StoredCalendar) -> str:
    return f"calendar/{row.id}/{row.updated_at.timestamp()}"


async def _demand_unused(connection: AsyncConnection, tenant_id: UUID, name: str) -> None:
    """Raises that a calendar is asked, and by whom."""
    rows = await schedules.asking(connection, tenant_id, name)
    used = {
        "Flows": list((await calendars.users(connection, tenant_id, name)).values()),
        "Schedules": [row.name for row in rows if row.status != ScheduleStatus.ENDED],
    }
    for what, names in used.items():
        if names:
            named = ", ".join(names[:5])
            raise Problem(Kind.WRONG_STATE, f"{what} ask this calendar ({named}); let them ask another one first.")


async def _existing(services: Services, principal: Principal, name: str) -> StoredCalendar:
    async with services.database.tenant(principal.tenant_id) as connection:
        row = await calendars.get(connection, principal.tenant_id, name)
    if row is None:
        raise not_found("calendar")
    return row
