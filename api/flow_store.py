"""Flows over HTTP: pushed as versions, published with a choice for what runs already, paused at once."""

import asyncio
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Path, Query, Response
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncConnection

from api.audit import record
from api.auth import Principal, needs
from api.flow_files import FlowText, read_text
from api.flow_publishing import Publishing, Waiting, check_calendars, publish, waiting_at
from api.flow_warnings import FlowWarning, warnings_of
from api.flow_words import FlowName, StepId
from api.flows import Definition, Reader, under_definition
from api.models import Body, Shown, Text, Whole
from api.openapi import problem_responses
from api.paging import Page, PagingOf
from api.problem_types import Kind
from api.problems import Problem, invalid, not_found
from api.routing import noun_router
from api.scopes import Scope
from api.services import ServicesOf
from db import flows, series_hearing
from db.flow_json import flow_document
from db.flows import FlowVersion, StoredFlow
from domain.faults import Fault
from domain.flow_events import heard_events
from domain.flow_steps import Flow
from domain.notifications import LANES, Lane

router = noun_router("/v1/flows", "Flows")

Writer = Annotated[Principal, needs(Scope.FLOWS_WRITE)]
Name = Annotated[FlowName, Path(description="The flow.")]
Number = Annotated[int, Path(ge=1, le=2**31 - 1, description="The version.")]


class FlowShown(Shown):
    """A flow: `draft` before it is published, `active`, or `paused`: then none of its series does anything."""

    id: UUID
    name: str
    title: str
    status: Literal["draft", "active", "paused"]
    published_version: int | None
    newest_version: int
    created_at: datetime
    updated_at: datetime


class FlowPage(Page[FlowShown]):
    """A page of flows."""


class FlowVersionShown(Shown):
    """One version of a flow."""

    id: UUID
    number: int
    created_at: datetime


class FlowVersionDetail(FlowVersionShown):
    """One version of a flow, with the text that was pushed."""

    source: str


class FlowVersionPage(Page[FlowVersionShown]):
    """A page of versions."""


class FlowPush(Body):
    """A definition to keep as a flow's next version."""

    definition: Definition


class Pushed(Shown):
    """Which version the definition is; `created` is false where the newest one says the same."""

    name: str
    version: int
    created: bool
    warnings: list[FlowWarning] = Field(
        default_factory=list, description="What its expressions name and no event has that starts it."
    )


class FlowChange(Body):
    """The incident switch: a paused flow starts nothing and sends nothing; what is due meanwhile waits."""

    status: Literal["active", "paused"]
    reason: Text | None = Field(default=None, description="Kept in the audit trail.")


class PublishBody(Body):
    """Which version new series take, and what becomes of those that run."""

    version: Annotated[Whole, Field(ge=1)]
    mode: Literal["pin", "migrate", "stop"] = Field(
        default="pin", description="Running series stay with their version, go over to this one, or are stopped."
    )
    steps: dict[StepId, StepId] = Field(
        default_factory=dict, max_length=500, description="For `migrate`: where a step is called differently now."
    )
    expected: Annotated[Whole, Field(ge=0)] | None = Field(
        default=None, description="How many go over or are stopped, as `changed` of a dry run said."
    )


class Published(Shown):
    """What publishing did, or, with `dry_run`, would do, to the series that run."""

    version: int
    mode: Literal["pin", "migrate", "stop"]
    changed: int = Field(description="Series that went over or were stopped.")
    waiting: list[Waiting]


@router.put("/{name}", summary="Push a flow", responses={**problem_responses(Kind.VALIDATION_FAILED)})
async def push_flow(name: Name, body: FlowPush, principal: Writer, services: ServicesOf) -> Pushed:
    """Keeps a definition as the next version of a flow, which is made if there is none; nothing runs by it yet."""
    source = str(body.definition)
    text, flow = await asyncio.to_thread(_definition, name, source)
    async with services.database.tenant(principal.tenant_id) as connection:
        stored = await flows.create(connection, principal.tenant_id, name)
        number, is_new = await _push(connection, principal, stored, flow, source)
    warnings = await warnings_of(services.database, principal.tenant_id, text)
    return Pushed(name=name, version=number, created=is_new, warnings=warnings)


@router.get("", summary="List flows")
async def list_flows(
    principal: Reader,
    services: ServicesOf,
    paging: PagingOf,
    status: Annotated[Literal["draft", "active", "paused"] | None, Query()] = None,
) -> FlowPage:
    """Returns flows, the newest first."""
    async with services.database.tenant(principal.tenant_id) as connection:
        rows = await flows.page(
            connection, principal.tenant_id, status=status, limit=paging.fetch, before=paging.before
        )
    return paging.page(FlowPage, rows, _shown)


@router.get("/{name}", summary="Read a flow")
async def get_flow(name: Name, principal: Reader, services: ServicesOf) -> FlowShown:
    """Returns a flow and which of its versions is published."""
    async with services.database.tenant(principal.tenant_id) as connection:
        return _shown(await existing(connection, principal.tenant_id, name))


@router.patch("/{name}", summary="Pause or activate a flow", responses=problem_responses(Kind.WRONG_STATE))
async def change_flow(name: Name, body: FlowChange, principal: Writer, services: ServicesOf) -> FlowShown:
    """Pauses a flow, effective when this answers, or lets it go on; then what was due meanwhile comes at once."""
    tenant_id = principal.tenant_id
    async with services.database.tenant(tenant_id) as connection:
        stored = await existing(connection, tenant_id, name, lock=True)
        if stored.published_number is None:
            raise Problem(Kind.WRONG_STATE, "The flow is a draft; publish a version first.", state="draft")
        if stored.status != body.status:
            await flows.change(connection, tenant_id, stored.id, status=body.status)
            await record(connection, principal, f"flow.{_DONE[body.status]}", stored.id, name=name, reason=body.reason)
            if body.status == "active":
                cause = f"flow/{datetime.now().timestamp()}"  # noqa: DTZ005 - only to be different each time
                await series_hearing.wake_all(connection, tenant_id, stored.id, cause=cause, lane=LANES[Lane.BULK])
        stored = await existing(connection, tenant_id, name)
    services.wake()
    return _shown(stored)


@router.get("/{name}/versions", summary="List a flow's versions")
async def list_flow_versions(name: Name, principal: Reader, services: ServicesOf, paging: PagingOf) -> FlowVersionPage:
    """Returns the versions of a flow, the newest first."""
    async with services.database.tenant(principal.tenant_id) as connection:
        stored = await existing(connection, principal.tenant_id, name)
        rows = await flows.versions(
            connection, principal.tenant_id, stored.id, limit=paging.fetch, before=paging.before
        )
    return paging.page(FlowVersionPage, rows, FlowVersionShown.model_validate)


@router.get("/{name}/versions/{number}", summary="Read a flow's version")
async def get_flow_version(name: Name, number: Number, principal: Reader, services: ServicesOf) -> FlowVersionDetail:
    """Returns a version with the text that was pushed."""
    async with services.database.tenant(principal.tenant_id) as connection:
        stored = await existing(connection, principal.tenant_id, name)
        found = await _version(connection, principal.tenant_id, stored, number)
    return FlowVersionDetail.model_validate(found)


@router.post("/{name}/publish", summary="Publish a flow's version", responses=problem_responses(Kind.COUNT_CHANGED))
async def publish_flow(
    name: Name,
    body: PublishBody,
    principal: Writer,
    services: ServicesOf,
    response: Response,
    *,
    dry_run: Annotated[bool, Query(description="Only say how many series wait at which step.")] = False,
) -> Published:
    """Makes a version the one that new series take, and does with running ones what `mode` says."""
    tenant_id = principal.tenant_id
    async with services.database.tenant(tenant_id) as connection:
        chosen = await _version(
            connection, tenant_id, await existing(connection, tenant_id, name), body.version, pointer="/version"
        )
        await check_calendars(connection, tenant_id, chosen, hold=not dry_run)
        stored = await existing(connection, tenant_id, name, lock=not dry_run)
        waiting = await waiting_at(connection, tenant_id, stored.id)
        publishing = Publishing(flow=stored, version=chosen, mode=body.mode, steps=body.steps, expected=body.expected)
        changed = await publish(connection, principal, publishing, waiting, dry_run=dry_run)
    services.wake()
    response.headers["Cache-Control"] = "no-store"
    return Published(version=body.version, mode=body.mode, changed=changed, waiting=waiting)


async def existing(connection: AsyncConnection, tenant_id: UUID, name: str, *, lock: bool = False) -> StoredFlow:
    """Returns a flow, or raises that there is none."""
    found = await flows.get(connection, tenant_id, name, lock=lock)
    if found is None:
        raise not_found("flow")
    return found


def _definition(name: str, source: str) -> tuple[FlowText, Flow]:
    """Returns a definition and the flow that it is, or raises everything that is wrong with it."""
    text = read_text(source)
    flow = text.flow
    if flow is None:
        raise invalid(*map(under_definition, text.misprints))
    if flow.name != name:
        message = f"the definition calls itself {flow.name!r}, the path {name!r}; make them the same"
        raise invalid(Fault(pointer="/definition/name", message=message))
    return text, flow


async def _push(
    connection: AsyncConnection, principal: Principal, stored: StoredFlow, flow: Flow, source: str
) -> tuple[int, bool]:
    """Adds a version, unless the newest one is the same to the letter."""
    newest = await flows.version(connection, principal.tenant_id, stored.id, stored.newest_number)
    if newest is not None and newest.source == source:
        return newest.number, False
    number = await flows.add_version(
        connection,
        principal.tenant_id,
        stored,
        source=source,
        definition=flow_document(flow),
        starts_on=flow.on,
        hears=heard_events(flow),
    )
    await flows.change(connection, principal.tenant_id, stored.id, title=flow.title)
    await record(connection, principal, "flow.pushed", stored.id, name=stored.name, version=number)
    return number, True


async def _version(
    connection: AsyncConnection, tenant_id: UUID, stored: StoredFlow, number: int, *, pointer: str | None = None
) -> FlowVersion:
    found = await flows.version(connection, tenant_id, stored.id, number)
    if found is None and pointer is not None:
        raise invalid(Fault(pointer=pointer, message=f"the flow has no version {number}; push it first"))
    if found is None:
        raise not_found("version")
    return found


_DONE = {"active": "activated", "paused": "paused"}


def _shown(stored: StoredFlow) -> FlowShown:
    return FlowShown.model_validate(
        {
            **{name: getattr(stored, name) for name in StoredFlow.__dataclass_fields__},
            "published_version": stored.published_number,
            "newest_version": stored.newest_number,
        }
    )
