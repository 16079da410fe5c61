"""What a notification's workflow does when accounts have trouble, limits say later, or people settle and drop."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import Client

from domain.notifications import Alternate, Delivered, Outcome, Plan, SkippedHop
from domain.reasons import Reason
from domain.recipients import Channel
from domain.status import Status
from tests.workflows.scripts import ACCEPTED, EMAIL, UNKNOWN, WHATSAPP, Script, ordered, parked, running, told

MISCONFIGURED = told(Outcome.REFUSED, Status.QUEUED, Reason.MISCONFIGURED)
OUTAGE = told(Outcome.HELD, Status.QUEUED, Reason.PROVIDER_UNAVAILABLE)
ONE = Plan(hops=(WHATSAPP,))


def limited(reason: Reason, *, seconds: float = 0.3) -> Delivered:
    answer = told(Outcome.HELD, Status.QUEUED, reason)
    return replace(answer, until=answer.at + timedelta(seconds=seconds))


@pytest.mark.parametrize("cache", [100, 0], ids=["cached", "replayed at every task"])
async def test_wrong_credentials_park_until_somebody_resumes(client: Client, cache: int) -> None:
    script = Script(ONE, [MISCONFIGURED, ACCEPTED])
    async with running(client, script, cache=cache) as handle:
        await parked(script)
        await handle.signal("resume")
        assert await handle.result() == "accepted"
    assert [(order.cause, order.account_id) for order in script.parked] == [(Reason.MISCONFIGURED, "a")]
    assert [order.number for order in script.orders] == [1, 2]
    assert [(note.kind, note.reason) for note in script.parked[0].decisions] == [("parked", Reason.MISCONFIGURED)]
    assert [(note.kind, note.reason) for note in script.unparked] == [("resumed", Reason.RESUMED)]


async def test_a_resumed_one_that_still_cannot_is_parked_again(client: Client) -> None:
    script = Script(ONE, [MISCONFIGURED, OUTAGE, ACCEPTED])
    async with running(client, script) as handle:
        await parked(script)
        await handle.signal("resume")
        await parked(script, 2)
        await handle.signal("resume")
        assert await handle.result() == "accepted"
    assert [order.cause for order in script.parked] == [Reason.MISCONFIGURED, Reason.PROVIDER_UNAVAILABLE]
    assert [order.number for order in script.orders] == [1, 2, 2]


async def test_a_resumed_one_goes_on_with_the_accounts_of_today(client: Client) -> None:
    script = Script(replace(ONE, hops=(replace(WHATSAPP, account_id="new"),)), [OUTAGE, ACCEPTED], plans=[ONE])
    async with running(client, script) as handle:
        await parked(script)
        await handle.signal("resume")
        assert await handle.result() == "accepted"
    assert [order.hop.account_id for order in script.orders] == ["a", "new"]


async def test_dropping_a_parked_one_ends_it(client: Client) -> None:
    script = Script(ONE, [OUTAGE])
    async with running(client, script) as handle:
        await parked(script)
        await handle.signal("drop")
        assert await handle.result() == "cancelled"
    assert [(ending.status, ending.reason) for ending in script.endings] == [(Status.CANCELLED, Reason.DROPPED)]


async def test_cancelling_a_parked_one_ends_it(client: Client) -> None:
    script = Script(ONE, [OUTAGE])
    async with running(client, script) as handle:
        await parked(script)
        await handle.signal("cancel")
        assert await handle.result() == "cancelled"
    assert script.endings[0].reason is Reason.CANCELLED


async def test_a_parked_one_expires(client: Client) -> None:
    script = Script(ONE, [OUTAGE])
    async with running(client, script, expires_at=datetime.now(UTC) + timedelta(seconds=0.5)) as handle:
        assert await handle.result() == "expired"
    assert len(script.orders) == len(script.parked) == 1


async def test_what_was_cancelled_before_it_could_park_ends(client: Client) -> None:
    script = Script(ONE, [OUTAGE], ended=True)
    async with running(client, script) as handle:
        assert await handle.result() == "cancelled"


async def test_without_a_usable_account_it_parks_and_plans_anew(client: Client) -> None:
    suspended = SkippedHop(channel=Channel.WHATSAPP, reason=Reason.ACCOUNT_SUSPENDED)
    script = Script(ONE, [ACCEPTED], plans=[Plan(hops=(), skipped=(suspended,))])
    async with running(client, script) as handle:
        await parked(script)
        await handle.signal("resume")
        assert await handle.result() == "accepted"
    assert (script.parked[0].cause, script.parked[0].account_id) == (Reason.ACCOUNT_SUSPENDED, None)


async def test_an_outage_that_outlasts_patience_falls_back(client: Client) -> None:
    hasty = replace(WHATSAPP, success=Status.DELIVERED, within=0.3)
    script = Script(Plan(hops=(hasty, EMAIL)), [OUTAGE, ACCEPTED])
    async with running(client, script) as handle:
        assert await handle.result() == "accepted"
    assert [order.hop.channel for order in script.orders] == [Channel.WHATSAPP, Channel.EMAIL]
    assert [note.kind for note in (*script.unparked, *script.orders[1].decisions)] == ["fallback"]


async def test_another_account_takes_over_at_once(client: Client) -> None:
    pair = replace(WHATSAPP, alternates=(Alternate(provider="other", account_id="b"),))
    script = Script(Plan(hops=(pair,)), [OUTAGE, ACCEPTED])
    async with running(client, script) as handle:
        assert await handle.result() == "accepted"
    assert [(order.hop.provider, order.number) for order in script.orders] == [("meta", 1), ("other", 1)]
    assert [(note.kind, note.reason) for note in script.orders[1].decisions] == [("failover", Reason.FAILED_OVER)]


async def test_a_limit_is_waited_for_with_the_reserved_instant(client: Client) -> None:
    turn = limited(Reason.RATE_LIMITED)
    turn = replace(turn, reserved_for=turn.until)
    script = Script(ONE, [turn, limited(Reason.ACCOUNT_BUSY), ACCEPTED])
    async with running(client, script) as handle:
        assert await handle.result() == "accepted"
    assert [order.number for order in script.orders] == [1, 1, 1]
    reserved = script.told[0].until
    assert [order.reserved_for for order in script.orders] == [None, reserved, reserved]
    # Where there was no place nothing was written: the next order brings it along again.
    said = [[note.reason for note in order.decisions] for order in script.orders]
    assert said == [[], [Reason.RATE_LIMITED], [Reason.RATE_LIMITED, Reason.ACCOUNT_BUSY]]


async def test_waiting_for_a_limit_twice_is_said_once(client: Client) -> None:
    script = Script(ONE, [limited(Reason.ACCOUNT_BUSY), limited(Reason.ACCOUNT_BUSY), ACCEPTED])
    async with running(client, script) as handle:
        assert await handle.result() == "accepted"
    assert [note.reason for note in script.orders[-1].decisions] == [Reason.ACCOUNT_BUSY]


async def test_a_doubt_that_a_person_settles_is_sent_again(client: Client) -> None:
    patient = replace(WHATSAPP, after_unknown=True, quarantine=3600.0)
    script = Script(Plan(hops=(patient, EMAIL)), [UNKNOWN, ACCEPTED])
    async with running(client, script) as handle:
        await ordered(script, 1)
        await handle.signal("settled", args=[0, 1])
        assert await handle.result() == "accepted"
    assert [(order.number, order.possible_duplicate) for order in script.orders] == [(1, False), (2, False)]
