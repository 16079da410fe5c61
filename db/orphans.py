"""Parked notifications that nobody visits any more: parked a moment after what kept them had been mended."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.json import encode
from domain.operations import REPLACED, ParkedFilter
from domain.recipients import Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """How far a look at what is parked has come."""

    tenant_id: UUID
    cause: str
    id: UUID

    def as_cursor(self) -> str:
        """Returns the place as text."""
        return f"{self.tenant_id}/{self.cause}/{self.id}"

    @classmethod
    def parse(cls, cursor: str | None) -> Self:
        """Returns the place that `as_cursor` wrote, or the one before all others."""
        if not cursor:
            return cls(tenant_id=UUID(int=0), cause="", id=UUID(int=0))
        tenant_id, cause, name = cursor.split("/")
        return cls(tenant_id=UUID(tenant_id), cause=cause, id=UUID(name))


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedRow:
    """A parked notification, with what decides which accounts could carry it."""

    tenant_id: UUID
    id: UUID
    cause: str
    account_id: UUID | None
    template_version_id: UUID
    sender: UUID | None
    channels: Sequence[str] | None
    parked_at: datetime

    @property
    def place(self) -> Place:
        """Returns where a look goes on after this one."""
        return Place(tenant_id=self.tenant_id, cause=self.cause, id=self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """An account, the subjects of its circuits that are not closed, and when it or one of them changed last."""

    id: UUID
    channel: Channel
    state: str
    troubled: Collection[str]
    changed_at: datetime


# Through the index of what is parked, whose order this is: a bounded piece of it, whatever the length of the whole.
_PARKED = text("""
SELECT tenant_id, id, parked_cause AS cause, parked_account_id AS account_id, template_version_id, sender, channels,
       parked_at
FROM notification
WHERE parked_at IS NOT NULL
  AND (tenant_id, parked_cause, id) > (CAST(:tenant AS uuid), CAST(:cause AS text), CAST(:id AS uuid))
ORDER BY tenant_id, parked_cause, id LIMIT :most
""")
_CHANNELS = text("""
SELECT v.id, t.channels FROM template_version AS v
JOIN template AS t ON t.tenant_id = v.tenant_id AND t.id = v.template_id
WHERE v.tenant_id = :tenant AND v.id = ANY(CAST(:versions AS uuid[]))
""")
_CARRIERS = text("""
SELECT a.id, a.channel, a.state,
       coalesce(array_agg(c.subject) FILTER (WHERE c.state <> 'closed'), '{}') AS troubled,
       greatest(a.updated_at, max(c.updated_at)) AS changed_at
FROM account AS a LEFT JOIN circuit AS c ON c.tenant_id = a.tenant_id AND c.account_id = a.id
WHERE a.tenant_id = :tenant AND a.state <> 'retired'
GROUP BY a.tenant_id, a.id
""")
# Whose filter is contained in the group's means all of the group; when something was parked restricts no group.
_ATTENDED = text("""
SELECT EXISTS (
    SELECT FROM operation
    WHERE tenant_id = :tenant AND kind = 'resume'
      AND CAST(:meant AS jsonb) @> (filter - 'parked_after' - 'parked_before')
      AND (state IN ('pending', 'running') OR finished_at > :since
           OR (state = 'stopped' AND finished_at > :mended AND NOT starts_with(coalesce(reason, ''), :ended)))
)
""")


async def read(connection: AsyncConnection, after: Place, *, most: int) -> list[ParkedRow]:
    """Returns the next of all tenants' parked notifications, by tenant and cause."""
    asked = {"tenant": after.tenant_id, "cause": after.cause, "id": after.id, "most": most}
    return [ParkedRow(**row) for row in (await connection.execute(_PARKED, asked)).mappings()]


async def channels(connection: AsyncConnection, tenant_id: UUID, versions: Collection[UUID]) -> dict[UUID, list[str]]:
    """Returns the channels of templates, by version."""
    asked: dict[str, Any] = {"tenant": tenant_id, "versions": list(versions)}
    return {row.id: row.channels for row in await connection.execute(_CHANNELS, asked)}


async def carriers(connection: AsyncConnection, tenant_id: UUID) -> list[Carrier]:
    """Returns a tenant's accounts that are not retired."""
    rows = (await connection.execute(_CARRIERS, {"tenant": tenant_id})).mappings()
    return [Carrier(**{**row, "channel": Channel(row["channel"])}) for row in rows]


async def is_attended(
    connection: AsyncConnection, tenant_id: UUID, meant: ParkedFilter, *, since: datetime, mended: datetime
) -> bool:
    """Tells whether an operation resumes all that a filter means, or did so after `since`.

    One that somebody stopped after what was `mended` counts too: these are meant to stay parked.
    """
    asked = {
        "tenant": tenant_id,
        "meant": encode(meant.as_document()),
        "since": since,
        "mended": mended,
        "ended": REPLACED,
    }
    return bool((await connection.execute(_ATTENDED, asked)).scalar_one())
