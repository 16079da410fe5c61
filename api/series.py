"""Series over HTTP: started, found, read with all that they decided, and what is still to come."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Depends, Header, Query, Response
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.event_taking import NotMeant, text_of
from activities.programs import Programs
from activities.series_facts import person, state_of_series
from activities.series_starting import PATIENCE, Begun, begin, catch_up, missing_anchors
from api.acceptance import within_patience
from api.auth import Principal, needs
from api.etags import etag
from api.flow_store import existing
from api.flows import PreviewEntry, bounded_judge, shown_entry
from api.models import Moment, Shown
from api.notification_models import IdempotencyKey, To
from api.openapi import problem_responses
from api.paging import PagingOf
from api.problem_types import Kind
from api.problems import Problem, invalid, not_found
from api.routing import noun_router
from api.scopes import Scope
from api.series_models import (
    SeriesBody,
    SeriesDetail,
    SeriesId,
    SeriesLine,
    SeriesLinePage,
    SeriesPage,
    SeriesStarted,
    shown,
    shown_in_full,
)
from api.series_stopping import cancel_messages
from api.services import ServicesOf
from db import flows, series, series_lists, series_steps
from db.flows import StoredFlow
from db.json import plain
from db.series import NewSeries, Series
from db.series_lists import SeriesFilter
from domain import keys
from domain.faults import Fault
from domain.flow_preview import simulate
from domain.flow_program import Program
from domain.flow_steps import Again

router = noun_router("/v1/series", "Series")

Reader = Annotated[Principal, needs(Scope.SERIES_READ)]
Writer = Annotated[Principal, needs(Scope.SERIES_WRITE)]
StartKey = Annotated[
    IdempotencyKey | None,
    Header(alias="Idempotency-Key", description="Names this start for ever; repeated, it gets the first answer."),
]
_PROGRAMS = Programs()
_ANY_FLOW = UUID(int=0)
"""Keys of requests are a tenant's, whatever their flow."""


class Upcoming(Shown):
    """What a series will do if nothing more is heard, by its flow, its dates and its data as they are now."""

    zone: str | None = Field(description="Whose clock counts; null when it is over.")
    entries: list[PreviewEntry]


async def _filter(
    *,
    flow: Annotated[str | None, Query(max_length=128)] = None,
    version: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    status: Annotated[Literal["running", "paused", "parked", "completed", "stopped"] | None, Query()] = None,
    step: Annotated[str | None, Query(max_length=64)] = None,
    key: Annotated[str | None, Query(max_length=255)] = None,
    to: Annotated[str | None, Query(max_length=320, description="A recipient's id, or an address.")] = None,
    resource_type: Annotated[str | None, Query(max_length=128)] = None,
    resource_id: Annotated[str | None, Query(max_length=256)] = None,
    cause: Annotated[str | None, Query(max_length=64, description="Why it is parked or ended.")] = None,
    next_before: Annotated[Moment | None, Query(description="Goes on by itself before this.")] = None,
) -> SeriesFilter:
    return SeriesFilter(
        flow=flow,
        version=version,
        status=status,
        step=step,
        key=key,
        to=to,
        resource_type=resource_type,
        resource_id=resource_id,
        cause=cause,
        next_before=next_before,
    )


@router.post(
    "",
    status_code=201,
    summary="Start a series",
    responses={
        200: {"description": "None was started; `result` says why.", "model": SeriesStarted},
        **problem_responses(
            Kind.UNKNOWN_RECIPIENT,
            Kind.NOT_FOUND,
            Kind.WRONG_STATE,
            Kind.IDEMPOTENCY_MISMATCH,
            Kind.IDEMPOTENCY_IN_FLIGHT,
        ),
    },
)
async def start_series(
    body: SeriesBody, principal: Writer, services: ServicesOf, response: Response, idempotency_key: StartKey = None
) -> SeriesStarted:
    """Starts a series of a flow's published version; of one key, one runs at a time."""
    tenant_id, now = principal.tenant_id, services.now()
    async with within_patience(), services.database.tenant(tenant_id) as connection:
        begun = await _repeated(connection, tenant_id, idempotency_key, body)
        await flows.share(connection, tenant_id, name=body.flow)
        flow = await existing(connection, tenant_id, body.flow)
        if begun is None:
            published = await _published(connection, tenant_id, flow)
            new = await _new(connection, tenant_id, published, body, idempotency_key)
            again = Again(body.again) if body.again else published.program.flow.again
            begun = await begin(connection, tenant_id, new, flow=published.program.flow, again=again, now=now)
            if begun.result == "started" and begun.series_id is not None and new.key is not None:
                await catch_up(connection, tenant_id, begun.series_id, flow.id, new.key)
    services.wake()
    if begun.replaced is not None:
        await cancel_messages(services, principal, begun.replaced)
    if begun.result == "started":
        response.headers["Location"] = f"/v1/series/{begun.series_id}"
    else:
        response.status_code = 200
    return SeriesStarted(result=begun.result, id=begun.series_id, replaced=begun.replaced)


@router.get("", summary="List series")
async def list_series(
    principal: Reader, services: ServicesOf, paging: PagingOf, wanted: Annotated[SeriesFilter, Depends(_filter)]
) -> SeriesPage:
    """Returns series, the newest first; each says where it stands and when it goes on."""
    async with services.database.tenant(principal.tenant_id) as connection:
        rows = await series_lists.page(
            connection, principal.tenant_id, wanted=wanted, limit=paging.fetch, before=paging.before
        )
    return paging.page(SeriesPage, rows, shown)


@router.get("/{series_id}", summary="Read a series")
async def get_series(series_id: SeriesId, principal: Reader, services: ServicesOf, response: Response) -> SeriesDetail:
    """Returns a series with its data, its dates and what came of its steps."""
    async with services.database.tenant(principal.tenant_id) as connection:
        row = await found(connection, principal.tenant_id, series_id)
    response.headers["ETag"] = etag(row.updated_at)
    return shown_in_full(row)


@router.get("/{series_id}/timeline", summary="Read what a series did")
async def get_series_timeline(
    series_id: SeriesId, principal: Reader, services: ServicesOf, paging: PagingOf
) -> SeriesLinePage:
    """Returns what a series did and decided, the newest first, with the conditions and what they saw."""
    async with services.database.tenant(principal.tenant_id) as connection:
        await found(connection, principal.tenant_id, series_id)
        rows = await series_lists.timeline(
            connection, principal.tenant_id, series_id, limit=paging.fetch, before=paging.before
        )
    return paging.page(SeriesLinePage, rows, SeriesLine.model_validate)


@router.get("/{series_id}/upcoming", summary="Read what a series will do")
async def get_series_upcoming(series_id: SeriesId, principal: Reader, services: ServicesOf) -> Upcoming:
    """Returns what is still to come if nothing more is heard; of a series that is over, nothing."""
    tenant_id = principal.tenant_id
    async with services.database.tenant(tenant_id) as connection:
        row = await found(connection, tenant_id, series_id)
        if row.ended_at is not None:
            return Upcoming(zone=None, entries=[])
        program = await _PROGRAMS.get(connection, tenant_id, row.flow_version_id)
        state = await state_of_series(connection, tenant_id, row, program.flow)
    entries = await asyncio.to_thread(simulate, program, state, bounded_judge(), begin=datetime.now(UTC))
    return Upcoming(zone=state.zone, entries=[shown_entry(entry) for entry in entries])


async def found(connection: AsyncConnection, tenant_id: UUID, series_id: UUID, *, lock: bool = False) -> Series:
    """Returns a series, or raises that there is none."""
    row = await series.get(connection, tenant_id, series_id, lock=lock)
    if row is None:
        raise not_found("series")
    return row


async def _repeated(
    connection: AsyncConnection, tenant_id: UUID, idempotency_key: str | None, body: SeriesBody
) -> Begun | None:
    if idempotency_key is None:
        return None
    await series.lock_key(connection, tenant_id, _ANY_FLOW, idempotency_key, patience=PATIENCE)
    former = await series.by_idempotency_key(connection, tenant_id, idempotency_key)
    if former is None:
        return None
    if former.request_hash != _hash(body):
        raise Problem(Kind.IDEMPOTENCY_MISMATCH, "This key was used for another start; use a new key.")
    return Begun(result="reused", series_id=former.id)


def _hash(body: SeriesBody) -> bytes:
    return keys.request_hash(body.model_dump(mode="json", exclude_defaults=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Published:
    """What new series of a flow run by."""

    flow_id: UUID
    version_id: UUID
    program: Program


async def _published(connection: AsyncConnection, tenant_id: UUID, flow: StoredFlow) -> _Published:
    """Returns what new series of a flow run by, or raises that none may begin now."""
    if flow.status != "active" or flow.published_number is None:
        hint = "activate it" if flow.status == "paused" else "publish a version"
        raise Problem(Kind.WRONG_STATE, f"The flow {flow.name!r} is {flow.status}; {hint} first.", state=flow.status)
    version = await flows.version(connection, tenant_id, flow.id, flow.published_number)
    assert version is not None  # noqa: S101 - what was published is there
    program = await _PROGRAMS.get(connection, tenant_id, version.id)
    return _Published(flow_id=flow.id, version_id=version.id, program=program)


async def _new(
    connection: AsyncConnection, tenant_id: UUID, published: _Published, body: SeriesBody, idempotency_key: str | None
) -> NewSeries:
    if missing := missing_anchors(published.program.flow, body.anchors):
        raise invalid(*(Fault(pointer=f"/anchors/{one}", message=f"the flow counts from {one!r}") for one in missing))
    to, kind, receiver = await _receiver(connection, tenant_id, body.to)
    facts = {"event": plain(body.event), "data": plain(body.data), "recipient": person(to, receiver and receiver[1])}
    return NewSeries(
        flow_id=published.flow_id,
        flow_version_id=published.version_id,
        key=body.key if body.key is not None else _key(published.program, facts),
        to=to,
        to_kind=kind,
        receiver_id=receiver[0] if receiver else None,
        zone=body.zone,
        anchors={name: moment.isoformat() for name, moment in body.anchors.items()},
        data=body.data,
        event=body.event,
        resource_type=body.resource.type if body.resource else None,
        resource_id=body.resource.id if body.resource else None,
        idempotency_key=idempotency_key,
        request_hash=_hash(body) if idempotency_key else None,
    )


async def _receiver(
    connection: AsyncConnection, tenant_id: UUID, to: To
) -> tuple[str, str, tuple[UUID, series_steps.Receiver] | None]:
    address = to.address()
    if address is not None:
        return address.value, address.kind.value, await series_steps.holder(connection, tenant_id, address)
    known = await series_steps.by_external_id(connection, tenant_id, to.recipient or "")
    if known is None:
        message = "there is no recipient with this id; create it first"
        raise Problem(
            Kind.UNKNOWN_RECIPIENT,
            f"{message.capitalize()}.",
            faults=[Fault(pointer="/to/recipient", message=message)],
        )
    return to.recipient or "", "recipient", known


def _key(program: Program, facts: dict[str, object]) -> str | None:
    if program.flow.key is None:
        return None
    try:
        return text_of(program.flow.key, {**facts, "series": {}, "outcomes": {}, "heard": []}, "key")[:255]
    except NotMeant as error:
        message = f"the flow makes its key itself: {error}; give `key`, or what it needs"
        raise invalid(Fault(pointer="/key", message=message)) from error
