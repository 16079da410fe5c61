"""Events over HTTP: CloudEvents that start series and feed those that run; each counts once."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

import uuid_utils.compat
from fastapi import Query, Request

from activities.event_schemas import Judgement
from activities.event_taking import DoesNotFit, Effect, Meeting, Taking
from activities.programs import Programs
from api.acceptance import within_patience
from api.auth import Principal, needs
from api.event_models import (
    BATCH,
    MOST_EVENTS,
    ONE,
    CloudEvent,
    EventEffect,
    EventMeeting,
    EventPage,
    EventShown,
    EventsTaken,
    EventTaken,
    EventTested,
    TypeTested,
    in_headers,
    read_one,
)
from api.event_type_models import EventFault
from api.json_body import parse
from api.openapi import problem_responses
from api.paging import PagingOf
from api.problem_types import Kind
from api.problems import Problem, invalid
from api.routing import noun_router
from api.scopes import Scope
from api.series_stopping import cancel_messages
from api.services import Services, ServicesOf
from db import event_types, events
from db.events import EventFilter, NewEvent
from domain.faults import Fault

router = noun_router("/v1/events", "Events")


Writer = Annotated[Principal, needs(Scope.EVENTS_WRITE)]
Reader = Annotated[Principal, needs(Scope.SERIES_READ)]
_PROGRAMS = Programs()
_HEARD = frozenset({"fed", "waits", "not_heard"})
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            ONE: {"schema": CloudEvent.model_json_schema()},
            BATCH: {"schema": {"type": "array", "maxItems": MOST_EVENTS, "items": {"type": "object"}}},
            "application/json": {"schema": {}},
        },
    }
}


@router.post(
    "",
    status_code=202,
    summary="Send events in",
    openapi_extra=_BODY,
    responses=problem_responses(
        Kind.MALFORMED_JSON, Kind.VALIDATION_FAILED, Kind.UNSUPPORTED_MEDIA_TYPE, Kind.IDEMPOTENCY_IN_FLIGHT
    ),
)
async def send_events(request: Request, principal: Writer, services: ServicesOf) -> EventsTaken:
    """Takes one CloudEvent, structured or binary, or up to 1,000 as a batch; each event has its own result.

    An event counts once for its `source` and `id`. One that no flow knows is kept and can be listed. Where its type has
    a schema that is enforced, one that does not fit is refused alone (`invalid-event`).
    """
    values = await _values(request)
    results = [await _take(services, principal, index, value) for index, value in enumerate(values)]
    services.wake()
    counts = Counter(result.result for result in results)
    return EventsTaken(
        accepted=counts["accepted"], repeated=counts["repeated"], refused=counts["refused"], results=results
    )


@router.post(
    "/test",
    summary="Ask which flows an event would concern",
    openapi_extra=_BODY,
    responses=problem_responses(Kind.MALFORMED_JSON, Kind.VALIDATION_FAILED, Kind.UNSUPPORTED_MEDIA_TYPE),
)
async def test_event(request: Request, principal: Reader, services: ServicesOf) -> EventTested:
    """Says which flows would start a series for an event, or let one hear it, and why not; nothing is changed.

    Also whether its data fits the schema of its type; what flows would do is told whether it does or not.
    """
    values = await _values(request)
    if len(values) != 1:
        raise invalid(Fault(pointer="", message="ask for one event at a time"))
    event = read_one(values[0])
    if isinstance(event, Problem):
        raise event
    judgement, met, effects = await _tried(services, principal, event)
    return EventTested(
        type=_tested(event.type, judgement),
        flows=[_met(one, [effect for effect in effects if effect.flow == one.flow.name]) for one in met],
    )


@router.get("", summary="List events")
async def list_events(
    principal: Reader,
    services: ServicesOf,
    paging: PagingOf,
    *,
    type: Annotated[str | None, Query(max_length=200)] = None,  # noqa: A002 - its name on the wire
    source: Annotated[str | None, Query(max_length=1024)] = None,
    matched: Annotated[
        Literal["true", "false"] | None, Query(description="`false` asks for those that concerned no series.")
    ] = None,
    fits: Annotated[
        Literal["true", "false"] | None, Query(description="`false` asks for those that do not fit their schema.")
    ] = None,
) -> EventPage:
    """Returns events, the newest first."""
    wanted = EventFilter(
        type=type,
        source=source,
        matched=None if matched is None else matched == "true",
        fits=None if fits is None else fits == "true",
    )
    async with services.database.tenant(principal.tenant_id) as connection:
        rows = await events.page(
            connection, principal.tenant_id, wanted=wanted, limit=paging.fetch, before=paging.before
        )
    return paging.page(EventPage, rows, EventShown.model_validate)


async def _values(request: Request) -> list[Any]:
    """Returns the events of a request as they would stand in JSON."""
    body, media_type = await request.body(), request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if "ce-specversion" in request.headers:
        return [in_headers(request.headers, body)]
    if media_type not in {ONE, BATCH, "application/json"}:
        detail = f"Send {ONE}, {BATCH}, or a JSON body with the ce- headers of binary mode."
        raise Problem(Kind.UNSUPPORTED_MEDIA_TYPE, detail)
    value = parse(body)
    if media_type == (ONE if isinstance(value, list) else BATCH):
        raise invalid(Fault(pointer="", message=f"a list of events is sent as {BATCH}, one event as {ONE}"))
    values = value if isinstance(value, list) else [value]
    if not 1 <= len(values) <= MOST_EVENTS:
        raise invalid(Fault(pointer="", message=f"a batch has 1 to {MOST_EVENTS:,} events"))
    return values


async def _tried(
    services: Services, principal: Principal, event: CloudEvent
) -> tuple[Judgement, Sequence[Meeting], Sequence[Effect]]:
    """Returns what its schema says of an event, and what it would do: it is taken, and taken back."""
    now = services.now()
    new = replace(event.new(now), event_id=str(uuid_utils.compat.uuid7()))  # also one that came before is looked at
    async with within_patience(), services.database.tenant(principal.tenant_id) as connection:
        taking = Taking(connection, principal.tenant_id, _PROGRAMS, now)
        tried = await connection.begin_nested()
        judgement = await taking.judged(new)
        met, effects = await taking.meetings(new), await taking.take(new, enforce=False)
        await tried.rollback()
    return judgement, met, effects or []


def _tested(type_: str, judgement: Judgement) -> TypeTested:
    rule = judgement.type
    return TypeTested(
        type=type_,
        version=rule.version if rule is not None and rule.has_schema else None,
        mode=rule.mode if rule is not None and rule.has_schema else None,
        fits=not judgement.faults,
        faults=_faults(judgement),
    )


def _faults(judgement: Judgement) -> list[EventFault]:
    return [EventFault(**one) for one in judgement.told()]


def _met(meeting: Meeting, effects: Sequence[Effect]) -> EventMeeting:
    begun = next((one for one in effects if one.result not in _HEARD), None)
    starts = begun is not None and begun.result == "started"
    return EventMeeting(
        flow=meeting.flow.name,
        pattern=meeting.pattern,
        starts=starts,
        hears=any(one.result in _HEARD for one in effects),
        key=meeting.key,
        detail=None if begun is None or starts else begun.detail or begun.result,
    )


async def _take(services: Services, principal: Principal, index: int, value: Any) -> EventTaken:
    event = read_one(value)
    if isinstance(event, Problem):
        event_types.REFUSED.labels(event_types.MALFORMED).inc()
        return EventTaken(index=index, result="refused", problem=event.document())
    now = services.now()
    new = event.new(now)
    try:
        async with within_patience(), services.database.tenant(principal.tenant_id) as connection:
            taking = Taking(connection, principal.tenant_id, _PROGRAMS, now)
            effects = await taking.take(new)
    except DoesNotFit as error:
        return await _refused(services, principal, index, new, error.judgement)
    for effect in effects or []:
        if effect.replaced is not None:
            await cancel_messages(services, principal, effect.replaced)
    return EventTaken(
        index=index,
        result="repeated" if effects is None else "accepted",
        source=event.source,
        id=event.id,
        faults=[] if effects is None else _faults(taking.judgement),
        effects=[EventEffect.model_validate(effect) for effect in effects or []],
    )


async def _refused(
    services: Services, principal: Principal, index: int, new: NewEvent, judgement: Judgement
) -> EventTaken:
    """Counts an event that does not fit, and returns what its sender is told."""
    refusal = judgement.refusal(new.source, new.event_id)
    async with services.database.tenant(principal.tenant_id) as connection:
        await event_types.refuse(connection, principal.tenant_id, new.type, refusal)
    faults = [fault.under("/data") for fault in judgement.faults]
    detail = f"The data does not fit version {refusal['version']} of the schema of {new.type!r}."
    problem = Problem(Kind.INVALID_EVENT, detail, faults=faults, event_type=new.type, version=refusal["version"])
    return EventTaken(index=index, result="refused", source=new.source, id=new.event_id, problem=problem.document())
