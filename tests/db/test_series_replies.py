"""What comes back from people and providers finds its series: receipts by their message, replies by what they mean."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import uuid_utils.compat
from sqlalchemy import select

from db import callbacks, series_replies
from db.callbacks import NewInbound
from db.delivery_tables import inbound_message, message, notification
from db.series_tables import held_reply, series_hearing
from db.session import Database
from db.tables import address, recipient
from domain.replies import Seal
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
    return NewInbound(id=uuid_utils.compat.uuid7(), callback_id=sent.callback_id, **{**fields, **changes})


async def tell(sent: Sent, *messages: NewInbound) -> None:
    async with sent.database.tenant(sent.tenant_id) as connection:
        new = await callbacks.add_inbound(connection, sent.tenant_id, messages)
        await series_replies.tell(connection, sent.tenant_id, new)


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


async def test_a_quote_is_found_by_the_id_that_comes_with_it(sent: Sent) -> None:
    quoted, other = await begun(sent), await begun(sent)
    await sent.change(notification, series_id=quoted.series_id, series_step="first")
    async with sent.database.tenant(sent.tenant_id) as connection:
        new = await callbacks.add_inbound(connection, sent.tenant_id, [inbound(sent, quotes="wamid.1")])
        proven = {"wamid.1": sent.message_id}
        understood = await series_replies.understand(connection, sent.tenant_id, new, proven=proven)
        await series_replies.pass_on(connection, sent.tenant_id, understood)
    assert await heard(sent) == [(quoted.series_id, "reply", None)]
    assert other.pause.ended is None


def tap(sent: Sent, **changes: Any) -> NewInbound:
    fields = {"kind": "button", "payload": "accept", "tap": Seal.VERIFIED, "tapped_message_id": sent.message_id}
    return inbound(sent, **{**fields, **changes})


async def test_a_tap_is_heard_by_its_payload_and_needs_no_quote(sent: Sent) -> None:
    clock, other = await begun(sent), await begun(sent)
    await belongs_to(sent, clock)
    await tell(sent, tap(sent))
    assert await heard(sent) == [(clock.series_id, "tap", "accept")]
    assert other.pause.ended is None


async def test_a_tap_on_a_button_of_another_is_a_reply(sent: Sent) -> None:
    clock = await begun(sent)
    await tell(sent, tap(sent, tap=Seal.UNSIGNED, tapped_message_id=None))
    assert await heard(sent) == [(clock.series_id, "reply", None)]


async def test_the_same_message_in_another_callback_is_heard_once(sent: Sent) -> None:
    clock = await begun(sent)
    await tell(sent, inbound(sent))
    await tell(sent, inbound(sent))
    assert await heard(sent) == [(clock.series_id, "reply", None)]


async def test_a_quote_of_what_is_of_no_series_is_heard_by_none(sent: Sent) -> None:
    await begun(sent)
    await sent.change(message, provider_message_id="wamid.1")
    await tell(sent, inbound(sent, quotes="wamid.1"))
    assert await heard(sent) == []
    assert (await sent.row(notification))["replied_at"] == datetime(2026, 6, 1, tzinfo=UTC)


async def test_a_notification_says_when_it_was_first_answered_and_how(sent: Sent) -> None:
    clock = await begun(sent)
    await belongs_to(sent, clock)
    later = datetime(2026, 6, 2, tzinfo=UTC)
    await tell(sent, tap(sent), inbound(sent, quotes="wamid.1", event_key="message:2"))
    again = tap(sent, payload="decline", occurred_at=later, event_key="message:3")
    await tell(sent, again, inbound(sent, quotes="wamid.1", occurred_at=later, event_key="message:4"))
    row = await sent.row(notification)
    first = datetime(2026, 6, 1, tzinfo=UTC)
    assert (row["replied_at"], row["acted_at"], row["acted_on"]) == (first, first, "accept")
    assert [(kind, name) for _, kind, name in await heard(sent)] == [
        ("tap", "accept"), ("reply", None), ("tap", "decline"), ("reply", None),
    ]  # fmt: skip


async def test_buttons_that_are_good_once_are_heard_once_also_within_one_callback(sent: Sent) -> None:
    clock = await begun(sent)
    await belongs_to(sent, clock)
    await sent.change(notification, taps="once")
    await tell(sent, tap(sent), tap(sent, payload="decline", event_key="message:2"))
    await tell(sent, tap(sent, payload="decline", event_key="message:3"))
    await tell(sent, inbound(sent, quotes="wamid.1", event_key="message:4"))
    assert [(kind, name) for _, kind, name in await heard(sent)] == [("tap", "accept"), ("reply", None)]


async def test_a_reaction_is_heard_by_its_emoji_and_is_no_reply(sent: Sent) -> None:
    clock = await begun(sent)
    await belongs_to(sent, clock)
    await tell(sent, inbound(sent, kind="reaction", body="👍", quotes="wamid.1"))
    await tell(sent, inbound(sent, kind="reaction", body=None, quotes="wamid.1", event_key="message:2"))
    assert await heard(sent) == [(clock.series_id, "reaction", "👍")]
    assert (await sent.row(notification))["replied_at"] is None


async def test_who_quotes_nothing_answers_what_the_series_sent_last(sent: Sent) -> None:
    clock = await begun(sent)
    await belongs_to(sent, clock)
    await sent.change(notification, accepted_at=datetime.now(UTC))
    await tell(sent, inbound(sent))
    assert await heard(sent) == [(clock.series_id, "reply", None)]
    assert (await sent.row(notification))["replied_at"] is not None


@pytest.mark.parametrize(("days", "found_by"), [(1, "latest"), (8, None)], ids=["lately", "long ago"])
async def test_who_has_no_series_answers_what_was_sent_lately(sent: Sent, days: int, found_by: str | None) -> None:
    await sent.change(message, accepted_at=datetime.now(UTC) - timedelta(days=days), address=ASHA, address_kind="phone")
    await sent.change(notification, to=ASHA)
    await tell(sent, inbound(sent))
    assert (await sent.row(inbound_message))["found_by"] == found_by
    assert bool((await sent.row(notification))["replied_at"]) is bool(found_by)


async def test_what_a_network_says_of_itself_is_no_reply(sent: Sent) -> None:
    await begun(sent)
    await tell(sent, inbound(sent, kind="system", body="changed their number"))
    assert await heard(sent) == []


async def test_a_forged_tap_is_held_for_a_person(sent: Sent) -> None:
    clock = await begun(sent)
    await tell(sent, tap(sent, tap=Seal.FORGED, tapped_message_id=None))
    assert await heard(sent) == []
    held = await sent.row(held_reply)
    assert (held["reason"], held["candidates"], held["state"]) == ("forged", [clock.series_id], "open")


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
async def test_a_reply_that_could_mean_two_is_held_for_a_person(sent: Sent, text: str) -> None:
    first, second = await begun(sent, text), await begun(sent, text)
    await tell(sent, inbound(sent))
    assert await heard(sent) == []
    held = await sent.row(held_reply)
    assert (held["reason"], set(held["candidates"])) == ("several", {first.series_id, second.series_id})


async def test_somebody_is_known_by_any_of_their_addresses(sent: Sent, database: Database, tenant_id: UUID) -> None:
    person = await factories.insert(database, tenant_id, recipient, external_id="ravi")
    await factories.insert(database, tenant_id, address, recipient_id=person, kind="phone", value=RAVI, position=0)
    clock = await begun(sent, to="ravi", to_kind="recipient", receiver_id=person)
    await tell(sent, inbound(sent, author=RAVI))
    assert await heard(sent) == [(clock.series_id, "reply", None)]


async def test_nothing_is_asked_where_nobody_wrote(sent: Sent) -> None:
    await tell(sent)
    assert await heard(sent) == []


async def test_who_only_ends_by_a_condition_waits_for_nothing(sent: Sent) -> None:
    await begun(sent, 'name: deaf\nstop_if: "false"\nsteps:\n- {wait: P1D}')
    waiting = await begun(sent)
    await tell(sent, inbound(sent))
    assert await heard(sent) == [(waiting.series_id, "reply", None)]


async def test_a_reaction_to_what_is_none_of_ours_is_heard_by_nobody(sent: Sent) -> None:
    await begun(sent)
    await tell(sent, inbound(sent, kind="reaction", body="👍", quotes="wamid.of-somebody"))
    assert await heard(sent) == []
