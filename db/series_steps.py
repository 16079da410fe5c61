"""What single steps of a series read and change."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from db.series import Series
from db.tables import address, recipient
from domain.calendar import shift, zone_of
from domain.durations import Span
from domain.flow_steps import Throttle
from domain.recipients import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """What a tenant says of whom a series is for."""

    external_id: str
    name: str | None
    locale: str | None
    zone: str | None
    attributes: Mapping[str, Any] = field(repr=False)


# What was sent, and each series that was let through and may still send for that: once, however often.
_SENT = text("""
SELECT count(*) FILTER (WHERE e.kind = 'sent') + count(DISTINCT s.id) FILTER (WHERE e.kind = 'throttle')
FROM series AS s JOIN series_entry AS e ON e.tenant_id = s.tenant_id AND e.series_id = s.id
WHERE s.tenant_id = :tenant AND s.flow_id = :flow AND s."to" = :to AND s.to_kind = :kind AND e.at > :since
  AND (
    e.kind = 'sent'
    OR e.kind = 'throttle' AND NOT e.detail ? 'stop' AND s.id <> :series AND s.ended_at IS NULL
    AND NOT EXISTS (
        SELECT FROM series_entry AS later
        WHERE later.tenant_id = s.tenant_id AND later.series_id = s.id AND later.number > e.number
          AND (
            later.kind IN ('sent', 'skipped', 'branch', 'heard', 'timeout', 'round', 'consent')
            OR later.kind = 'quiet' AND later.detail ->> 'mode' = 'skip'
          )
    )
  )
""")
# Series that come here at once wait for each other, each until what the one before sends is counted.
_ONE_BY_ONE = text("SELECT pg_advisory_xact_lock(hashtextextended(CAST(:place AS text), 0))")


async def receiver(connection: AsyncConnection, tenant_id: UUID, receiver_id: UUID | None) -> Receiver | None:
    """Returns whom a series is for, as it is now."""
    if receiver_id is None:
        return None
    columns = (recipient.c[name] for name in Receiver.__dataclass_fields__)
    asked = select(*columns).where(recipient.c.tenant_id == tenant_id, recipient.c.id == receiver_id)
    row = (await connection.execute(asked)).mappings().one_or_none()
    return Receiver(**row) if row else None


async def by_external_id(
    connection: AsyncConnection, tenant_id: UUID, external_id: str
) -> tuple[UUID, Receiver] | None:
    """Returns a recipient by its tenant's own id, with ours."""
    return await _one(connection, tenant_id, recipient.c.external_id == external_id)


async def holder(connection: AsyncConnection, tenant_id: UUID, held: Address) -> tuple[UUID, Receiver] | None:
    """Returns the recipient who has an address, if it is exactly one."""
    owners = select(address.c.recipient_id).where(
        address.c.tenant_id == tenant_id, address.c.kind == held.kind.value, address.c.value == held.value
    )
    return await _one(connection, tenant_id, recipient.c.id.in_(owners))


async def _one(connection: AsyncConnection, tenant_id: UUID, condition: Any) -> tuple[UUID, Receiver] | None:
    names = tuple(Receiver.__dataclass_fields__)
    asked = select(recipient.c.id, *(recipient.c[name] for name in names)).where(
        recipient.c.tenant_id == tenant_id, condition
    )
    rows = (await connection.execute(asked.limit(2))).all()
    if len(rows) != 1:
        return None
    return rows[0].id, Receiver(**{name: getattr(rows[0], name) for name in names})


async def throttled(
    connection: AsyncConnection, tenant_id: UUID, row: Series, step: Throttle, now: datetime
) -> dict[str, Any]:
    """Returns how many messages of the flow its recipient got lately, and why the series stops where it is enough."""
    back = Span(months=-step.per.months, days=-step.per.days, exact=-step.per.exact)
    since = shift(now, back, zone_of(row.zone or "UTC"))
    asked = {
        "tenant": tenant_id,
        "flow": row.flow_id,
        "to": row.to,
        "kind": row.to_kind,
        "since": since,
        "series": row.id,
    }
    await connection.execute(_ONE_BY_ONE, {"place": f"throttle/{tenant_id}/{row.flow_id}/{row.to_kind}/{row.to}"})
    count: int = (await connection.execute(_SENT, asked)).scalar_one()
    return {"sent": count, **({"stop": "throttled"} if count >= step.most else {})}


async def change_receiver(
    connection: AsyncConnection,
    tenant_id: UUID,
    receiver_id: UUID,
    attributes: Mapping[str, Any],
    profile: Mapping[str, Any],
) -> None:
    """Changes a recipient: attributes are merged into those that are there."""
    statement = update(recipient).where(recipient.c.tenant_id == tenant_id, recipient.c.id == receiver_id)
    merged = recipient.c.attributes.concat(dict(attributes))
    await connection.execute(statement.values(attributes=merged, updated_at=func.now(), **profile))
