"""What an attempt means for those after it: circuits that open or close, and buckets that a provider wants closed."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from db import circuits, limits
from db.delivery import Work
from domain.backoff import LONGEST_RETRY_AFTER
from domain.circuits import News, news_of
from domain.errors import DeliveryError, RecipientThrottled, Throttled
from domain.limits import account_key, pair_key
from domain.notifications import AttemptRecord, DeliveryOrder
from domain.reasons import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """What is written together with the record of an attempt.

    Attributes:
        closed_until: The bucket that the provider wants to be left alone, and until when.
    """

    news: tuple[News, ...] = ()
    closed_until: tuple[str, datetime] | None = None


NOTHING = Aftermath()


def of(
    record: AttemptRecord, error: DeliveryError | None, order: DeliveryOrder, work: Work, noteworthy: Collection[str]
) -> Aftermath:
    """Returns what an attempt showed about its account, its template and the limits; expected success is no news."""
    told = news_of(
        record.outcome,
        Reason(record.error_code) if record.error_code else None,
        account_id=work.account_id,
        template_version_id=work.template_version_id,
        locale=order.hop.locale,
        at=record.at,
    )
    news = tuple(item for item in told if item.trouble is not None or item.subject in noteworthy)
    return Aftermath(news=news, closed_until=_closed_until(record, error, order, work))


async def write(connection: AsyncConnection, tenant_id: UUID, aftermaths: Sequence[Aftermath]) -> None:
    """Writes what attempts mean for others; locks are taken as claims take them: notification, limits, circuits."""
    for key, until in sorted({one.closed_until for one in aftermaths if one.closed_until is not None}):
        await limits.defer(connection, tenant_id, key, until)
    await circuits.note(connection, tenant_id, [item for one in aftermaths for item in one.news])


def _closed_until(
    record: AttemptRecord, error: DeliveryError | None, order: DeliveryOrder, work: Work
) -> tuple[str, datetime] | None:
    """Without a time from the provider only this message waits: it said nothing about the others."""
    if not isinstance(error, Throttled) or error.retry_after is None or work.to is None:
        return None
    until = record.at + timedelta(seconds=min(error.retry_after, LONGEST_RETRY_AFTER))
    if isinstance(error, RecipientThrottled):
        return pair_key(work.account_id, order.hop.channel, work.to.kind, work.to.value), until
    return account_key(work.account_id), until
