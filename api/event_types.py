"""Event types over HTTP: what their data looks like, who listens to them, and how many came."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from api.audit import record
from api.auth import Principal, needs
from api.etags import IfMatch, IfNoneMatch, check, check_absent, etag
from api.event_type_models import EventTypeBody, EventTypeDetail, EventTypePage, EventTypeShown, TypeName, members
from api.openapi import problem_responses
from api.paging import PagingOf
from api.problem_types import Kind
from api.problems import invalid, not_found
from api.routing import noun_router
from api.scopes import Scope
from api.services import ServicesOf
from db import event_types, flows
from db.event_types import EventType, TypeFilter, TypeSettings
from db.flows import Listening
from domain.event_schemas import EventSchema, SchemaError
from domain.faults import Fault
from domain.flow_events import fits

router = noun_router("/v1/event-types", "Events")

Reader = Annotated[Principal, needs(Scope.FLOWS_READ)]
Writer = Annotated[Principal, needs(Scope.FLOWS_WRITE)]
Choice = Literal["true", "false"] | None


@router.put(
    "/{type}",
    summary="Describe an event type",
    responses={
        200: {"description": "The type, described anew."},
        201: {"description": "The type, described for the first time.", "model": EventTypeDetail},
        **problem_responses(Kind.PRECONDITION_FAILED),
    },
)
async def put_event_type(
    type: TypeName,  # noqa: A002 - its name on the wire
    body: EventTypeBody,
    principal: Writer,
    services: ServicesOf,
    response: Response,
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> EventTypeDetail:
    """Says what the data of a type's events looks like; it holds for every event that comes from now on."""
    said, tenant_id = body.settings(), principal.tenant_id
    if faults := await asyncio.to_thread(_faults, said):
        raise invalid(*faults)
    async with services.database.tenant(tenant_id) as connection:
        await event_types.lock(connection, tenant_id, type)
        before = await event_types.get(connection, tenant_id, type)
        known = before if before is not None and before.known else None
        check(if_match, known.updated_at if known else None)
        check_absent(if_none_match, known.updated_at if known else None)
        if known is None or not known.settings().is_alike(said):
            version = await event_types.put(connection, tenant_id, type, said)
            action = "event_type.replaced" if known else "event_type.created"
            detail = {"version": version, "mode": said.mode, "has_schema": said.schema is not None}
            await record(connection, principal, action, type, **detail)
        shown = await _detail(connection, tenant_id, type, response)
    if known is None:
        response.status_code = 201
        response.headers["Location"] = f"/v1/event-types/{type}"
    return shown


@router.get("", summary="List event types")
async def list_event_types(
    principal: Reader,
    services: ServicesOf,
    paging: PagingOf,
    *,
    known: Annotated[Choice, Query(description="`false` asks for those that nobody described.")] = None,
    prefix: Annotated[str | None, Query(max_length=200, description="What the type begins with.")] = None,
    faulty: Annotated[Choice, Query(description="`true` asks for those of which events did not fit.")] = None,
) -> EventTypePage:
    """Returns the types that were described or of which events came, those that were met last first."""
    wanted = TypeFilter(known=_truth(known), prefix=prefix, faulty=_truth(faulty))
    tenant_id = principal.tenant_id
    async with services.database.tenant(tenant_id) as connection:
        rows = await event_types.page(connection, tenant_id, wanted=wanted, limit=paging.fetch, before=paging.before)
        listening = await flows.listening(connection, tenant_id)
    return paging.page(
        EventTypePage, rows, lambda row: EventTypeShown.model_validate(members(row, _listeners(listening, row.type)))
    )


@router.get("/{type}", summary="Read an event type")
async def get_event_type(
    type: TypeName,  # noqa: A002 - its name on the wire
    principal: Reader,
    services: ServicesOf,
    response: Response,
) -> EventTypeDetail:
    """Returns what was said of a type, how many of its events came, and what was wrong with the last refused one."""
    async with services.database.tenant(principal.tenant_id) as connection:
        return await _detail(connection, principal.tenant_id, type, response)


@router.delete(
    "/{type}",
    status_code=204,
    summary="Take back what was said of an event type",
    responses=problem_responses(Kind.PRECONDITION_FAILED),
)
async def delete_event_type(
    type: TypeName,  # noqa: A002 - its name on the wire
    principal: Writer,
    services: ServicesOf,
    if_match: IfMatch = None,
) -> None:
    """Removes the schema and the words of a type; its events are taken as those of any type that nobody described."""
    tenant_id = principal.tenant_id
    async with services.database.tenant(tenant_id) as connection:
        await event_types.lock(connection, tenant_id, type)
        found = await event_types.get(connection, tenant_id, type)
        if found is None or not found.known:
            raise not_found("described event type")
        check(if_match, found.updated_at)
        await event_types.forget(connection, tenant_id, found)
        await record(connection, principal, "event_type.deleted", type, version=found.version)


def _faults(said: TypeSettings) -> Sequence[Fault]:
    """Returns what is wrong with a description: its schema, or examples that do not fit it."""
    if said.schema is None:
        return ()
    try:
        schema = EventSchema(said.schema)
    except SchemaError as error:
        return (error.fault.under("/schema"),)
    judged = ((f"/examples/{place}", schema.faults(data)) for place, data in enumerate(said.examples))
    return [fault.under(place) for place, faults in judged for fault in faults]


async def _detail(connection: AsyncConnection, tenant_id: UUID, type_: str, response: Response) -> EventTypeDetail:
    found: EventType | None = await event_types.get(connection, tenant_id, type_)
    if found is None:
        raise not_found("event type")
    response.headers["ETag"] = etag(found.updated_at)
    listening = await flows.listening(connection, tenant_id)
    shown: dict[str, Any] = members(found, _listeners(listening, type_))
    return EventTypeDetail.model_validate(shown)


def _listeners(listening: Sequence[Listening], type_: str) -> list[str]:
    return [flow.name for flow in listening if any(fits(one, type_) for one in (*flow.starts_on, *flow.hears))]


def _truth(choice: Choice) -> bool | None:
    return None if choice is None else choice == "true"
