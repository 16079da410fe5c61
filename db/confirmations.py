"""Consent that somebody confirmed, as an event: kept once, and heard by the series that run for them."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from db import events
from db.consents import NewConsent
from db.events import NewEvent
from db.recipients import Recipient
from db.series import lock_many
from db.series_hearing import NewHearing, hear
from db.series_tables import series

SOURCE = "carillon"
CONFIRMED = "consent.confirmed"


async def hold(connection: AsyncConnection, tenant_id: UUID, owner: Recipient) -> None:
    """Locks the running series of a recipient before consent is kept, as a look that asks locks them."""
    await lock_many(connection, tenant_id, await _running(connection, tenant_id, owner))


async def tell(connection: AsyncConnection, tenant_id: UUID, owner: Recipient, said: NewConsent) -> None:
    """Keeps the event of a confirmed consent, and lets every running series of the recipient hear it."""
    data = {
        "recipient": owner.external_id,
        "topic": said.topic,
        "channel": said.channel.value if said.channel else None,
    }
    new = NewEvent(
        source=SOURCE,
        event_id=said.cause or "",
        type=CONFIRMED,
        subject=owner.external_id,
        data=data,
        occurred_at=said.at,
    )
    kept = await events.keep(connection, tenant_id, new)
    if kept is None:
        return
    news = [
        NewHearing(series_id=one, cause=f"event/{kept}", kind="event", name=CONFIRMED, at=said.at, data=data)
        for one in await _running(connection, tenant_id, owner)
    ]
    told = await hear(connection, tenant_id, news)
    await events.count(connection, tenant_id, kept, started=0, fed=len(told.heard))


async def _running(connection: AsyncConnection, tenant_id: UUID, owner: Recipient) -> Sequence[UUID]:
    asked = select(series.c.id).where(
        series.c.tenant_id == tenant_id, series.c.receiver_id == owner.id, series.c.ended_at.is_(None)
    )
    return (await connection.execute(asked)).scalars().all()
