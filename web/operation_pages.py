"""The page of one operation over parked notifications or series: how far it is, and stopping it."""

from uuid import UUID

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from api.operations import STEERED, OperationId, get_operation, stop_operation
from api.services import ServicesOf
from web.notification_list import Reader
from web.rendering import render
from web.routing import HOME, page_router

router = page_router("/operations/{operation_id}")

_SEE_OTHER = 303


@router.get("")
async def operation_page(
    request: Request, operation_id: OperationId, session: Reader, services: ServicesOf
) -> Response:
    """Shows an operation."""
    one = await get_operation(operation_id, session.principal, services)
    meant = {name: value for name, value in one.model_dump(mode="json")["filter"].items() if value is not None}
    may_stop = session.may(STEERED[one.subject]) and not one.state.is_over
    return render(request, "operation.html", one=one, meant=meant, may_stop=may_stop)


@router.post("/stop")
async def stop(operation_id: OperationId, session: Reader, services: ServicesOf) -> Response:
    """Stops the operation, and leads to its page."""
    await stop_operation(operation_id, session.principal, services)
    return RedirectResponse(operation_url(operation_id), _SEE_OTHER)


def operation_url(operation_id: UUID) -> str:
    """Returns the address of an operation's page."""
    return f"{HOME}/operations/{operation_id}"
