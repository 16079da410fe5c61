"""Recipients: whom messages reach, found by the id that their tenant gave them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import Boolean, delete, func, literal_column, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from db import consents
from db.consents import Subject
from db.delivery_tables import notification
from db.series_tables import series
from db.tables import address, recipient


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """A person or a mailbox."""

    id: UUID
    external_id: str
    name: str | None
    locale: str | None
    zone: str | None
    attributes: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime

    def profile(self) -> "Profile":
        """Returns what the tenant said about the recipient."""
        return Profile(name=self.name, locale=self.locale, zone=self.zone, attributes=self.attributes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a tenant says about a recipient."""

    name: str | None = None
    locale: str | None = None
    zone: str | None = None
    attributes: Mapping[str, Any]


_SHOWN = tuple(column for column in recipient.c if column.name != "tenant_id")
_PROFILE = ("name", "locale", "zone", "attributes")


async def get(
    connection: AsyncConnection, tenant_id: UUID, external_id: str, *, lock: bool = False
) -> Recipient | None:
    """Returns a recipient by its tenant's id for it; `lock` keeps others from changing it in this transaction."""
    query = select(*_SHOWN).where(recipient.c.tenant_id == tenant_id, recipient.c.external_id == external_id)
    row = (await connection.execute(query.with_for_update() if lock else query)).mappings().one_or_none()
    return Recipient(**row) if row else None


async def by_id(connection: AsyncConnection, tenant_id: UUID, recipient_id: UUID) -> Recipient | None:
    """Returns a recipient by our id for it."""
    query = select(*_SHOWN).where(recipient.c.tenant_id == tenant_id, recipient.c.id == recipient_id)
    row = (await connection.execute(query)).mappings().one_or_none()
    return Recipient(**row) if row else None


async def put(
    connection: AsyncConnection, tenant_id: UUID, external_id: str, profile: Profile
) -> tuple[Recipient, bool]:
    """Creates a recipient or replaces its profile; returns it, and whether it is new."""
    values = {name: getattr(profile, name) for name in _PROFILE}
    statement = insert(recipient).values(
        tenant_id=tenant_id, id=uuid_utils.compat.uuid7(), external_id=external_id, **values
    )
    statement = statement.on_conflict_do_update(
        index_elements=[recipient.c.tenant_id, recipient.c.external_id], set_={**values, "updated_at": func.now()}
    )
    is_new = literal_column("xmax = 0", Boolean).label("is_new")
    row = (await connection.execute(statement.returning(*_SHOWN, is_new))).mappings().one()
    return Recipient(**{name: value for name, value in row.items() if name != "is_new"}), row["is_new"]


async def touch(connection: AsyncConnection, tenant_id: UUID, recipient_id: UUID) -> None:
    """Notes that something of the recipient changed, so that its version does too."""
    statement = update(recipient).where(recipient.c.tenant_id == tenant_id, recipient.c.id == recipient_id)
    await connection.execute(statement.values(updated_at=func.now()))


# Conditions of flows see people; what they saw of this one goes, that they held stays.
_FORGET_WHAT_WAS_SEEN = text("""
UPDATE series_entry AS e SET detail = e.detail - 'judged' - 'saw'
FROM series AS s
WHERE s.tenant_id = :tenant AND s.receiver_id = :receiver AND e.tenant_id = s.tenant_id AND e.series_id = s.id
  AND e.kind IN ('branch', 'until') AND e.detail::text LIKE '%"recipient.%'
""")


async def erase(connection: AsyncConnection, tenant_id: UUID, recipient_id: UUID) -> None:
    """Removes a recipient, its addresses, and what conditions saw of it; its notifications stay without owner."""
    await consents.erase(connection, tenant_id, Subject.recipient(recipient_id))
    owned = (notification.c.tenant_id == tenant_id, notification.c.receiver_id == recipient_id)
    await connection.execute(update(notification).where(*owned).values(receiver_id=None))
    concerned = (series.c.tenant_id == tenant_id, series.c.receiver_id == recipient_id)
    await connection.execute(_FORGET_WHAT_WAS_SEEN, {"tenant": tenant_id, "receiver": recipient_id})
    await connection.execute(update(series).where(*concerned).values(receiver_id=None))
    await connection.execute(
        delete(address).where(address.c.tenant_id == tenant_id, address.c.recipient_id == recipient_id)
    )
    await connection.execute(
        delete(recipient).where(recipient.c.tenant_id == tenant_id, recipient.c.id == recipient_id)
    )


async def page(
    connection: AsyncConnection,
    tenant_id: UUID,
    *,
    external_id: str | None = None,
    addressed: Sequence[str] = (),
    limit: int,
    before: UUID | None,
) -> list[Recipient]:
    """Returns recipients, the newest first; `addressed` asks for those who have one of these addresses."""
    query = select(*_SHOWN).where(recipient.c.tenant_id == tenant_id)
    if external_id is not None:
        query = query.where(recipient.c.external_id == external_id)
    if addressed:
        owners = select(address.c.recipient_id).where(address.c.tenant_id == tenant_id, address.c.value.in_(addressed))
        query = query.where(recipient.c.id.in_(owners))
    if before is not None:
        query = query.where(recipient.c.id < before)
    rows = await connection.execute(query.order_by(recipient.c.id.desc()).limit(limit))
    return [Recipient(**row) for row in rows.mappings()]
