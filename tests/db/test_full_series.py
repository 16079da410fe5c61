"""What people say to a series that heard too much is held for somebody, and may still be given to one that hears it."""

from datetime import UTC, datetime

import pytest

from db import held_replies, series_replies
from db.delivery_tables import inbound_message, notification
from db.series_hearing import NewHearing, hear
from db.series_tables import held_reply
from domain.series import MOST_HEARD, MOST_HEARD_BYTES
from tests.activities.series_clock import Clock
from tests.db.test_receipts import Sent, sent
from tests.db.test_series_replies import DEAF, begun, belongs_to, heard, inbound, tap, tell

__all__ = ["sent"]


async def full(sent: Sent, **much: int) -> Clock:
    """A series that waits for nothing and keeps no more."""
    clock = await begun(sent, DEAF)
    await clock.change(**(much or {"heard": MOST_HEARD}))
    return clock


@pytest.mark.parametrize("much", [{"heard": MOST_HEARD}, {"heard_bytes": MOST_HEARD_BYTES}], ids=["things", "bytes"])
async def test_a_reply_that_finds_its_series_full_is_held_for_a_person(sent: Sent, much: dict[str, int]) -> None:
    clock = await full(sent, **much)
    await tell(sent, inbound(sent))
    held = await sent.row(held_reply)
    assert (held["reason"], held["candidates"], held["state"]) == ("full", [clock.series_id], "open")
    assert (await heard(sent), (await clock.row()).unheard) == ([], 1)
    assert (await sent.row(inbound_message))["series_id"] == clock.series_id


async def test_the_last_that_is_heard_is_not_held_and_the_next_is(sent: Sent) -> None:
    clock = await full(sent, heard=MOST_HEARD - 1)
    await tell(sent, inbound(sent), inbound(sent, event_key="message:2", body="And?"))
    assert await heard(sent) == [(clock.series_id, "reply", None)]
    async with sent.database.tenant(sent.tenant_id) as connection:
        found = await held_replies.page(
            connection, sent.tenant_id, state="open", authors=None, limit=5, before=None
        )  # fmt: skip
    assert [one.body for one in found] == ["And?"]


async def test_a_tap_that_finds_its_series_full_can_be_given_to_one_that_hears_it(sent: Sent) -> None:
    """Its button is good for one tap, which this one is: given by a person it counts."""
    clock = await full(sent)
    await belongs_to(sent, clock)
    await sent.change(notification, taps="once", accepted_at=datetime.now(UTC))
    said = tap(sent)
    await tell(sent, said)
    assert (await sent.row(held_reply))["reason"] == "full"
    assert (await sent.row(notification))["acted_at"] is not None
    async with sent.database.tenant(sent.tenant_id) as connection:
        assert await series_replies.give(connection, sent.tenant_id, said, clock.series_id) == "full"
    await clock.change(heard=0)
    async with sent.database.tenant(sent.tenant_id) as connection:
        assert await series_replies.give(connection, sent.tenant_id, said, clock.series_id) == "heard"
    assert await heard(sent) == [(clock.series_id, "tap", "accept")]


async def test_a_reaction_that_finds_its_series_full_is_for_nobody_to_look_at(sent: Sent) -> None:
    clock = await full(sent)
    await belongs_to(sent, clock)
    await tell(sent, inbound(sent, kind="reaction", body="👍", quotes="wamid.1"))
    assert (await sent.rows(held_reply), (await clock.row()).unheard) == ([], 1)


async def test_one_thing_that_comes_twice_at_once_is_unheard_once(sent: Sent) -> None:
    clock = await full(sent)
    news = [NewHearing(series_id=clock.series_id, cause="n/read", kind="read", at=datetime.now(UTC))] * 2
    async with sent.database.tenant(sent.tenant_id) as connection:
        assert len((await hear(connection, sent.tenant_id, news)).full) == 1
    assert (await clock.row()).unheard == 1
