"""Schedules over HTTP: made, found, replaced, removed; each change is a row and a word to its clock."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Header, Query, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from api.audit import record
from api.auth import Principal, needs
from api.etags import IfMatch, check, etag
from api.notification_models import IdempotencyKey
from api.openapi import problem_responses
from api.paging import PagingOf
from api.problem_types import Kind
from api.problems import Problem, invalid, not_found
from api.routing import noun_router
from api.schedule_action_models import flows_of
from api.schedule_models import (
    ScheduleBody,
    ScheduleDetail,
    ScheduleId,
    SchedulePage,
    SpecBody,
    shown,
    shown_in_full,
)
from api.scopes import Scope
from api.services import Services, ServicesOf
from db import calendars, flows, schedules
from db.schedules import NewSchedule, ScheduleFilter, StoredSchedule
from domain import keys
from domain.faults import Fault
from domain.schedules import ScheduleStatus, calendars_of, instants, spec_of

router = noun_router("/v1/schedules", "Schedules")

Reader = Annotated[Principal, needs(Scope.SCHEDULES_READ)]
Writer = Annotated[Principal, needs(Scope.SCHEDULES_WRITE)]
CreateKey = Annotated[
    IdempotencyKey | None,
    Header(alias="Idempotency-Key", description="Names this request for ever; repeated, it gets the first answer."),
]
_REPEATED: dict[int | str, dict[str, Any]] = {
    200: {"description": "It was made by this key before.", "model": ScheduleDetail}
}


@router.post(
    "",
    status_code=201,
    summary="Make a schedule",
    responses={**_REPEATED, **problem_responses(Kind.ALREADY_EXISTS, Kind.IDEMPOTENCY_MISMATCH)},
)
async def create_schedule(
    body: ScheduleBody,
    principal: Writer,
    services: ServicesOf,
    response: Response,
    idempotency_key: CreateKey = None,
) -> ScheduleDetail:
    """Makes a schedule that is active at once; its name is taken by no other."""
    tenant_id, new = principal.tenant_id, body.new()
    digest = keys.request_hash(body.model_dump(mode="json", exclude_none=True)) if idempotency_key else None
    async with services.database.tenant(tenant_id) as connection:
        known, made = await _repeated(connection, tenant_id, idempotency_key, digest), None
        if known is None:
            days = await days_of(connection, tenant_id, body.spec, hold=True)
            await _check(connection, services, tenant_id, body, days)
            made = await schedules.create(
                connection, tenant_id, new, idempotency_key=idempotency_key, request_hash=digest
            )
            known = made or await _repeated(connection, tenant_id, idempotency_key, digest)
        if known is None:
            raise _taken(new.name)
        if made is not None:
            await record(connection, principal, "schedule.created", made.id, name=made.name)
    response.status_code = 201 if made else 200
    response.headers["Location"] = f"/v1/schedules/{known.id}"
    return _answer(services, response, known)


@router.get("", summary="List schedules")
async def list_schedules(
    principal: Reader,
    services: ServicesOf,
    paging: PagingOf,
    *,
    name: Annotated[str | None, Query(max_length=128)] = None,
    status: Annotated[Literal["active", "paused", "ended"] | None, Query()] = None,
    flow: Annotated[str | None, Query(max_length=128, description="Whose series they start.")] = None,
) -> SchedulePage:
    """Returns schedules, the newest first, each with when it runs next."""
    wanted = ScheduleFilter(name=name, status=status, flow=flow)
    async with services.database.tenant(principal.tenant_id) as connection:
        rows = await schedules.page(
            connection, principal.tenant_id, wanted=wanted, limit=paging.fetch, before=paging.before
        )
    now = services.now()
    return paging.page(SchedulePage, rows, lambda row: shown(row, now))


@router.get("/{schedule_id}", summary="Read a schedule")
async def get_schedule(
    schedule_id: ScheduleId, principal: Reader, services: ServicesOf, response: Response
) -> ScheduleDetail:
    """Returns a schedule with the next five instants at which it runs."""
    async with services.database.tenant(principal.tenant_id) as connection:
        row = await found(connection, principal.tenant_id, schedule_id)
    response.headers["ETag"] = etag(row.updated_at)
    return shown_in_full(row, services.now())


@router.put(
    "/{schedule_id}",
    summary="Replace a schedule",
    responses=problem_responses(Kind.ALREADY_EXISTS, Kind.PRECONDITION_FAILED),
)
async def replace_schedule(
    schedule_id: ScheduleId,
    body: ScheduleBody,
    principal: Writer,
    services: ServicesOf,
    response: Response,
    if_match: IfMatch = None,
) -> ScheduleDetail:
    """Replaces what a schedule says; a paused one stays paused, an ended one goes on. A run under way is not changed.

    A spec that differs counts from now: what the former one had due before is not made up for.
    """
    tenant_id, new = principal.tenant_id, body.new()
    async with services.database.tenant(tenant_id) as connection:
        days = await days_of(connection, tenant_id, body.spec, hold=True)  # before its lock, as whoever changes them
        row = await found(connection, tenant_id, schedule_id, lock=True)
        check(if_match, row.updated_at)
        if not _says(row, new):
            await _check(connection, services, tenant_id, body, days)
            row = await _replace(connection, services, row, new)
            await record(connection, principal, "schedule.replaced", row.id, name=row.name)
    return _answer(services, response, row)


@router.delete(
    "/{schedule_id}",
    status_code=204,
    summary="Delete a schedule",
    responses=problem_responses(Kind.PRECONDITION_FAILED),
)
async def delete_schedule(
    schedule_id: ScheduleId, principal: Writer, services: ServicesOf, if_match: IfMatch = None
) -> None:
    """Removes a schedule with what it told of its runs; series that it started go on."""
    async with services.database.tenant(principal.tenant_id) as connection:
        row = await found(connection, principal.tenant_id, schedule_id, lock=True)
        check(if_match, row.updated_at)
        await schedules.remove(connection, row)
        await record(connection, principal, "schedule.deleted", row.id, name=row.name)
    services.wake()


async def found(
    connection: AsyncConnection, tenant_id: UUID, schedule_id: UUID, *, lock: bool = False
) -> StoredSchedule:
    """Returns a schedule, or raises that there is none."""
    row = await schedules.get(connection, tenant_id, schedule_id, lock=lock)
    if row is None:
        raise not_found("schedule")
    return row


async def days_of(
    connection: AsyncConnection, tenant_id: UUID, spec: SpecBody, *, hold: bool = False
) -> Mapping[str, Sequence[str]]:
    """Returns the days of the calendars that a spec names, or raises that one is not there; `hold` keeps them there."""
    names = calendars_of(spec.document())
    found = await calendars.days(connection, tenant_id, names, hold=hold)
    if missing := [(place, name) for place, name in enumerate(names) if name not in found]:
        faults = [
            Fault(pointer=f"/spec/except/calendars/{place}", message=f"there is no calendar {name!r}; put it first")
            for place, name in missing
        ]
        raise invalid(*faults)
    return found


async def _repeated(
    connection: AsyncConnection, tenant_id: UUID, idempotency_key: str | None, digest: bytes | None
) -> StoredSchedule | None:
    if idempotency_key is None:
        return None
    former = await schedules.by_idempotency_key(connection, tenant_id, idempotency_key)
    if former is not None and former.request_hash != digest:
        raise Problem(Kind.IDEMPOTENCY_MISMATCH, "This key was used for another schedule; use a new key.")
    return former


async def _check(
    connection: AsyncConnection,
    services: Services,
    tenant_id: UUID,
    body: ScheduleBody,
    days: Mapping[str, Sequence[str]],
) -> None:
    """Raises where nothing would ever run, or a flow does not exist."""
    faults = []
    if next(instants(spec_of(body.spec.document(), days), services.now()), None) is None:
        message = "this lies in the past" if body.spec.at else "nothing is ever due by this"
        faults.append(Fault(pointer="/spec/at" if body.spec.at else "/spec", message=message))
    for pointer, name in flows_of(body.action):
        if await flows.get(connection, tenant_id, name) is None:
            faults.append(Fault(pointer=pointer, message=f"there is no flow {name!r}; push it first"))
    if faults:
        raise invalid(*faults)


async def _replace(
    connection: AsyncConnection, services: Services, row: StoredSchedule, new: NewSchedule
) -> StoredSchedule:
    other = await schedules.by_name(connection, row.tenant_id, new.name)
    if other is not None and other.id != row.id:
        raise _taken(new.name)
    values = {name: getattr(new, name) for name in NewSchedule.__dataclass_fields__}
    if row.status == ScheduleStatus.ENDED:
        values["status"] = ScheduleStatus.ACTIVE.value
    if row.spec != new.spec or row.status == ScheduleStatus.ENDED:
        values["counts_from"] = services.now()
    return await schedules.change(connection, row, **values)


def _says(row: StoredSchedule, new: NewSchedule) -> bool:
    same = all(getattr(row, name) == getattr(new, name) for name in NewSchedule.__dataclass_fields__)
    return same and row.status != ScheduleStatus.ENDED


def _taken(name: str) -> Problem:
    return Problem(Kind.ALREADY_EXISTS, f"A schedule called {name!r} exists; change it, or choose another name.")


def _answer(services: Services, response: Response, row: StoredSchedule) -> ScheduleDetail:
    services.wake()
    response.headers["ETag"] = etag(row.updated_at)
    return shown_in_full(row, services.now())
