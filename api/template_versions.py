"""Versions of templates over HTTP: immutable, published whole, rolled back by publishing an old one."""

import asyncio
from typing import Annotated

from fastapi import Query, Response

from api.audit import record
from api.paging import PagingOf
from api.problems import invalid, not_found
from api.routing import noun_router
from api.services import ServicesOf
from api.template_checks import check_content
from api.template_models import Name, NewVersion, Number
from api.template_views import (
    Difference,
    Template,
    Version,
    VersionPage,
    domain_version,
    shown,
    shown_changes,
    shown_summary,
    shown_version,
)
from api.templates import Reader, Writer, named
from db import templates
from domain.template_diff import diff

router = noun_router("/v1/templates/{name}", "Templates")

Compared = Annotated[int, Query(ge=1, le=2**31 - 1)]


@router.post(
    "/versions",
    status_code=201,
    summary="Add a version",
    responses={200: {"description": "The latest version, which says exactly this.", "model": Version}},
)
async def add_version(
    name: Name, body: NewVersion, principal: Writer, services: ServicesOf, response: Response
) -> Version:
    """Adds a version as a draft; content that is the latest version's already adds nothing."""
    if faults := await asyncio.to_thread(check_content, name, body):
        raise invalid(*faults)
    async with services.database.tenant(principal.tenant_id) as connection:
        of = await named(connection, principal.tenant_id, name, lock=True)
        latest = await templates.version(connection, principal.tenant_id, of.id, of.latest_number)
        if latest is not None and latest.content_hash == body.content_hash():
            response.status_code = 200
            return shown_version(of, latest)
        new = templates.NewVersion(
            parts=body.stored_parts(),
            variables=body.stored_variables(),
            content_hash=body.content_hash(),
            note=body.note,
            created_by=principal.actor,
        )
        added = await templates.add_version(connection, principal.tenant_id, of, new)
        await record(connection, principal, "template.version_added", name, number=added.number)
    response.headers["Location"] = f"/v1/templates/{name}/versions/{added.number}"
    return shown_version(of, added)


@router.get("/versions", summary="List versions")
async def list_versions(name: Name, principal: Reader, services: ServicesOf, paging: PagingOf) -> VersionPage:
    """Returns the versions of a template, the newest first, without their content."""
    async with services.database.tenant(principal.tenant_id) as connection:
        of = await named(connection, principal.tenant_id, name)
        rows = await templates.versions(
            connection, principal.tenant_id, of.id, limit=paging.fetch, before=paging.before
        )
    return paging.page(VersionPage, rows, lambda row: shown_summary(of, row))


@router.get("/versions/{number}", summary="Read a version")
async def get_version(name: Name, number: Number, principal: Reader, services: ServicesOf) -> Version:
    """Returns a version with its content."""
    async with services.database.tenant(principal.tenant_id) as connection:
        of = await named(connection, principal.tenant_id, name)
        row = await templates.version(connection, principal.tenant_id, of.id, number)
    if row is None:
        raise not_found("version")
    return shown_version(of, row)


@router.post("/versions/{number}/publish", summary="Publish a version")
async def publish_version(name: Name, number: Number, principal: Writer, services: ServicesOf) -> Template:
    """Makes a version the one that is sent from now on; what was accepted before keeps its own.

    Publishing an older version takes a newer one back.
    """
    async with services.database.tenant(principal.tenant_id) as connection:
        of = await named(connection, principal.tenant_id, name, lock=True)
        if await templates.version(connection, principal.tenant_id, of.id, number) is None:
            raise not_found("version")
        if of.published_number == number:
            return shown(of)
        published = await templates.publish(connection, principal.tenant_id, of, number)
        noted = {"number": number, "former": of.published_number}
        await record(connection, principal, "template.published", name, **noted)
    return shown(published)


@router.get("/diff", summary="Compare two versions")
async def compare_versions(
    name: Name,
    principal: Reader,
    services: ServicesOf,
    old: Annotated[Compared, Query(alias="from")],
    new: Annotated[Compared, Query(alias="to")],
) -> Difference:
    """Returns what changed between two versions, part by part, field by field."""
    async with services.database.tenant(principal.tenant_id) as connection:
        of = await named(connection, principal.tenant_id, name)
        both = [await templates.version(connection, principal.tenant_id, of.id, number) for number in (old, new)]
    before, after = both
    if before is None or after is None:
        raise not_found("version")
    changes = diff(domain_version(of, before), domain_version(of, after))
    return Difference(from_version=old, to_version=new, changes=shown_changes(changes))
