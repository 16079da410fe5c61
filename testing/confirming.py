"""People who are asked for consent in a play, and confirm."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from db import confirmations, consents, recipients, series
from db.consents import NewConsent, Subject
from domain.consent import Source, State


async def confirm(connection: AsyncConnection, tenant_id: UUID, series_ids: Sequence[UUID], at: datetime) -> None:
    """Gives every consent that the recipients of series were asked for, as their links would."""
    rows = [await series.get(connection, tenant_id, one) for one in series_ids]
    for receiver_id in sorted({row.receiver_id for row in rows if row is not None and row.receiver_id is not None}):
        subject = Subject.recipient(receiver_id)
        owner = await recipients.by_id(connection, tenant_id, receiver_id)
        for asked in await consents.of_subjects(connection, tenant_id, [subject]):
            if asked.state != State.PENDING or owner is None:
                continue
            choice = asked.choice()
            new = NewConsent(
                subject=subject,
                channel=choice.channel,
                topic=choice.topic,
                state=State.GRANTED,
                source=Source.DOUBLE_OPT_IN,
                at=at,
                cause=f"play/{asked.id}/{at.isoformat()}",
            )
            if await consents.keep(connection, tenant_id, [new]):
                await confirmations.tell(connection, tenant_id, owner, new)
