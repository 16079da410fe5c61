"""Templates over HTTP: what is said, under a name, with what holds where a notification says nothing else."""

from typing import Annotated
from uuid import UUID

from fastapi import Response
from sqlalchemy.ext.asyncio import AsyncConnection

from api.audit import record
from api.auth import Principal, needs
from api.etags import IfMatch, check, etag
from api.openapi import problem_responses
from api.paging import PagingOf
from api.problem_types import Kind
from api.problems import Problem, invalid, not_found
from api.routing import noun_router
from api.scopes import Scope
from api.services import ServicesOf
from api.template_models import Name, NewTemplate, TemplateChanges
from api.template_views import Template, TemplatePage, shown
from db import templates, topics
from db.templates import Template as StoredTemplate
from domain.faults import Fault

router = noun_router("/v1/templates", "Templates")

Reader = Annotated[Principal, needs(Scope.TEMPLATES_READ)]
Writer = Annotated[Principal, needs(Scope.TEMPLATES_WRITE)]


@router.post("", status_code=201, summary="Create a template", responses=problem_responses(Kind.ALREADY_EXISTS))
async def create_template(body: NewTemplate, principal: Writer, services: ServicesOf, response: Response) -> Template:
    """Creates a template without content; add a version and publish it."""
    async with services.database.tenant(principal.tenant_id) as connection:
        created = await templates.create(
            connection,
            principal.tenant_id,
            name=body.name,
            description=body.description,
            channels=[channel.value for channel in body.channels or ()],
            defaults=body.defaults.stored(),
            topic=await _topic(connection, principal.tenant_id, body.topic),
        )
        if created is None:
            raise Problem(Kind.ALREADY_EXISTS, f"A template is named {body.name!r} already; add a version to it.")
        await record(connection, principal, "template.created", body.name)
    response.headers["Location"] = f"/v1/templates/{body.name}"
    response.headers["ETag"] = etag(created.updated_at)
    return shown(created)


@router.get("", summary="List templates")
async def list_templates(principal: Reader, services: ServicesOf, paging: PagingOf) -> TemplatePage:
    """Returns templates, the newest first."""
    async with services.database.tenant(principal.tenant_id) as connection:
        rows = await templates.page(connection, principal.tenant_id, limit=paging.fetch, before=paging.before)
    return paging.page(TemplatePage, rows, shown)


@router.get("/{name}", summary="Read a template")
async def get_template(name: Name, principal: Reader, services: ServicesOf, response: Response) -> Template:
    """Returns a template; its versions are a list of their own."""
    async with services.database.tenant(principal.tenant_id) as connection:
        row = await named(connection, principal.tenant_id, name)
    response.headers["ETag"] = etag(row.updated_at)
    return shown(row)


@router.patch("/{name}", summary="Change a template", responses=problem_responses(Kind.PRECONDITION_FAILED))
async def change_template(
    name: Name,
    body: TemplateChanges,
    principal: Writer,
    services: ServicesOf,
    response: Response,
    if_match: IfMatch = None,
) -> Template:
    """Changes what holds where a notification says nothing else; also for those that are accepted and not yet sent."""
    async with services.database.tenant(principal.tenant_id) as connection:
        row = await named(connection, principal.tenant_id, name, lock=True)
        check(if_match, row.updated_at)
        changes = _changes(body)
        if "topic" in body.model_fields_set:
            changes["topic"] = await _topic(connection, principal.tenant_id, body.topic)
        if changes:
            row = await templates.change(connection, principal.tenant_id, row.id, **changes)
            await record(connection, principal, "template.changed", name, fields=sorted(changes))
    response.headers["ETag"] = etag(row.updated_at)
    return shown(row)


async def named(connection: AsyncConnection, tenant_id: UUID, name: str, *, lock: bool = False) -> StoredTemplate:
    """Returns a template by its name, or raises that there is none."""
    found = await templates.get(connection, tenant_id, name, lock=lock)
    if found is None:
        raise not_found("template")
    return found


async def _topic(connection: AsyncConnection, tenant_id: UUID, name: str | None) -> str | None:
    """Returns the name of a topic that exists, and keeps it from being removed before this is committed."""
    if name is not None and not await topics.hold(connection, tenant_id, name):
        raise invalid(Fault(pointer="/topic", message=f"there is no topic {name!r}; create it, or correct the name"))
    return name


def _changes(body: TemplateChanges) -> dict[str, object]:
    changes: dict[str, object] = {}
    if body.description is not None:
        changes["description"] = body.description
    if body.channels is not None:
        changes["channels"] = [channel.value for channel in dict.fromkeys(body.channels)]
    if body.defaults is not None:
        changes["defaults"] = body.defaults.stored()
    return changes
