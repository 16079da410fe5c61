"""Limits and bulkheads at the moment of an attempt: who waits, for how long, and with what in hand."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import update

from activities.bulkheads import Bulkheads
from activities.delivery import Delivery
from db.tables import account
from domain.errors import RecipientThrottled, Throttled
from domain.limits import Defaults
from domain.notifications import Outcome
from domain.reasons import Reason
from tests.activities.test_admission import BAD_LOGIN, deliver_another, let_the_probe_come, state_of_circuit
from tests.activities.test_delivery import OK, Bench, bench

__all__ = ["bench"]


async def limit(place: Bench, **limits: Any) -> None:
    async with place.database.tenant(place.tenant_id) as connection:
        await connection.execute(update(account).values(limits=limits))


async def test_an_account_over_its_rate_reserves_a_turn(bench: Bench) -> None:
    await limit(bench, rate=0.01, burst=1)
    bench.transport.script = [OK]
    assert (await bench.deliver()).outcome is Outcome.ACCEPTED
    waits = await deliver_another(bench)
    assert (waits.outcome, waits.reason) == (Outcome.HELD, Reason.RATE_LIMITED)
    assert waits.until is not None
    assert waits.reserved_for == waits.until
    assert waits.until > datetime.now(UTC) + timedelta(seconds=60)
    assert len(bench.transport.requests) == 1


async def test_a_turn_that_came_is_used_without_asking_again(bench: Bench) -> None:
    await limit(bench, rate=0.01, burst=1)
    bench.transport.script = [OK, OK]
    await deliver_another(bench)
    assert (await bench.deliver(reserved_for=datetime.now(UTC))).outcome is Outcome.ACCEPTED


async def test_a_turn_that_was_missed_is_over(bench: Bench) -> None:
    await limit(bench, rate=0.01, burst=1)
    bench.transport.script = [OK]
    await deliver_another(bench)
    missed = datetime.now(UTC) - timedelta(minutes=5)
    assert (await bench.deliver(reserved_for=missed)).reason is Reason.RATE_LIMITED


async def test_a_member_that_a_page_no_longer_owns_reserves_nothing(bench: Bench) -> None:
    await limit(bench, rate=0.01, burst=1)
    bench.transport.script = [OK]
    assert (await bench.deliver(page_id=str(uuid4()))).outcome is Outcome.STOPPED
    assert (await bench.deliver()).outcome is Outcome.ACCEPTED, "the only turn is still there"


async def test_one_recipient_waits_while_another_goes(bench: Bench) -> None:
    await limit(bench, pair_seconds=600, pair_burst=1)
    bench.transport.script = [OK, OK]
    assert (await deliver_another(bench)).outcome is Outcome.ACCEPTED
    assert (await deliver_another(bench)).reason is Reason.RECIPIENT_RATE_LIMITED
    assert (await bench.deliver()).outcome is Outcome.ACCEPTED, "somebody else"


async def test_the_usual_limits_of_a_provider_hold_where_the_account_says_nothing(bench: Bench) -> None:
    usual = {"smtp": Defaults(rate=0.01, burst=1)}
    delivery = Delivery(bench.database, bench.transport, bench.delivery._composer, usual_limits=usual)  # type: ignore[arg-type] # the same shape as Transport
    limited = replace(bench, delivery=delivery)
    bench.transport.script = [OK]
    assert (await deliver_another(limited)).outcome is Outcome.ACCEPTED
    assert (await limited.deliver()).reason is Reason.RATE_LIMITED


async def test_a_used_up_cap_holds_until_somebody_says_so(bench: Bench) -> None:
    await limit(bench, per_day=1)
    bench.transport.script = [OK]
    await deliver_another(bench)
    held = await bench.deliver()
    assert (held.outcome, held.reason, held.until) == (Outcome.HELD, Reason.DAILY_CAP, None)


async def test_an_account_with_all_its_places_taken_asks_to_come_again(bench: Bench) -> None:
    bulkheads = Bulkheads(total=10, share=0.1)
    delivery = Delivery(bench.database, bench.transport, bench.delivery._composer, bulkheads=bulkheads)  # type: ignore[arg-type] # the same shape as Transport
    narrow = replace(bench, delivery=delivery)
    assert bulkheads.enter(bench.account_id)
    held = await narrow.deliver()
    bulkheads.leave(bench.account_id)
    assert (held.outcome, held.reason, held.reserved_for) == (Outcome.HELD, Reason.ACCOUNT_BUSY, None)
    assert held.until is not None
    bench.transport.script = [OK]
    assert (await narrow.deliver()).outcome is Outcome.ACCEPTED
    assert bulkheads.room == 10


async def test_a_throttled_account_is_left_alone_as_long_as_the_provider_asks(bench: Bench) -> None:
    await limit(bench, rate=1000, burst=1000)
    bench.transport.script = [Throttled("slow down", retry_after=300)]
    await deliver_another(bench)
    held = await bench.deliver()
    assert held.reason is Reason.RATE_LIMITED
    assert held.until is not None
    assert held.until > datetime.now(UTC) + timedelta(seconds=250)


async def test_a_throttled_recipient_holds_up_nobody_else(bench: Bench) -> None:
    await limit(bench, rate=1000, burst=1000, pair_seconds=0.001, pair_burst=1000)
    bench.transport.script = [RecipientThrottled("slow down", retry_after=300), OK]
    await deliver_another(bench)
    assert (await deliver_another(bench)).reason is Reason.RECIPIENT_RATE_LIMITED
    assert (await bench.deliver()).outcome is Outcome.ACCEPTED


async def test_a_turn_that_was_reserved_waits_while_the_provider_wants_silence(bench: Bench) -> None:
    await limit(bench, rate=1000, burst=1000)
    bench.transport.script = [Throttled("slow down", retry_after=300)]
    await deliver_another(bench)
    held = await bench.deliver(reserved_for=datetime.now(UTC))
    assert (held.outcome, held.reason, held.reserved_for) == (Outcome.HELD, Reason.RATE_LIMITED, None)
    assert len(bench.transport.requests) == 1


async def test_a_missed_turn_counts_once_against_the_cap_of_the_day(bench: Bench) -> None:
    await limit(bench, per_day=1)
    bench.transport.script = [OK]
    await deliver_another(bench)
    missed = datetime.now(UTC) - timedelta(seconds=30)
    if missed.date() != datetime.now(UTC).date():  # within half a minute after midnight the turn was of another day
        missed = datetime.now(UTC) + timedelta(seconds=30)
    bench.transport.script = [OK]
    assert (await bench.deliver(reserved_for=missed)).outcome is Outcome.ACCEPTED


async def test_who_waits_for_a_turn_leaves_the_probe_to_others(bench: Bench) -> None:
    bench.transport.script = [BAD_LOGIN]
    await bench.deliver()
    await let_the_probe_come(bench)
    await limit(bench, pair_seconds=600, pair_burst=1)
    bench.transport.script = [OK]
    assert (await deliver_another(bench)).outcome is Outcome.ACCEPTED
    bench.transport.script = [BAD_LOGIN, OK]
    await bench.deliver(number=2)
    await let_the_probe_come(bench)
    assert (await deliver_another(bench)).reason is Reason.RECIPIENT_RATE_LIMITED
    assert await state_of_circuit(bench) == ("open", "misconfigured")


async def test_a_provider_that_takes_fewer_at_once_has_fewer_places() -> None:
    bulkheads = Bulkheads(total=100, share=0.4)
    taken = [await bulkheads.enter_soon("mail", within=0.01, most=2) for _ in range(3)]
    others = [await bulkheads.enter_soon("chat", within=0.01) for _ in range(41)]
    assert (taken, others.count(True)) == ([True, True, False], 40)
