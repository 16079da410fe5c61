"""Operations over parked notifications: how far they are, and stopping them."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query

from api.audit import record
from api.paging import PagingOf
from api.parked import Reader, Sender
from api.parked_models import Operation, OperationPage, shown
from api.problems import not_found
from api.routing import noun_router
from api.services import ServicesOf
from db import operations
from domain.operations import OperationState

router = noun_router("/v1/operations", "Parked")

OperationId = Annotated[UUID, Path(description="The operation.")]


@router.get("", summary="List operations")
async def list_operations(
    principal: Reader,
    services: ServicesOf,
    paging: PagingOf,
    state: Annotated[list[OperationState] | None, Query(description="One of these.")] = None,
) -> OperationPage:
    """Returns operations over parked notifications, the newest first."""
    states = [item.value for item in state or ()]
    async with services.database.tenant(principal.tenant_id) as connection:
        rows = await operations.page(
            connection, principal.tenant_id, states=states, limit=paging.fetch, before=paging.before
        )
    return paging.page(OperationPage, rows, shown)


@router.get("/{operation_id}", summary="Read an operation")
async def get_operation(operation_id: OperationId, principal: Reader, services: ServicesOf) -> Operation:
    """Returns an operation and how far it is."""
    async with services.database.tenant(principal.tenant_id) as connection:
        row = await operations.get(connection, principal.tenant_id, operation_id)
    if row is None:
        raise not_found("operation")
    return shown(row)


@router.post("/{operation_id}/stop", summary="Stop an operation")
async def stop_operation(operation_id: OperationId, principal: Sender, services: ServicesOf) -> Operation:
    """Stops an operation: it takes up nothing more from now on. One that is over stays as it is."""
    async with services.database.tenant(principal.tenant_id) as connection:
        before = await operations.get(connection, principal.tenant_id, operation_id)
        row = await operations.stop(connection, principal.tenant_id, operation_id)
        if before is None or row is None:
            raise not_found("operation")
        if before.state is not row.state and row.state is OperationState.STOPPED:
            await record(connection, principal, "operation.stopped", operation_id, done=row.done, total=row.total)
    return shown(row)
