"""What comes back from people and providers finds its series: receipts by their message, replies by what they mean."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from db import series_replies
from db.callbacks import NewInbound
from db.delivery_tables import message, notification
from db.series_tables import series_hearing
from db.session import Database
from db.tables import address, recipient
from domain.status import Status
from tests import factories
from tests.activities.series_clock import Clock, started
from tests.db.test_receipts import Sent, sent

__all__ = ["sent"]

ASKING = "name: asking\nsteps:\n- {wait_for: [reply, tap, read], timeout: P1D, id: answer}"
DEAF = "name: deaf\nsteps:\n- {wait: P1D}"
ASHA, RAVI = "+919876543210", "+919876543211"


def inbound(sent: Sent, **changes: Any) -> NewInbound:
    fields: dict[str, Any] = {
        "provider": "meta", "event_key": "message:1", "provider_message_id": "wamid.in", "sender": "1",
        "author_kind": "phone", "author": ASHA, "author_name": None, "kind": "text", "body": "Yes", "payload": None,
        "quotes": None, "media_id": None, "media_type": None, "raw": {},
        "occurred_at": datetime(2026, 6, 1, tzinfo=UTC),
    }  # fmt: skip
    return NewInbound(callback_id=sent.callback_id, **{**fields, **changes})


async def tell(sent: Sent, *messages: NewInbound) -> None:
    async with sent.database.tenant(sent.tenant_id) as connection:
        await series_replies.tell(connection, sent.tenant_id, messages)


async def heard(sent: Sent) -> list[tuple[UUID, str, str | None]]:
    async with sent.database.tenant(sent.tenant_id) as connection:
        rows = await connection.execute(
            select(series_hearing.c.series_id, series_hearing.c.kind, series_hearing.c.name).order_by(
                series_hearing.c.number
            )
        )
        return [tuple(row) for row in rows]


async def begun(sent: Sent, text: str = ASKING, **values: Any) -> Clock:
    clock = await started(sent.database, sent.tenant_id, text, **values)
    await clock.look()
    return clock


async def belongs_to(sent: Sent, clock: Clock) -> None:
    """Makes the message that was sent one of the series, known to the provider as `wamid.1`."""
    await sent.change(notification, series_id=clock.series_id, series_step="first")
    await sent.change(message, provider_message_id="wamid.1")


async def test_a_receipt_is_heard_once_and_what_was_read_was_delivered(sent: Sent) -> None:
    clock = await begun(sent)
    await belongs_to(sent, clock)
    for status in (Status.SENT, Status.READ, Status.DELIVERED, Status.READ):
        await sent.add(sent.receipt(status))
    assert await heard(sent) == [(clock.series_id, "delivered", None), (clock.series_id, "read", None)]
    row = await clock.look()
    assert row.ended == "completed"


async def test_a_receipt_of_no_series_is_heard_by_none(sent: Sent) -> None:
    await begun(sent)
    await sent.add(sent.receipt(Status.READ))
    assert await heard(sent) == []


async def test_a_reply_that_quotes_means_the_series_of_the_message(sent: Sent) -> None:
    quoted, other = await begun(sent), await begun(sent)
    await belongs_to(sent, quoted)
    await tell(sent, inbound(sent, quotes="wamid.1"))
    assert await heard(sent) == [(quoted.series_id, "reply", None)]
    assert other.pause.ended is None


async def test_a_tap_is_heard_by_its_payload(sent: Sent) -> None:
    clock = await begun(sent)
    await tell(sent, inbound(sent, payload="accept", kind="button"))
    assert await heard(sent) == [(clock.series_id, "tap", "accept")]


async def test_a_reply_means_the_only_series_that_waits_for_one(sent: Sent) -> None:
    await begun(sent, DEAF)
    waiting = await begun(sent)
    await begun(sent, to=RAVI)
    await tell(sent, inbound(sent))
    assert await heard(sent) == [(waiting.series_id, "reply", None)]


async def test_a_reply_that_comes_early_means_the_only_series_that_runs(sent: Sent) -> None:
    running = await begun(sent, DEAF)
    await tell(sent, inbound(sent))
    assert await heard(sent) == [(running.series_id, "reply", None)]


@pytest.mark.parametrize("text", [ASKING, DEAF], ids=["two wait", "two run"])
async def test_a_reply_that_could_mean_two_is_heard_by_none(sent: Sent, text: str) -> None:
    await begun(sent, text)
    await begun(sent, text)
    await tell(sent, inbound(sent))
    assert await heard(sent) == []


async def test_somebody_is_known_by_any_of_their_addresses(sent: Sent, database: Database, tenant_id: UUID) -> None:
    person = await factories.insert(database, tenant_id, recipient, external_id="ravi")
    await factories.insert(database, tenant_id, address, recipient_id=person, kind="phone", value=RAVI, position=0)
    clock = await begun(sent, to="ravi", to_kind="recipient", receiver_id=person)
    await tell(sent, inbound(sent, author=RAVI))
    assert await heard(sent) == [(clock.series_id, "reply", None)]


async def test_nothing_is_asked_where_nobody_wrote(sent: Sent) -> None:
    await tell(sent)
    assert await heard(sent) == []
