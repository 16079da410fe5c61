"""Writes in groups: together where they come together, alone where one spoils the rest."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import asyncpg
import pytest

from db.groups import LARGEST, Groups

TENANT, OTHER = uuid4(), uuid4()


@dataclass
class Store:
    """Takes groups when it is let to, and refuses those with something bad in them."""

    groups: list[Sequence[str]] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    under_way: int = 0

    async def write(self, _tenant_id: UUID, items: Sequence[str]) -> list[str]:
        self.groups.append(list(items))
        self.under_way += 1
        await self.gate.wait()
        self.under_way -= 1
        if "away" in items:
            raise ConnectionRefusedError
        if "slow" in items:
            raise asyncpg.QueryCanceledError
        if "bad" in items:
            raise ValueError("bad")
        return [item.upper() for item in items]


def groups(store: Store, *, writers: int = 1) -> Groups[str, str]:
    return Groups(store.write, name="words", writers=writers)


async def started(*waiting: asyncio.Task[str]) -> None:
    for _ in range(3 * len(waiting) + 3):
        await asyncio.sleep(0)


def put(line: Groups[str, str], *items: str, tenant_id: UUID = TENANT) -> list[asyncio.Task[str]]:
    return [asyncio.create_task(line.put(tenant_id, item)) for item in items]


async def test_what_comes_during_a_write_goes_into_the_next_one() -> None:
    store = Store()
    line = groups(store)
    first = put(line, "a")
    await started(*first)
    more = put(line, "b", "c")
    await started(*more)
    store.gate.set()
    assert await asyncio.gather(*first, *more) == ["A", "B", "C"]
    assert store.groups == [["a"], ["b", "c"]]


async def test_a_group_has_an_end() -> None:
    store = Store()
    store.gate.set()
    waiting = put(groups(store), *map(str, range(2 * LARGEST + 1)))
    assert await asyncio.gather(*waiting) == [str(n) for n in range(2 * LARGEST + 1)]
    assert max(map(len, store.groups)) == LARGEST


async def test_tenants_do_not_wait_for_each_other() -> None:
    store = Store()
    line = groups(store)
    waiting = put(line, "a") + put(line, "b", tenant_id=OTHER)
    await started(*waiting)
    assert store.under_way == 2
    store.gate.set()
    assert await asyncio.gather(*waiting) == ["A", "B"]


async def test_several_writers_are_there_for_one_tenant_where_it_is_said_so() -> None:
    store = Store()
    line = groups(store, writers=2)
    for item in ("a", "b", "c", "d"):
        await started(*put(line, item))
    assert store.groups == [["a"], ["b"]]
    store.gate.set()
    await line.put(TENANT, "e")
    assert store.groups[2:] == [["c", "d", "e"]]


async def test_one_that_cannot_be_stored_does_not_keep_the_others() -> None:
    store = Store()
    store.gate.set()
    found = await asyncio.gather(*put(groups(store), "a", "bad", "b"), return_exceptions=True)
    assert (found[0], type(found[1]), found[2]) == ("A", ValueError, "B")


async def test_a_database_that_is_away_is_not_asked_for_each_of_them() -> None:
    store = Store()
    store.gate.set()
    found = await asyncio.gather(*put(groups(store), "a", "away", "b"), return_exceptions=True)
    assert [type(one) for one in found] == [ConnectionRefusedError] * 3
    assert len(store.groups) == 1


async def test_who_gives_up_takes_nothing_away_from_the_others() -> None:
    store = Store()
    line = groups(store)
    waiting = put(line, "a", "b")
    await started(*waiting)
    waiting[0].cancel()
    store.gate.set()
    assert await waiting[1] == "B"
    with pytest.raises(asyncio.CancelledError):
        await waiting[0]
    assert await line.put(TENANT, "c") == "C"


async def test_one_that_waits_for_a_lock_too_long_does_not_fail_the_others() -> None:
    store = Store()
    store.gate.set()
    found = await asyncio.gather(*put(groups(store), "a", "slow", "b"), return_exceptions=True)
    assert (found[0], type(found[1]), found[2]) == ("A", asyncpg.QueryCanceledError, "B")


async def test_a_database_that_goes_away_among_them_is_asked_once_more_at_most() -> None:
    store = Store()
    store.gate.set()
    found = await asyncio.gather(*put(groups(store), "a", "bad", "b", "c"), return_exceptions=True)
    assert [found[0], *found[2:]] == ["A", "B", "C"]

    async def leaves(tenant_id: UUID, items: Sequence[str]) -> list[str]:
        return await store.write(tenant_id, items if len(items) > 1 or items == ["a"] else ["away"])

    store.groups.clear()
    gone: Groups[str, str] = Groups(leaves, name="words")
    found = await asyncio.gather(*put(gone, "a", "bad", "b", "c"), return_exceptions=True)
    assert [found[0], *map(type, found[1:])] == ["A", *[ConnectionRefusedError] * 3]
    assert len(store.groups) == 3


async def test_nobody_waits_longer_than_there_is_patience() -> None:
    store = Store()
    line: Groups[str, str] = Groups(store.write, name="words", patience=0.01)
    found = await asyncio.gather(*put(line, "a", "b"), return_exceptions=True)
    assert [type(one) for one in found] == [TimeoutError] * 2
    late = put(line, "c")
    await started(*late)
    late[0].cancel()
    store.gate.set()
    assert await Groups(store.write, name="words").put(TENANT, "d") == "D"
    await started(*late, *late)
    assert ["c"] not in store.groups, "who gave up before is left out"


async def test_what_is_heavy_fills_a_group_by_itself() -> None:
    store = Store()
    store.gate.set()
    line: Groups[str, str] = Groups(store.write, name="words", weight=len)
    heavy = "x" * (LARGEST + 1)
    await asyncio.gather(*put(line, "a", heavy, "b", "c"))
    assert store.groups == [["a"], [heavy], ["b", "c"]]
