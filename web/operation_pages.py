"""The page of one operation over parked notifications or series: how far it is, and stopping it."""

from typing import Annotated
from uuid import UUID

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from api.operations import READ, STEERED, OperationId, get_operation, stop_operation
from api.parked_models import Operation
from api.scopes import Scope
from api.services import Services, ServicesOf
from domain.operations import OperationSubject
from web.rendering import render
from web.routing import HOME, page_router
from web.session import Session, signed_in

router = page_router("/operations/{operation_id}")

Anybody = Annotated[Session, signed_in(None)]
_PLACES = {OperationSubject.NOTIFICATION: f"{HOME}/parked", OperationSubject.SERIES: f"{HOME}/series"}
_SEE_OTHER = 303


@router.get("")
async def operation_page(
    request: Request, operation_id: OperationId, session: Anybody, services: ServicesOf
) -> Response:
    """Shows an operation."""
    one = await _read(operation_id, session, services)
    meant = {name: value for name, value in one.model_dump(mode="json")["filter"].items() if value is not None}
    may_stop = session.may(STEERED[one.subject]) and not one.state.is_over
    place = _PLACES[one.subject]
    return render(request, "operation.html", one=one, meant=meant, may_stop=may_stop, place=place)


@router.post("/stop")
async def stop(operation_id: OperationId, session: Anybody, services: ServicesOf) -> Response:
    """Stops the operation, and leads to its page."""
    one = await _read(operation_id, session, services)
    session.principal.demand(STEERED[one.subject])
    await stop_operation(operation_id, session.principal, services)
    return RedirectResponse(operation_url(operation_id), _SEE_OTHER)


async def _read(operation_id: UUID, session: Session, services: Services) -> Operation:
    """Returns an operation to whoever may read what it takes up."""
    if not any(session.may(scope) for scope in READ.values()):
        session.principal.demand(Scope.NOTIFICATIONS_READ)
    one = await get_operation(operation_id, session.principal, services)
    session.principal.demand(READ[one.subject])
    return one


def operation_url(operation_id: UUID) -> str:
    """Returns the address of an operation's page."""
    return f"{HOME}/operations/{operation_id}"
