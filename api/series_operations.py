"""Operations over a selection of series: what one may be told, many are; counted first, at a rate, audited."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from api.audit import record
from api.auth import Principal
from api.flow_words import Anchor, Offset, StepId
from api.models import Body, Moment, Shown, Text
from api.openapi import problem_responses
from api.parked_models import Operation, shown
from api.problem_types import Kind
from api.problems import Problem, invalid
from api.routing import noun_router
from api.series import Writer
from api.series_models import SeriesShown
from api.series_models import shown as shown_series
from api.services import Services, ServicesOf
from db import operations, series_lists, series_operations
from db.series_lists import SeriesFilter
from db.series_operations import NewOperation
from domain.faults import Fault
from domain.operations import DEFAULT_RATE, MOST_PER_SECOND, OperationKind, agrees

router = noun_router("/v1/series", "Series")

_SAMPLE = 10
_ANSWERS: dict[int | str, dict[str, Any]] = {
    202: {"description": "The operation was created; it runs by itself.", "model": Operation},
    **problem_responses(Kind.COUNT_CHANGED),
}


class SeriesWish(Body):
    """Which series are meant, of those that are not over; what is left out does not restrict."""

    flow: str | None = Field(default=None, max_length=128)
    version: int | None = Field(default=None, ge=1, le=2**31 - 1)
    status: Literal["running", "paused", "parked"] | None = None
    step: str | None = Field(default=None, max_length=64)
    key: str | None = Field(default=None, max_length=255)
    to: str | None = Field(default=None, max_length=320, description="A recipient's id, or an address.")
    resource_type: str | None = Field(default=None, max_length=128)
    resource_id: str | None = Field(default=None, max_length=256)
    cause: str | None = Field(default=None, max_length=64, description="Why it is parked.")
    next_before: Moment | None = Field(default=None, description="Goes on by itself before this.")


class Shift(Body):
    """By how much a date is moved, on the calendar of each recipient."""

    shift: Offset = Field(examples=["+2d", "-3h", "P1M"])


class SeriesOperation(Body):
    """What is to be done with many series, and that somebody saw how many those are."""

    kind: Literal["pause", "resume", "stop", "skip", "run_again", "move"]
    filter: SeriesWish = Field(default_factory=SeriesWish)
    step: StepId | None = Field(default=None, description="To run again: the step.")
    anchors: dict[Anchor, Moment | Shift] = Field(
        default_factory=dict, max_length=50, description="To move: dates, each to an instant or by a length of time.",
        examples=[{"due_at": {"shift": "+2d"}}],
    )  # fmt: skip
    rate: int = Field(default=DEFAULT_RATE, ge=1, le=MOST_PER_SECOND, description="How many of them in a second.")
    reason: Text | None = Field(default=None, description="Why; required to stop.")
    expected: int | None = Field(
        default=None, ge=0, le=2**31 - 1, description="The `count` that a dry run answered; required without `dry_run`."
    )


class SeriesPreview(Shown):
    """What an operation would take up now; nothing was done."""

    count: int
    sample: list[SeriesShown] = Field(description="The newest of those that it would take up.")


@router.post(
    "/operations", status_code=202, summary="Steer many series", response_model=SeriesPreview | Operation,
    responses=_ANSWERS,
)  # fmt: skip
async def operate_series(
    body: SeriesOperation,
    principal: Writer,
    services: ServicesOf,
    *,
    dry_run: Annotated[bool, Query(description="Only count, and show some.")] = False,
) -> Response:
    """Does with the series that a filter means what may be done with one, the one that began first at first.

    Ask with `dry_run=true`, then again with its `count` as `expected`: the series that are meant then are kept. Each is
    looked at once more when its turn comes; `GET /v1/operations/{id}` tells how far it is, `…/series?state=refused`
    which could not do it and why, `POST …/stop` ends it. Whoever is stopped takes back what was not sent yet.
    """
    if dry_run:
        _check(body, counts=True)
        return JSONResponse((await preview(services, principal, body.filter)).model_dump(mode="json"))
    made = await operate(services, principal, body)
    return JSONResponse(made.model_dump(mode="json"), 202, headers={"Location": f"/v1/operations/{made.id}"})


async def operate(services: Services, principal: Principal, body: SeriesOperation) -> Operation:
    """Leaves an operation over the series that are meant, if they are as many as somebody saw."""
    wanted = SeriesFilter(**body.filter.model_dump())
    _check(body, counts=False)
    new = NewOperation(
        kind=OperationKind(body.kind), filter=wanted, order=_order(body), rate=body.rate, actor=principal.actor,
        reason=body.reason,
    )  # fmt: skip
    async with services.database.tenant(principal.tenant_id) as connection:
        new_id = await series_operations.create(connection, principal.tenant_id, new)
        made = await _agreed(connection, principal, new_id, body.expected or 0)
        facts = {
            "kind": body.kind,
            "filter": series_lists.as_document(wanted),
            "order": made.order,
            "rate": made.rate,
            "total": made.total,
        }
        await record(connection, principal, "operation.created", new_id, **facts, reason=made.reason)
    services.wake()
    return made


async def preview(services: Services, principal: Principal, wish: SeriesWish) -> SeriesPreview:
    """Counts the series that an operation would take up now, and shows the newest of them."""
    wanted = SeriesFilter(**wish.model_dump())
    async with services.database.tenant(principal.tenant_id) as connection:
        count = await series_operations.count(connection, principal.tenant_id, wanted)
        rows = await series_operations.first(connection, principal.tenant_id, wanted, limit=_SAMPLE)
    return SeriesPreview(count=count, sample=[shown_series(row) for row in rows])


def _order(body: SeriesOperation) -> dict[str, Any]:
    """Returns what was asked besides the kind, as JSON holds it."""
    dates = {name: to.model_dump() if isinstance(to, Shift) else to.isoformat() for name, to in body.anchors.items()}
    return {**({"step": body.step} if body.step else {}), **({"anchors": dates} if dates else {})}


def _check(body: SeriesOperation, *, counts: bool) -> None:
    """Raises what is missing, or belongs to another kind; whoever only counts need not say why."""
    again, moves = body.kind == "run_again", body.kind == "move"
    uncounted = "ask with dry_run=true first, and give the count it answers"
    wrong = [
        (body.expected is None and not counts, "/expected", uncounted),
        (body.step is None and again, "/step", "name the step that is taken again"),
        (
            body.step is not None and not again,
            "/step",
            "only `run_again` takes a step; filter.step says where they stand",
        ),
        (not body.anchors and moves, "/anchors", "name the dates that are moved, such as due_at"),
        (bool(body.anchors) and not moves, "/anchors", "only `move` takes dates"),
        (body.reason is None and body.kind == "stop" and not counts, "/reason", "say why they are stopped; it is kept"),
    ]
    faults = [Fault(pointer=pointer, message=message) for applies, pointer, message in wrong if applies]
    if faults:
        raise invalid(*faults)


async def _agreed(connection: Any, principal: Principal, new_id: UUID, expected: int) -> Operation:
    """Returns the operation that was created, or raises that it means more or fewer than somebody agreed to."""
    found = await operations.get(connection, principal.tenant_id, new_id)
    assert found is not None  # noqa: S101 - it was just written
    if not agrees(expected, found.total):
        detail = f"Not {expected} but {found.total} are meant now; look again, then repeat with this number."
        raise Problem(Kind.COUNT_CHANGED, detail, count=found.total)
    return shown(found)
