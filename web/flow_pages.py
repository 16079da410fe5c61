"""The flows: how each stands, who waits where in it, its versions as they were pushed, and the incident switch."""

import asyncio
import difflib
from collections import defaultdict
from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.flow_publishing import Waiting, waiting_at
from api.flow_store import (
    FlowChange,
    FlowShown,
    Name,
    Number,
    change_flow,
    existing,
    get_flow,
    get_flow_version,
    list_flow_versions,
    list_flows,
)
from api.paging import PagingOf
from api.problem_types import Kind
from api.problems import Problem
from api.scopes import Scope
from api.services import Services, ServicesOf
from db import series_fleet
from web.rendering import render
from web.routing import page_router
from web.session import Session, signed_in

router = page_router("/flows")

Reader = Annotated[Session, signed_in(Scope.FLOWS_READ)]
Writer = Annotated[Session, signed_in(Scope.FLOWS_WRITE)]
COUNTED = 10_000
_SEE_OTHER = 303
_STATUSES = ("draft", "active", "paused")
_CONTEXT = 3
_MOST_LINES = 2000

OUTCOMES = {
    "paused": "Paused: nothing of it starts and no step is taken; what is due waits.",
    "active": "Active again: what was due meanwhile comes at once.",
    "published": "Published: new series take this version.",
}
"""What an action achieved, as the page that follows it says it."""


@router.get("")
async def flow_list(
    request: Request,
    session: Reader,
    services: ServicesOf,
    paging: PagingOf,
    status: Annotated[str, Query(max_length=16)] = "",
) -> Response:
    """Shows the flows, the newest first, with how many series of each run, are paused and are parked."""
    if status not in {"", *_STATUSES}:
        raise Problem(Kind.BAD_REQUEST, f"{status!r} is no status of a flow; choose one above the list.")
    wanted: Literal["draft", "active", "paused"] | None = status or None  # type: ignore[assignment]  # one of them
    found = await list_flows(session.principal, services, paging, wanted)
    chosen = f"?status={status}" if status else ""
    join = "&" if chosen else "?"
    return render(
        request,
        "flow_list.html",
        rows=found.data,
        counts=await _counts(services, session, found.data),
        counted=COUNTED,
        chosen=status,
        statuses=_STATUSES,
        address=f"{router.prefix}{chosen}",
        older=f"{router.prefix}{chosen}{join}cursor={found.next_cursor}" if found.next_cursor else None,
        first=paging.before is None,
    )


@router.get("/{name}")
async def flow_page(
    request: Request,
    name: Name,
    session: Reader,
    services: ServicesOf,
    paging: PagingOf,
    outcome: Annotated[str, Query(max_length=32)] = "",
) -> Response:
    """Shows a flow, who waits at which step, and its versions, the newest first."""
    one = await get_flow(name, session.principal, services)
    versions = await list_flow_versions(name, session.principal, services, paging)
    return render(
        request,
        "flow.html",
        one=one,
        versions=versions.data,
        waiting=_by_version(await _waiting(services, session, one)),
        older=f"{flow_url(name)}?cursor={versions.next_cursor}" if versions.next_cursor else None,
        first=paging.before is None,
        address=flow_url(name),
        outcome=OUTCOMES.get(outcome),
        may_act=session.may(Scope.FLOWS_WRITE),
    )


@router.get("/{name}/versions/{number}")
async def flow_version_page(
    request: Request,
    name: Name,
    number: Number,
    session: Reader,
    services: ServicesOf,
    against: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> Response:
    """Shows a version as it was pushed, and what differs from another one: the one before it, unless one is named."""
    one = await get_flow(name, session.principal, services)
    version = await get_flow_version(name, number, session.principal, services)
    other = against or (number - 1 or None)
    former = await get_flow_version(name, other, session.principal, services) if other else None
    texts = (former.source, version.source) if former else ("", "")
    too_long = any(len(text.splitlines()) > _MOST_LINES for text in texts)
    changes = [] if too_long else await asyncio.to_thread(_changes, *texts)
    return render(
        request,
        "flow_version.html",
        one=one,
        version=version,
        other=other,
        changes=changes,
        former=former.source if former and too_long else None,
        most=_MOST_LINES,
        may_publish=session.may(Scope.FLOWS_WRITE) and one.published_version != number,
    )


@router.get("/{name}/{kind}")
async def ask_to_switch(
    request: Request, name: Name, kind: Literal["pause", "activate"], session: Writer, services: ServicesOf
) -> Response:
    """Asks whether the flow is really to be paused, or to go on."""
    session.principal.demand(Scope.FLOWS_READ)
    one = await get_flow(name, session.principal, services)
    counts = await _counts(services, session, [one])
    count = sum(counts[one.name].values())
    return render(request, "flow_switch.html", one=one, kind=kind, count=min(count, COUNTED), more=count > COUNTED)


@router.post("/{name}/{kind}")
async def switch(
    name: Name,
    kind: Literal["pause", "activate"],
    session: Writer,
    services: ServicesOf,
    reason: Annotated[str, Form(min_length=1, max_length=200, pattern=r"\S")],
) -> Response:
    """Pauses the flow or lets it go on, and leads to its page."""
    status: Literal["active", "paused"] = "paused" if kind == "pause" else "active"
    await change_flow(name, FlowChange(status=status, reason=reason), session.principal, services)
    return RedirectResponse(f"{flow_url(name)}?outcome={status}", _SEE_OTHER)


def flow_url(name: str) -> str:
    """Returns the address of a flow's page."""
    return f"{router.prefix}/{name}"


async def _counts(services: Services, session: Session, found: Sequence[FlowShown]) -> dict[str, dict[str, int]]:
    tenant_id = session.principal.tenant_id
    async with services.database.tenant(tenant_id) as connection:
        counts = await series_fleet.count_by_status(connection, tenant_id, [row.id for row in found], most=COUNTED + 1)
    return {row.name: dict(counts[row.id]) for row in found}


async def _waiting(services: Services, session: Session, one: FlowShown) -> list[Waiting]:
    tenant_id = session.principal.tenant_id
    async with services.database.tenant(tenant_id) as connection:
        stored = await existing(connection, tenant_id, one.name)
        return await waiting_at(connection, tenant_id, stored.id)


def _by_version(waiting: list[Waiting]) -> dict[int, list[Waiting]]:
    found = defaultdict[int, list[Waiting]](list)
    for row in waiting:
        found[row.version].append(row)
    return dict(sorted(found.items(), reverse=True))


def _changes(former: str, latter: str) -> list[tuple[str, str]]:
    """Returns the lines that differ with some around them, each with what became of it."""
    lines = difflib.unified_diff(former.splitlines(), latter.splitlines(), lineterm="", n=_CONTEXT)
    kinds = {"+": "added", "-": "removed", "@": "place"}
    return [(kinds.get(line[:1], "same"), line) for line in list(lines)[2:]]
