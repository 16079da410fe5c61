"""The audit trail over HTTP, and the one way in which handlers write to it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query
from sqlalchemy.ext.asyncio import AsyncConnection

from api.auth import Principal, needs
from api.models import JsonObject, Moment, Shown
from api.paging import Page, PagingOf
from api.routing import noun_router
from api.services import ServicesOf
from db import audit
from db.audit import AuditFilter, Change

router = noun_router("/v1/audit", "Audit")

Wanted = Annotated[str | None, Query(max_length=300)]


class AuditEntry(Shown):
    """Who did what to which thing, and when."""

    id: UUID
    actor: str
    action: str
    subject_type: str
    subject_id: str
    detail: JsonObject
    created_at: datetime


class AuditPage(Page[AuditEntry]):
    """A page of audit entries."""


async def record(
    connection: AsyncConnection, principal: Principal, action: str, subject_id: UUID | str, **detail: Any
) -> None:
    """Writes down that `principal` did `action` (`account.suspended`) to a thing, in the change's own transaction."""
    subject_type = action.partition(".")[0]
    change = Change(
        actor=principal.actor, action=action, subject_type=subject_type, subject_id=str(subject_id), detail=detail
    )
    await audit.record(connection, principal.tenant_id, change)


async def record_all(
    connection: AsyncConnection, principal: Principal, action: str, subject_ids: Sequence[UUID], **detail: Any
) -> None:
    """Writes down that `principal` did the same to many things, one entry for each."""
    subject_type = action.partition(".")[0]
    changes = [
        Change(actor=principal.actor, action=action, subject_type=subject_type, subject_id=str(one), detail=detail)
        for one in subject_ids
    ]
    await audit.record_all(connection, principal.tenant_id, changes)


@router.get("", summary="List what was changed")
async def list_audit_entries(
    principal: Annotated[Principal, needs("audit:read")],
    services: ServicesOf,
    paging: PagingOf,
    *,
    actor: Wanted = None,
    action: Annotated[str | None, Query(max_length=100, examples=["account.suspended"])] = None,
    subject_type: Wanted = None,
    subject_id: Wanted = None,
    since: Moment | None = None,
    until: Moment | None = None,
) -> AuditPage:
    """Returns audit entries, the newest first; `since` is included, `until` is not."""
    wanted = AuditFilter(
        actor=actor, action=action, subject_type=subject_type, subject_id=subject_id, since=since, until=until
    )
    async with services.database.tenant(principal.tenant_id) as connection:
        rows = await audit.page(
            connection, principal.tenant_id, wanted=wanted, limit=paging.fetch, before=paging.before
        )
    return paging.page(AuditPage, rows, AuditEntry.model_validate)
