"""Mending a notification whose workflow is not what it should be, under the lock that claims and records take too."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from db import decisions, ledger, outbox
from db.delivery_tables import notification
from db.tables import outbox as outbox_table
from domain import keys
from domain.notifications import Ending
from domain.reasons import Reason
from domain.recovery import Standing
from domain.starts import STARTING, notification_start
from domain.status import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A notification under its lock, as its repair needs it.

    Attributes:
        leased: A dispatcher may be handing that start over at this moment.
        start: What its workflow is started with.
    """

    notification_id: UUID
    status: Status
    standing: Standing
    ended_at: datetime | None
    leased: bool
    lane: int
    start: Mapping[str, Any] = field(repr=False)


# The lock comes first: what the rest of the statement reads is then as the last holder left it.
_LOCK = text("SELECT id FROM notification WHERE tenant_id = :tenant AND id = :id FOR NO KEY UPDATE")
_CASE = text("""
SELECT n.status, n.created_at, n.send_at, n.expires_at, n.ended_at, n.lane, n.template, n.resource_type, n.resource_id,
       n.trigger_type, n.channels, o.id IS NOT NULL AS waits, coalesce(o.leased_until > now(), false) AS leased,
       EXISTS (SELECT FROM message AS m JOIN attempt AS a ON a.tenant_id = m.tenant_id AND a.message_id = m.id
               WHERE m.tenant_id = n.tenant_id AND m.notification_id = n.id
                 AND a.state IN ('sending', 'unknown')) AS doubtful
FROM notification AS n LEFT JOIN LATERAL (
    SELECT id, leased_until FROM outbox
    WHERE tenant_id = n.tenant_id AND dedup_key IN (:start, :page_start || n.page_id) LIMIT 1
) AS o ON true
WHERE n.tenant_id = :tenant AND n.id = :id
""")


async def read(connection: AsyncConnection, tenant_id: UUID, notification_id: UUID) -> Case | None:
    """Locks a notification until the transaction ends and returns it, or None where there is none."""
    keys_of_start = {"start": _start_key(notification_id), "page_start": keys.start_of(keys.page_workflow(""))}
    asked = {"tenant": tenant_id, "id": notification_id, **keys_of_start}
    await connection.execute(_LOCK, {"tenant": tenant_id, "id": notification_id})
    row = (await connection.execute(_CASE, asked)).mappings().one_or_none()
    if row is None:
        return None
    return Case(
        notification_id=notification_id,
        status=Status(row["status"]),
        standing=Standing(
            created_at=row["created_at"], send_at=row["send_at"], doubtful=row["doubtful"], waits=row["waits"]
        ),
        ended_at=row["ended_at"],
        leased=row["leased"],
        lane=row["lane"],
        start=notification_start(tenant_id, notification_id, **{name: row[name] for name in STARTING}),
    )


async def start(connection: AsyncConnection, tenant_id: UUID, case: Case) -> None:
    """Leaves the start of a notification's workflow in the outbox, unless it is there; no page may attempt it then."""
    mine = (notification.c.tenant_id == tenant_id, notification.c.id == case.notification_id)
    await connection.execute(
        update(notification).where(*mine, notification.c.page_id.is_not(None)).values(page_id=None)
    )
    workflow_id = keys.notification_workflow(str(case.notification_id))
    await outbox.add_starts(connection, tenant_id, [(workflow_id, case.lane, dict(case.start))])


async def end(
    connection: AsyncConnection, tenant_id: UUID, case: Case, *, status: Status, reason: Reason | None
) -> Status:
    """Ends a notification by the rules of every end, takes its start out of the outbox, and returns its status."""
    start_key = outbox_table.c.dedup_key == _start_key(case.notification_id)
    await connection.execute(delete(outbox_table).where(outbox_table.c.tenant_id == tenant_id, start_key))
    ending = Ending(tenant_id=str(tenant_id), notification_id=str(case.notification_id), status=status, reason=reason)
    return await decisions.end(connection, tenant_id, ending)


async def call_unknown(connection: AsyncConnection, tenant_id: UUID, notification_id: UUID) -> Status | None:
    """Calls attempts unknown that a dead process left in a notification that has ended, and returns its status."""
    if "sending" not in await ledger.attempt_states(connection, tenant_id, notification_id):
        return None
    await decisions.close_attempts(connection, tenant_id, notification_id)
    row = await ledger.read(connection, tenant_id, notification_id)
    return await ledger.summarise_again(connection, tenant_id, row) if row else None


def _start_key(notification_id: UUID) -> str:
    return keys.start_of(keys.notification_workflow(str(notification_id)))
