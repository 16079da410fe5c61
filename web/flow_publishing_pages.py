"""Publishing a version of a flow: who waits at which step is told first, then what becomes of them is asked."""

from typing import Annotated, Literal

from fastapi import Form, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData

from activities.programs import Programs
from api.flow_publishing import Waiting
from api.flow_store import Name, Number, PublishBody, existing, get_flow, publish_flow
from api.problem_types import Kind
from api.problems import Problem, not_found
from api.scopes import Scope
from api.services import Services, ServicesOf
from db import flows
from web.flow_pages import flow_url
from web.rendering import render
from web.routing import page_router
from web.session import Session, signed_in

router = page_router("/flows/{name}/versions/{number}")

Writer = Annotated[Session, signed_in(Scope.FLOWS_WRITE)]
Mode = Literal["pin", "migrate", "stop"]
_SEE_OTHER = 303
_CONFLICT = 409
_PROGRAMS = Programs()


@router.get("/publish")
async def ask(request: Request, name: Name, number: Number, session: Writer, services: ServicesOf) -> Response:
    """Tells how many series wait at which step, and asks what becomes of them."""
    session.principal.demand(Scope.FLOWS_READ)
    return await _question(request, services, session, name, number)


@router.post("/publish")
async def publish(
    request: Request,
    name: Name,
    number: Number,
    session: Writer,
    services: ServicesOf,
    mode: Annotated[Mode, Form()],
    expected: Annotated[int, Form(ge=0, le=2**31 - 1)],
) -> Response:
    """Publishes the version and leads to the flow, or asks again where those who wait are others by now."""
    steps = _steps(await request.form()) if mode == "migrate" else {}
    body = PublishBody(version=number, mode=mode, steps=steps, expected=expected)
    try:
        await publish_flow(name, body, session.principal, services, Response())
    except Problem as problem:
        if problem.kind is not Kind.COUNT_CHANGED:
            raise
        return await _question(request, services, session, name, number, changed=expected)
    return RedirectResponse(f"{flow_url(name)}?outcome=published", _SEE_OTHER)


async def _question(
    request: Request, services: Services, session: Session, name: str, number: int, *, changed: int | None = None
) -> Response:
    tenant_id = session.principal.tenant_id
    one = await get_flow(name, session.principal, services)
    async with services.database.tenant(tenant_id) as connection:
        stored = await existing(connection, tenant_id, name)
        version = await flows.version(connection, tenant_id, stored.id, number)
        if version is None:
            raise not_found("version")
        steps = list((await _PROGRAMS.get(connection, tenant_id, version.id)).places)
    waiting = await _waiting(services, session, name, number)
    others = [row for row in waiting if row.version != number]
    return render(
        request,
        "flow_publish.html",
        status=200 if changed is None else _CONFLICT,
        one=one,
        number=number,
        waiting=others,
        count=_others(waiting, number),
        changed=changed,
        steps=steps,
        standing=sorted({row.step for row in others if row.step}),
    )


async def _waiting(services: Services, session: Session, name: str, number: int) -> list[Waiting]:
    body = PublishBody(version=number)
    return (await publish_flow(name, body, session.principal, services, Response(), dry_run=True)).waiting


def _others(waiting: list[Waiting], number: int) -> int:
    return sum(row.count for row in waiting if row.version != number)


def _steps(form: FormData) -> dict[str, str]:
    """Returns which step is called differently now, as the form says it."""
    said = ((field.partition(".")[2], value) for field, value in form.items() if field.startswith("step."))
    return {old: new for old, new in said if isinstance(new, str) and new and new != old}
