"""Findings over HTTP: what housekeeping and reconciling came upon in a tenant's rows, and what was done about it."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query
from pydantic import Field

from api.auth import Principal, needs
from api.models import JsonObject, Moment, Shown
from api.paging import Page, PagingOf
from api.routing import noun_router
from api.scopes import Scope
from api.services import ServicesOf
from db import findings
from db.findings import FindingFilter
from domain.findings import SENTENCES, Kind, Repair

router = noun_router("/v1/findings", "Findings")


class Finding(Shown):
    """Something that had stalled or did not fit, and what became of it."""

    id: UUID
    kind: Kind
    sentence: Annotated[str, Field(description="The kind in words.")]
    subject_type: str
    subject_id: str
    state: Literal["open", "repaired"]
    repair: Annotated[Repair | None, Field(description="What was done; null while nothing was.")]
    detail: JsonObject
    times: Annotated[int, Field(description="How often it was found.")]
    found_at: Moment
    last_found_at: Moment
    repaired_at: Moment | None


class FindingPage(Page[Finding]):
    """A page of findings."""


@router.get("", summary="List what housekeeping found")
async def list_findings(
    principal: Annotated[Principal, needs(Scope.NOTIFICATIONS_READ)],
    services: ServicesOf,
    paging: PagingOf,
    *,
    kind: Kind | None = None,
    state: Literal["open", "repaired"] | None = None,
    subject_type: Annotated[str | None, Query(max_length=100, examples=["notification"])] = None,
    subject_id: Annotated[str | None, Query(max_length=500)] = None,
    since: Annotated[Moment | None, Query(description="Found then or later, for the last time.")] = None,
) -> FindingPage:
    """Returns findings, the one that was found first at the latest moment first.

    A kind is found once about each subject; when it comes again, `times` and `last_found_at` tell.
    """
    wanted = FindingFilter(
        kind=kind.value if kind else None, state=state, subject_type=subject_type, subject_id=subject_id, since=since
    )
    async with services.database.tenant(principal.tenant_id) as connection:
        rows = await findings.page(
            connection, principal.tenant_id, wanted=wanted, limit=paging.fetch, before=paging.before
        )
    return paging.page(FindingPage, rows, _shown)


def _shown(row: findings.Finding) -> Finding:
    fields = {name: getattr(row, name) for name in findings.Finding.__dataclass_fields__}
    return Finding(sentence=SENTENCES[Kind(row.kind)], **fields)
