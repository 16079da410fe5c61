"""Reservations in PostgreSQL: exact however many ask at once, all or nothing, and each for its own tenant."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from db import ageing, limits
from db.care_tables import day_count, rate_bucket
from db.limits import Asked, Slot
from db.session import Database
from domain.limits import Bucket, Cap, Limits
from domain.reasons import Reason

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
AT_ONCE = 200
MIDNIGHT = datetime(2026, 8, 2, tzinfo=UTC)


def bucket(key: str, interval: float, burst: int = 1, reason: Reason = Reason.RATE_LIMITED) -> Bucket:
    return Bucket(key=key, interval=interval, burst=burst, reason=reason)


def pair(name: str, interval: float = 6, burst: int = 1) -> Bucket:
    return bucket(f"pair/{name}", interval, burst, Reason.RECIPIENT_RATE_LIMITED)


async def reserve(database: Database, tenant_id: UUID, *asked: tuple[str, Limits], now: datetime = NOW) -> list[Slot]:
    async with database.tenant(tenant_id) as connection:
        slots = await limits.reserve(connection, tenant_id, [Asked(name=n, limits=one) for n, one in asked], now)
    assert list(slots) == [name for name, _ in asked]
    return list(slots.values())


async def one(database: Database, tenant_id: UUID, limit: Limits, now: datetime = NOW, name: str = "n") -> Slot:
    return (await reserve(database, tenant_id, (name, limit), now=now))[0]


def seconds(slots: Sequence[Slot], now: datetime = NOW) -> list[float | None]:
    return [(slot.at - now) / SECOND if slot.at else None for slot in slots]


async def used(database: Database, tenant_id: UUID) -> dict[tuple[str, date], int]:
    async with database.tenant(tenant_id) as connection:
        rows = await connection.execute(select(day_count.c.key, day_count.c.day, day_count.c.used))
        return {(row.key, row.day): row.used for row in rows if row.used}


async def test_several_of_one_bucket_get_consecutive_slots(database: Database, tenant_id: UUID) -> None:
    limit = Limits(buckets=(bucket("account/a", 0.5, burst=2),))
    slots = await reserve(database, tenant_id, *((f"n{n}", limit) for n in range(5)))
    assert seconds(slots) == [0, 0, 0.5, 1, 1.5]
    assert [slot.reason for slot in slots] == [None, None, *[Reason.RATE_LIMITED] * 3]
    assert seconds([await one(database, tenant_id, limit)]) == [2]
    assert seconds([await one(database, tenant_id, limit, NOW + 60 * SECOND)], NOW + 60 * SECOND) == [0]


async def test_who_has_no_limits_goes_at_once_and_leaves_no_row(database: Database, tenant_id: UUID) -> None:
    assert await one(database, tenant_id, Limits()) == Slot(at=NOW, reason=None)
    async with database.tenant(tenant_id) as connection:
        assert (await connection.execute(select(rate_bucket.c.key))).all() == []


async def test_a_slot_is_where_all_buckets_have_room_and_says_which_was_the_last(
    database: Database, tenant_id: UUID
) -> None:
    account = bucket("account/a", 1)
    slots = [
        await one(database, tenant_id, Limits(buckets=(pair(name), account))) for name in ("x", "y", "x", "x", "y")
    ]
    assert seconds(slots) == [0, 1, 6, 12, 7]
    assert [slot.reason for slot in slots] == [
        None,
        Reason.RATE_LIMITED,
        Reason.RECIPIENT_RATE_LIMITED,
        Reason.RECIPIENT_RATE_LIMITED,
        Reason.RECIPIENT_RATE_LIMITED,
    ]


async def test_one_recipient_s_line_keeps_nobody_else_waiting(database: Database, tenant_id: UUID) -> None:
    account = bucket("account/a", 0.0125, burst=20)
    flood = Limits(buckets=(pair("x"), account))
    await reserve(database, tenant_id, *((str(n), flood) for n in range(200)))
    assert seconds([await one(database, tenant_id, Limits(buckets=(pair("y"), account)))]) == [0]


async def test_a_cap_is_used_up_to_its_last_one_and_then_nothing_is_consumed(
    database: Database, tenant_id: UUID
) -> None:
    account = bucket("account/a", 1)
    limit = Limits(buckets=(account,), caps=(Cap(key="account/a", limit=3), Cap(key="tenant", limit=100)))
    slots = await reserve(database, tenant_id, *((str(n), limit) for n in range(5)))
    assert seconds(slots) == [0, 1, 2, None, None]
    assert {slot.reason for slot in slots[3:]} == {Reason.DAILY_CAP}
    assert all(slot.again and MIDNIGHT <= slot.again <= MIDNIGHT + timedelta(minutes=10) for slot in slots[3:])
    assert seconds([await one(database, tenant_id, Limits(buckets=(account,)))]) == [3]
    assert set((await used(database, tenant_id)).values()) == {3}


async def test_a_cap_counts_the_day_of_the_slot(database: Database, tenant_id: UUID) -> None:
    limit = Limits(buckets=(bucket("account/a", 60),), caps=(Cap(key="tenant", limit=2),))
    late = MIDNIGHT - 90 * SECOND
    slots = await reserve(database, tenant_id, *((str(n), limit) for n in range(5)), now=late)
    assert seconds(slots, late) == [0, 60, 120, 180, None]
    assert await used(database, tenant_id) == {("tenant", late.date()): 2, ("tenant", MIDNIGHT.date()): 2}


async def test_a_raised_cap_holds_at_once(database: Database, tenant_id: UUID) -> None:
    low, high = Limits(caps=(Cap(key="tenant", limit=1),)), Limits(caps=(Cap(key="tenant", limit=2),))
    assert [(await one(database, tenant_id, limit)).reason for limit in (low, low, high)] == [
        None,
        Reason.DAILY_CAP,
        None,
    ]


async def test_who_finds_the_line_full_is_told_when_to_ask_again(database: Database, tenant_id: UUID) -> None:
    limit = Limits(buckets=(bucket("account/a", 600),))
    slots = await reserve(database, tenant_id, *((str(n), limit) for n in range(40)))
    assert seconds(slots[:7]) == [0, 600, 1200, 1800, 2400, 3000, 3600]
    turned_away = slots[7:]
    assert {(slot.at, slot.reason) for slot in turned_away} == {(None, Reason.RATE_LIMITED)}
    again = [slot.again for slot in turned_away if slot.again]
    assert NOW + timedelta(minutes=15) <= min(again) < max(again) <= NOW + timedelta(hours=1)
    assert len(set(again)) == len(turned_away)


@pytest.mark.parametrize("burst", [1, 20])
async def test_a_bucket_that_is_put_off_opens_empty_and_never_earlier(
    database: Database, tenant_id: UUID, burst: int
) -> None:
    limit = Limits(buckets=(bucket("account/a", 1, burst),))
    async with database.tenant(tenant_id) as connection:
        await limits.defer(connection, tenant_id, "account/a", NOW + 30 * SECOND)
        await limits.defer(connection, tenant_id, "account/a", NOW + 5 * SECOND)
    assert seconds(await reserve(database, tenant_id, ("a", limit), ("b", limit))) == [30, 31]


async def test_putting_off_a_bucket_leaves_what_was_given(database: Database, tenant_id: UUID) -> None:
    limit = Limits(buckets=(bucket("account/a", 1),))
    await reserve(database, tenant_id, ("a", limit), ("b", limit))
    async with database.tenant(tenant_id) as connection:
        await limits.defer(connection, tenant_id, "account/a", NOW + 30 * SECOND)
    assert seconds([await one(database, tenant_id, limit)]) == [30]


async def test_tenants_have_buckets_and_caps_of_their_own(
    database: Database, tenant_id: UUID, other_tenant_id: UUID
) -> None:
    limit = Limits(buckets=(bucket("tenant", 10),), caps=(Cap(key="tenant", limit=1),))
    for mine in (tenant_id, other_tenant_id):
        assert seconds([await one(database, mine, limit)]) == [0]


async def test_a_transaction_that_fails_gives_nothing_away(database: Database, tenant_id: UUID) -> None:
    limit = Limits(buckets=(bucket("account/a", 1),), caps=(Cap(key="tenant", limit=1),))

    async def claim_that_fails() -> None:
        async with database.tenant(tenant_id) as connection:
            await limits.reserve(connection, tenant_id, [Asked(name="n", limits=limit)], NOW)
            raise ValueError("the claim failed")

    with pytest.raises(ValueError, match="the claim failed"):
        await claim_that_fails()
    assert seconds([await one(database, tenant_id, limit)]) == [0]


@pytest.fixture
async def crowded(dsn: str) -> AsyncIterator[Database]:
    """The database over as many connections as a crowd needs."""
    made = Database.connect(dsn, pool_size=AT_ONCE)
    async with AsyncExitStack() as opened:  # one after the other: a server has a hard time with all of them at once
        for _ in range(AT_ONCE):
            await opened.enter_async_context(made.system())
    yield made
    await made.close()


async def test_two_hundred_at_once_get_distinct_slots_at_the_rate(crowded: Database, tenant_id: UUID) -> None:
    places = asyncio.Semaphore(AT_ONCE)
    account, tenant = bucket("account/a", 0.0125, burst=20), bucket("tenant", 0.05, burst=7)
    cap = Cap(key="account/a", limit=150)

    async def ask(number: int) -> Slot:
        buckets = (pair(str(number % 40), 0.5, burst=2), account, tenant)
        # Each in an order of its own: what is locked, and in which order, must not depend on it.
        limit = Limits(buckets=buckets if number % 2 else buckets[::-1], caps=(cap,))
        async with places:
            return await one(crowded, tenant_id, limit, NOW + timedelta(milliseconds=number % 7), name=str(number))

    slots = await asyncio.gather(*(ask(number) for number in range(200)))
    given = sorted(slot.at for slot in slots if slot.at)
    assert len(given) == 150
    assert [slot.reason for slot in slots if slot.at is None] == [Reason.DAILY_CAP] * 50
    for limiting in (account, tenant):
        interval = timedelta(seconds=limiting.interval)
        for start, first in enumerate(given):
            for count, last in enumerate(given[start:], 1):
                assert (count - limiting.burst) * interval <= last - first
    # Nothing is left unused either: the last one goes out as soon as the slower bucket allows it.
    assert given[-1] - NOW <= (150 - tenant.burst) * timedelta(seconds=tenant.interval) + SECOND
    assert (await used(crowded, tenant_id)) == {("account/a", NOW.date()): 150}


async def test_pages_that_share_recipients_in_any_order_never_block_each_other_for_good(
    database: Database, tenant_id: UUID
) -> None:
    places = asyncio.Semaphore(15)

    async def page(number: int) -> list[Slot]:
        names = [str((number * 7 + step * (1 if number % 2 else -1)) % 30) for step in range(20)]
        asked = [(f"{number}/{place}", Limits(buckets=(pair(name, 1),))) for place, name in enumerate(names)]
        async with places:
            return await reserve(database, tenant_id, *asked)

    pages = await asyncio.gather(*(page(number) for number in range(40)))
    assert sum(len(slots) for slots in pages) == 800
    assert all(slot.at for slots in pages for slot in slots)


async def test_housekeeping_throws_no_bucket_away_that_still_holds_something(
    database: Database, tenant_id: UUID
) -> None:
    now = datetime.now(UTC)
    account, long_ago = bucket("account/a", 1), now - timedelta(hours=5)
    await one(database, tenant_id, Limits(buckets=(account,)), long_ago)
    slow = pair("x", 1800)
    waits = await reserve(
        database, tenant_id, ("a", Limits(buckets=(slow,))), ("b", Limits(buckets=(slow, account))), now=now
    )
    assert seconds(waits, now) == [0, 1800]
    await one(database, tenant_id, Limits(buckets=(bucket("account/old", 1),)), long_ago)
    await one(database, tenant_id, Limits(buckets=(bucket("account/closed", 1),)), long_ago)
    async with database.tenant(tenant_id) as connection:
        await limits.defer(connection, tenant_id, "account/closed", now + 60 * SECOND)
    async with database.system() as connection:
        [rule] = [rule for rule in ageing.RULES if rule.table == "rate_bucket"]
        assert await ageing.remove(connection, rule, limit=100) == 1
    async with database.tenant(tenant_id) as connection:
        left = set((await connection.execute(select(rate_bucket.c.key))).scalars())
    assert left == {"account/a", "account/closed", "pair/x"}
