"""The templates: what can be said, in which versions, and how it will look."""

from typing import Annotated, Any

from fastapi import Query, Request, Response
from fastapi.responses import HTMLResponse

from api.paging import PagingOf
from api.problems import Problem, not_found
from api.scopes import Scope
from api.services import Services, ServicesOf
from api.template_models import Name, Number, Preview
from api.template_trials import preview_template
from api.template_versions import get_version
from api.template_views import Previewed, TemplatePage, VersionPage, shown, shown_summary
from api.templates import named
from db import templates
from domain.recipients import Channel
from web.rendering import render
from web.routing import page_router
from web.session import Session, signed_in

router = page_router("/templates")

Reader = Annotated[Session, signed_in(Scope.TEMPLATES_READ)]
PartKey = Annotated[str, Query(max_length=80, description="`channel/locale`; the first part unless given.")]

# A mail is somebody else's document: it may style itself and nothing more, and has no origin to act for.
_MAIL_HEADERS = {
    "Content-Security-Policy": (
        "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; "
        "frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
    ),
    "X-Frame-Options": "SAMEORIGIN",
}


@router.get("")
async def template_list(request: Request, session: Reader, services: ServicesOf, paging: PagingOf) -> Response:
    """Shows the templates, the newest first."""
    tenant_id = session.principal.tenant_id
    async with services.database.tenant(tenant_id) as connection:
        rows = await templates.page(connection, tenant_id, limit=paging.fetch, before=paging.before)
    found = paging.page(TemplatePage, rows, shown)
    older = f"{router.prefix}?cursor={found.next_cursor}" if found.next_cursor else None
    return render(request, "template_list.html", rows=found.data, older=older, first=paging.before is None)


@router.get("/{name}")
async def template_page(
    request: Request, name: Name, session: Reader, services: ServicesOf, paging: PagingOf
) -> Response:
    """Shows a template and its versions, the newest first."""
    tenant_id = session.principal.tenant_id
    async with services.database.tenant(tenant_id) as connection:
        of = await named(connection, tenant_id, name)
        rows = await templates.versions(connection, tenant_id, of.id, limit=paging.fetch, before=paging.before)
    found = paging.page(VersionPage, rows, lambda row: shown_summary(of, row))
    older = f"{router.prefix}/{name}?cursor={found.next_cursor}" if found.next_cursor else None
    first = paging.before is None
    return render(request, "template.html", one=shown(of), versions=found.data, older=older, first=first)


@router.get("/{name}/versions/{number}")
async def version_page(
    request: Request, name: Name, number: Number, session: Reader, services: ServicesOf, part: PartKey = ""
) -> Response:
    """Shows a version, and one of its parts filled in with the examples of its variables."""
    version = await get_version(name, number, session.principal, services)
    parts = [f"{item['channel']}/{item['locale']}" for item in version.parts]
    chosen = part or next(iter(parts), "")
    if chosen not in parts:
        raise not_found("part")
    try:
        preview, faults = await _preview(services, session, name, number, chosen), []
    except Problem as problem:
        preview, faults = None, problem.errors or [{"pointer": "", "detail": str(problem.detail)}]
    return render(
        request,
        "version.html",
        name=name,
        one=version,
        parts=parts,
        chosen=chosen,
        source=version.parts[parts.index(chosen)]["content"],
        preview=preview,
        faults=faults,
    )


@router.get("/{name}/versions/{number}/mail")
async def mail(name: Name, number: Number, session: Reader, services: ServicesOf, part: PartKey) -> Response:
    """Returns the HTML of a mail, filled in with examples, for the frame of the version's page."""
    preview = await _preview(services, session, name, number, part)
    html = (preview.content or {}).get("html")
    if html is None:
        raise not_found("mail")
    return HTMLResponse(html, headers=_MAIL_HEADERS)


async def _preview(services: Services, session: Session, name: str, number: int, part: str) -> Previewed:
    channel, _, locale = part.partition("/")
    if channel not in set(Channel):
        raise not_found("part")
    chosen: dict[str, Any] = {} if locale == "default" else {"locale": locale}
    body = Preview(version=number, channel=Channel(channel), **chosen)
    return await preview_template(name, body, session.principal, services)
