"""Starting series over HTTP: once for their key, and each request once for its own."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Header, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.event_taking import NotMeant, text_of
from activities.programs import Programs
from activities.series_facts import person
from activities.series_starting import PATIENCE, Begun, begin, catch_up, missing_anchors
from api.acceptance import within_patience
from api.flow_store import existing
from api.notification_models import IdempotencyKey, To
from api.notifications import REPLAYED
from api.openapi import problem_responses
from api.problem_types import Kind
from api.problems import Problem, invalid
from api.routing import noun_router
from api.series import Writer
from api.series_models import SeriesBody, SeriesStarted
from api.series_stopping import cancel_messages
from api.services import ServicesOf
from db import flows, series, series_starts, series_steps
from db.flows import StoredFlow
from db.json import plain
from db.series import NewSeries
from db.series_starts import Answered
from domain import keys
from domain.faults import Fault
from domain.flow_program import Program
from domain.flow_steps import Again

router = noun_router("/v1/series", "Series")

StartKey = Annotated[
    IdempotencyKey | None,
    Header(alias="Idempotency-Key", description="Names this start for ever; repeated, it gets the first answer."),
]
_PROGRAMS = Programs()
_ANY_FLOW = UUID(int=0)
"""Keys of requests are a tenant's, whatever their flow."""


@router.post(
    "",
    status_code=201,
    summary="Start a series",
    responses={
        200: {
            "description": "None was started now: `result` says why, or what the first request of this key did.",
            "model": SeriesStarted,
            "headers": REPLAYED,
        },
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
    """Starts a series of a flow's published version; of one key, one runs at a time.

    An `Idempotency-Key` keeps the answer, whatever it was: repeated, the request gets that one and does nothing.
    """
    tenant_id, now = principal.tenant_id, services.now()
    async with within_patience(), services.database.tenant(tenant_id) as connection:
        former = await _repeated(connection, tenant_id, idempotency_key, body)
        await flows.share(connection, tenant_id, name=body.flow)
        flow = await existing(connection, tenant_id, body.flow)
        begun = former
        if begun is None:
            published = await _published(connection, tenant_id, flow)
            new = await _new(connection, tenant_id, published, body, idempotency_key)
            again = Again(body.again) if body.again else published.program.flow.again
            begun = await begin(connection, tenant_id, new, flow=published.program.flow, again=again, now=now)
            if begun.result == "started" and begun.series_id is not None and new.key is not None:
                await catch_up(connection, tenant_id, begun.series_id, flow.id, new.key)
            await _keep(connection, tenant_id, idempotency_key, body, begun)
    services.wake()
    if begun.replaced is not None:
        await cancel_messages(services, principal, begun.replaced)
    return _answer(response, begun, is_replayed=former is not None)


async def _repeated(
    connection: AsyncConnection, tenant_id: UUID, idempotency_key: str | None, body: SeriesBody
) -> Begun | None:
    if idempotency_key is None:
        return None
    await series.lock_key(connection, tenant_id, _ANY_FLOW, idempotency_key, patience=PATIENCE)
    former = await series_starts.answered(connection, tenant_id, idempotency_key)
    if former is None:
        return None
    if former.request_hash != _hash(body):
        raise Problem(Kind.IDEMPOTENCY_MISMATCH, "This key was used for another start; use a new key.")
    return Begun(result=former.result, series_id=former.series_id, replaced=former.replaced)


async def _keep(
    connection: AsyncConnection, tenant_id: UUID, idempotency_key: str | None, body: SeriesBody, begun: Begun
) -> None:
    """Keeps what a start came to, so that its repetition gets the same answer."""
    if idempotency_key is not None:
        answer = Answered(
            request_hash=_hash(body), result=begun.result, series_id=begun.series_id, replaced=begun.replaced
        )
        await series_starts.keep(connection, tenant_id, idempotency_key, answer)


def _answer(response: Response, begun: Begun, *, is_replayed: bool) -> SeriesStarted:
    if begun.result == "started":
        response.headers["Location"] = f"/v1/series/{begun.series_id}"
    if begun.result != "started" or is_replayed:
        response.status_code = 200
    if is_replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return SeriesStarted(result=begun.result, id=begun.series_id, replaced=begun.replaced)


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
