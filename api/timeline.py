"""The timeline over HTTP: everything that happened, in order, each with a sentence that says it."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Path
from pydantic import Field

from api.auth import Principal, needs
from api.models import JsonObject, Shown
from api.notification_models import NotificationId
from api.notification_views import sentence
from api.paging import Page, PagingOf
from api.problems import not_found
from api.routing import noun_router
from api.scopes import Scope
from api.sentences import summary
from api.services import ServicesOf
from db import notifications, timeline
from db.timeline import Entry

router = noun_router("/v1", "Notifications")

Reader = Annotated[Principal, needs(Scope.NOTIFICATIONS_READ)]
MOST_ENTRIES = 1_000


class TimelineEntry(Shown):
    """Something that happened."""

    at: datetime
    kind: str = Field(description="`notification.accepted`, `decision.…`, `attempt.…`, `receipt.…`, `reply.received` …")
    summary: str = Field(description="What happened, in words.")
    reason: str | None = Field(description="Code of why, where there is one; see the reference of reasons.")
    reason_text: str | None = Field(description="The reason in a sentence.")
    detail: JsonObject


class ResourceEntry(TimelineEntry):
    """Something that happened to one of a resource's notifications."""

    notification_id: UUID


class Timeline(Shown):
    """Everything that happened to a notification, from the beginning."""

    notification_id: UUID
    entries: list[TimelineEntry]
    complete: bool = Field(description=f"False when there are more than {MOST_ENTRIES:,} entries.")


class ResourceTimeline(Page[ResourceEntry]):
    """A page of what happened to a resource's notifications."""


@router.get("/notifications/{notification_id}/timeline", summary="Read a notification's timeline")
async def get_notification_timeline(
    notification_id: NotificationId, principal: Reader, services: ServicesOf
) -> Timeline:
    """Returns everything that happened to a notification, from the beginning, with reasons."""
    async with services.database.snapshot(principal.tenant_id) as connection:
        if not await notifications.exists(connection, principal.tenant_id, notification_id):
            raise not_found("notification")
        rows = await timeline.of_notification(connection, principal.tenant_id, notification_id, limit=MOST_ENTRIES + 1)
    entries = [TimelineEntry(**_fields(row)) for row in rows[:MOST_ENTRIES]]
    return Timeline(notification_id=notification_id, entries=entries, complete=len(rows) <= MOST_ENTRIES)


@router.get("/resources/{resource_type}/{resource_id:path}/timeline", summary="Read a resource's timeline")
async def get_resource_timeline(
    resource_type: Annotated[str, Path(min_length=1, max_length=128, examples=["invoice"])],
    resource_id: Annotated[str, Path(min_length=1, max_length=256, examples=["1042"])],
    principal: Reader,
    services: ServicesOf,
    paging: PagingOf,
) -> ResourceTimeline:
    """Returns what happened to the notifications about a resource, the newest first; empty when there are none."""
    async with services.database.tenant(principal.tenant_id) as connection:
        rows = await timeline.of_resource(
            connection,
            principal.tenant_id,
            kind=resource_type,
            name=resource_id,
            limit=paging.fetch,
            before=paging.before,
        )
    return paging.page(ResourceTimeline, rows, _resource_entry, key=lambda row: row.position)


def _resource_entry(row: Entry) -> ResourceEntry:
    return ResourceEntry(**_fields(row), notification_id=row.notification_id)


def _fields(row: Entry) -> dict[str, object]:
    return {
        "at": row.at,
        "kind": row.kind,
        "summary": summary(row),
        "reason": row.reason,
        "reason_text": sentence(row.reason),
        "detail": dict(row.detail),
    }
