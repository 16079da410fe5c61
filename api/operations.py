"""Operations over parked notifications and over series: how far they are, what they refused, and stopping them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Path, Query
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncConnection

from api.audit import record
from api.auth import Principal, needs_for_subject
from api.models import Shown
from api.paging import Page, PagingOf
from api.parked_models import Operation, OperationPage, shown
from api.problems import not_found
from api.routing import noun_router
from api.scopes import Scope
from api.series import Reader as SeriesReader
from api.services import ServicesOf
from db import operation_series, operations
from db.operation_series import Member
from db.operations import Operation as StoredOperation
from domain.operations import OperationKind, OperationState, OperationSubject
from domain.series_operations import SENTENCES, Refusal

router = noun_router("/v1/operations", "Operations")

Reader = Annotated[Principal, needs_for_subject(Scope.NOTIFICATIONS_READ)]
Stopper = Annotated[Principal, needs_for_subject(Scope.NOTIFICATIONS_SEND)]
OperationId = Annotated[UUID, Path(description="The operation.")]
States = Annotated[list[OperationState] | None, Query(description="One of these.")]
Kinds = Annotated[list[OperationKind] | None, Query(description="One of these.")]
Subject = Annotated[
    OperationSubject | None,
    Query(description="Over these only: `series` needs `series:read`, everything else `notifications:read`."),
]

READ: Mapping[OperationSubject, Scope] = {
    OperationSubject.NOTIFICATION: Scope.NOTIFICATIONS_READ,
    OperationSubject.SERIES: Scope.SERIES_READ,
}
"""What a key needs to see an operation."""
STEERED: Mapping[OperationSubject, Scope] = {
    OperationSubject.NOTIFICATION: Scope.NOTIFICATIONS_SEND,
    OperationSubject.SERIES: Scope.SERIES_WRITE,
}
"""What a key needs to stop an operation: the same as to create it."""


class OperationSeries(Shown):
    """A series that an operation means, and what became of it."""

    id: UUID = Field(description="The series.")
    flow: str
    key: str
    state: Literal["open", "done", "refused"] = Field(description="`open`: its turn has not come.")
    reason: Refusal | None = Field(description="Why it was refused.")
    sentence: str | None = Field(description="The reason in words.")
    at: datetime | None = Field(description="When its turn came.")


class OperationSeriesPage(Page[OperationSeries]):
    """A page of the series of an operation."""


@router.get("", summary="List operations")
async def list_operations(
    principal: Reader,
    services: ServicesOf,
    paging: PagingOf,
    *,
    state: States = None,
    kind: Kinds = None,
    subject: Subject = None,
) -> OperationPage:
    """Returns operations over parked notifications, and over series where the key may read those, the newest first."""
    principal.demand(READ[subject or OperationSubject.NOTIFICATION])
    subjects = [subject] if subject else [one for one in OperationSubject if principal.may(READ[one])]
    async with services.database.tenant(principal.tenant_id) as connection:
        rows = await operations.page(
            connection, principal.tenant_id, limit=paging.fetch, before=paging.before,
            state=state or (), kind=kind or (), subject=subjects,
        )  # fmt: skip
    return paging.page(OperationPage, rows, shown)


@router.get("/{operation_id}", summary="Read an operation")
async def get_operation(operation_id: OperationId, principal: Reader, services: ServicesOf) -> Operation:
    """Returns an operation and how far it is; of one over series it needs `series:read`."""
    async with services.database.tenant(principal.tenant_id) as connection:
        return shown(await _found(connection, principal, operation_id, READ))


@router.get("/{operation_id}/series", summary="List the series of an operation")
async def list_operation_series(
    operation_id: OperationId,
    principal: SeriesReader,
    services: ServicesOf,
    paging: PagingOf,
    *,
    state: Annotated[list[Literal["open", "done", "refused"]] | None, Query(description="One of these.")] = None,
    reason: Annotated[Refusal | None, Query(description="Refused for this reason.")] = None,
) -> OperationSeriesPage:
    """Returns the series that an operation means and what became of each, the one that began last first."""
    tenant_id = principal.tenant_id
    async with services.database.tenant(tenant_id) as connection:
        await _found(connection, principal, operation_id, READ)
        rows = await operation_series.page(
            connection, tenant_id, operation_id, states=state or (), reason=reason, limit=paging.fetch,
            before=paging.before,
        )  # fmt: skip
    return paging.page(OperationSeriesPage, rows, _shown)


@router.post("/{operation_id}/stop", summary="Stop an operation")
async def stop_operation(operation_id: OperationId, principal: Stopper, services: ServicesOf) -> Operation:
    """Stops an operation: it takes up nothing more from now on. One that is over stays as it is.

    It needs the scope that creating it needed: `notifications:send`, or `series:write` of one over series.
    """
    async with services.database.tenant(principal.tenant_id) as connection:
        before = await _found(connection, principal, operation_id, STEERED)
        row = await operations.stop(connection, principal.tenant_id, operation_id)
        if row is None:
            raise not_found("operation")
        if before.state is not row.state and row.state is OperationState.STOPPED:
            await record(connection, principal, "operation.stopped", operation_id, done=row.done, total=row.total)
    return shown(row)


async def _found(
    connection: AsyncConnection, principal: Principal, operation_id: UUID, needed: Mapping[OperationSubject, Scope]
) -> StoredOperation:
    """Returns an operation for whoever may do this with it."""
    row = await operations.get(connection, principal.tenant_id, operation_id)
    if row is None:
        raise not_found("operation")
    principal.demand(needed[row.subject])
    return row


def _shown(row: Member) -> OperationSeries:
    reason = Refusal(row.reason) if row.reason else None
    return OperationSeries(
        id=row.id, flow=row.flow, key=row.key, state=row.state, reason=reason,
        sentence=SENTENCES[reason] if reason else None, at=row.at,
    )  # fmt: skip
