"""What is parked: counted by what keeps it, listed, and, once somebody saw how many it is, resumed or dropped."""

from typing import Annotated, Any

from fastapi import Query, Response
from fastapi.responses import JSONResponse
from sqlalchemy.ext.asyncio import AsyncConnection

from api.audit import record
from api.auth import Principal, needs
from api.notification_views import NotificationPage
from api.notification_views import shown as shown_notification
from api.openapi import problem_responses
from api.paging import PagingOf
from api.parked_models import Change, Operation, ParkedCounts, ParkedFilterOf, Preview, shown, shown_group
from api.problem_types import Kind
from api.problems import Problem, invalid
from api.routing import noun_router
from api.scopes import Scope
from api.services import Services, ServicesOf
from db import circuits, operations, parked
from db.operations import NewOperation
from domain.faults import Fault
from domain.operations import OperationKind, ParkedFilter, agrees

router = noun_router("/v1/parked", "Parked")

Reader = Annotated[Principal, needs(Scope.NOTIFICATIONS_READ)]
Sender = Annotated[Principal, needs(Scope.NOTIFICATIONS_SEND)]
DryRun = Annotated[bool, Query(description="Only count, and show some of those that are meant.")]

MOST_GROUPS = 500
_SAMPLE = 10
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The dry run's answer; nothing was done.", "model": Preview},
    202: {"description": "Accepted, durably; the operation tells how far it is."},
    **problem_responses(Kind.COUNT_CHANGED),
}


@router.get("", summary="Count what is parked")
async def count_parked(principal: Reader, services: ServicesOf) -> ParkedCounts:
    """Returns how many notifications are parked by cause, account and template, the largest groups first."""
    async with services.database.tenant(principal.tenant_id) as connection:
        groups = await parked.groups(connection, principal.tenant_id, most=MOST_GROUPS + 1)
        total = await parked.count(connection, principal.tenant_id, ParkedFilter())
    return ParkedCounts(
        total=total,
        groups=[shown_group(group) for group in groups[:MOST_GROUPS]],
        complete=len(groups) <= MOST_GROUPS,
    )


@router.get("/notifications", summary="List what is parked")
async def list_parked(
    principal: Reader, services: ServicesOf, paging: PagingOf, wanted: ParkedFilterOf
) -> NotificationPage:
    """Returns parked notifications, the newest first."""
    async with services.database.tenant(principal.tenant_id) as connection:
        rows = await parked.page(
            connection, principal.tenant_id, wanted=wanted, limit=paging.fetch, before=paging.before
        )
    return paging.page(NotificationPage, rows, shown_notification)


@router.post("/resume", status_code=202, summary="Resume what is parked", response_model=Operation, responses=_ANSWERS)
async def resume_parked(body: Change, principal: Sender, services: ServicesOf, *, dry_run: DryRun = False) -> Response:
    """Lets parked notifications go on in the order of their acceptance, with what they were asked with.

    Ask with `dry_run=true` first, then again with its `count` as `expected`. Circuits of the accounts concerned are
    closed, so that what goes on is let through. What is too old expires instead.
    """
    return await _answer(services, principal, OperationKind.RESUME, body, dry_run=dry_run)


@router.post("/drop", status_code=202, summary="Drop what is parked", response_model=Operation, responses=_ANSWERS)
async def drop_parked(body: Change, principal: Sender, services: ServicesOf, *, dry_run: DryRun = False) -> Response:
    """Ends parked notifications as cancelled, with the reason `dropped`; nothing of them is ever sent.

    Ask with `dry_run=true` first, then again with its `count` as `expected`, and say why.
    """
    return await _answer(services, principal, OperationKind.DROP, body, dry_run=dry_run)


async def preview(services: Services, principal: Principal, body: Change) -> Preview:
    """Returns what an operation would take up now."""
    wanted = body.filter.filter()
    async with services.database.tenant(principal.tenant_id) as connection:
        count = await parked.count(connection, principal.tenant_id, wanted)
        rows = await parked.first(connection, principal.tenant_id, wanted=wanted, limit=_SAMPLE)
    return Preview(count=count, sample=[shown_notification(row) for row in rows])


async def operate(services: Services, principal: Principal, kind: OperationKind, body: Change) -> Operation:
    """Creates an operation, or raises the problem that what was agreed to is not what would be done."""
    _check(kind, body)
    async with services.database.tenant(principal.tenant_id) as connection:
        if kind is OperationKind.RESUME:
            await _close_circuits(connection, principal, body)
        made = await _create(connection, principal, kind, body)
    services.wake()
    return made


async def _answer(
    services: Services, principal: Principal, kind: OperationKind, body: Change, *, dry_run: bool
) -> Response:
    if dry_run:
        return JSONResponse((await preview(services, principal, body)).model_dump(mode="json"))
    made = await operate(services, principal, kind, body)
    return JSONResponse(made.model_dump(mode="json"), 202, headers={"Location": f"/v1/operations/{made.id}"})


def _check(kind: OperationKind, body: Change) -> None:
    faults = []
    if body.expected is None:
        faults.append(Fault(pointer="/expected", message="ask with dry_run=true first, and give the count it answers"))
    if kind is OperationKind.DROP and body.reason is None:
        faults.append(Fault(pointer="/reason", message="say why they are dropped; it is kept"))
    if faults:
        raise invalid(*faults)


async def _close_circuits(connection: AsyncConnection, principal: Principal, body: Change) -> None:
    for account_id in await parked.accounts(connection, principal.tenant_id, body.filter.filter()):
        await circuits.close(connection, principal.tenant_id, account_id)


async def _create(connection: AsyncConnection, principal: Principal, kind: OperationKind, body: Change) -> Operation:
    new = NewOperation(
        kind=kind, filter=body.filter.filter(), rate=body.rate, actor=principal.actor, reason=body.reason
    )
    new_id = await operations.create(connection, principal.tenant_id, new)
    made = await operations.get(connection, principal.tenant_id, new_id)
    assert made is not None  # noqa: S101 - it was just written
    if body.expected is None or not agrees(body.expected, made.total):
        detail = f"Not {body.expected} but {made.total} are meant now; look again, then repeat with this number."
        raise Problem(Kind.COUNT_CHANGED, detail, count=made.total)
    facts = {"kind": kind.value, "filter": new.filter.as_document(), "rate": made.rate, "total": made.total}
    await record(connection, principal, "operation.created", new_id, **facts, reason=made.reason)
    return shown(made)
