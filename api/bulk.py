"""Many notifications in one request, each with its own key and its own result."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from api.accept_rules import Ask
from api.acceptance import accept, body_hash
from api.models import Body, JsonObject, Shown
from api.notification_models import BulkItem
from api.notification_views import Accepted
from api.notifications import Sender
from api.openapi import problem_responses
from api.problem_types import Kind
from api.problems import Problem, validation_problem
from api.routing import noun_router
from api.services import ServicesOf
from domain.notifications import Lane

router = noun_router("/v1/notifications", "Notifications")

MOST_ITEMS = 1_000


def _lenient(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
    """Returns the item, or the problem with it: one bad item must not keep the others from being sent."""
    try:
        return read(value)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False)
        return validation_problem([{**one, "loc": ("body", *one["loc"])} for one in found], value)


class Bulk(Body):
    """Notifications, each with its own key."""

    items: list[Annotated[BulkItem, WrapValidator(_lenient)]] = Field(min_length=1, max_length=MOST_ITEMS)


class BulkResult(Shown):
    """What became of one item."""

    index: int = Field(description="Place of the item in the request, from 0.")
    status: Literal["accepted", "replayed", "rejected"]
    id: UUID | None = None
    problem: JsonObject | None = Field(default=None, description="Why it was rejected, as a problem document.")


class BulkResults(Shown):
    """What became of each item, in the order of the request, and how many of each there are."""

    accepted: int
    replayed: int
    rejected: int
    results: list[BulkResult]


@router.post(
    "/bulk",
    summary="Send many notifications",
    responses={
        200: {"description": "Every item was looked at; each has its own result."},
        **problem_responses(Kind.IDEMPOTENCY_IN_FLIGHT, Kind.LINE_FULL),
    },
)
async def send_notifications(body: Bulk, principal: Sender, services: ServicesOf) -> BulkResults:
    """Accepts up to 1,000 notifications, all good ones in one transaction; they go in the bulk lane unless they say.

    Repeat the whole request after any failure: what was accepted is reported as `replayed`.
    """
    asks: dict[int, Ask] = {}
    outcomes: dict[int, tuple[Accepted, bool] | Problem] = {}
    for index, item in enumerate(_read(body)):
        if isinstance(item, Problem):
            outcomes[index] = item
        else:
            asks[index] = Ask(key=item.idempotency_key, request_hash=body_hash(item), body=item, lane=Lane.BULK)
    if asks:
        results = await accept(services, principal, list(asks.values()))
        outcomes |= dict(zip(asks, results, strict=True))
    return _summary([_result(index, outcomes[index]) for index in sorted(outcomes)])


def _read(body: Bulk) -> list[BulkItem | Problem]:
    return list(body.items)


def _result(index: int, outcome: tuple[Accepted, bool] | Problem) -> BulkResult:
    if isinstance(outcome, Problem):
        return BulkResult(index=index, status="rejected", problem=outcome.document())
    accepted, replayed = outcome
    return BulkResult(index=index, status="replayed" if replayed else "accepted", id=accepted.id)


def _summary(results: list[BulkResult]) -> BulkResults:
    counts = {name: sum(result.status == name for result in results) for name in ("accepted", "replayed", "rejected")}
    return BulkResults(**counts, results=results)
