"""Looks into the database that requests of one moment share."""

import asyncio

import pytest

from api.shared_lookups import SharedLookups


class Source:
    """Something that changes, and is read slowly."""

    def __init__(self) -> None:
        self.value = "before"
        self.looks = 0
        self.go = asyncio.Event()

    async def look(self) -> str:
        self.looks += 1
        found = self.value
        await self.go.wait()
        return found


@pytest.fixture
def source() -> Source:
    return Source()


async def _rest() -> None:
    """Lets everything run that can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_requests_of_one_moment_share_a_look(source: Source) -> None:
    lookups = SharedLookups()
    waiting = [asyncio.create_task(lookups.get("key", source.look)) for _ in range(5)]
    await _rest()
    source.go.set()
    assert await asyncio.gather(*waiting) == ["before"] * 5
    assert source.looks == 1


async def test_a_request_never_gets_what_was_read_before_it_came(source: Source) -> None:
    lookups = SharedLookups()
    early = asyncio.create_task(lookups.get("key", source.look))
    await _rest()
    source.value = "after"
    late = [asyncio.create_task(lookups.get("key", source.look)) for _ in range(3)]
    await _rest()
    source.go.set()
    assert await early == "before"
    assert await asyncio.gather(*late) == ["after"] * 3
    assert source.looks == 2


async def test_nothing_is_kept_for_later_requests(source: Source) -> None:
    lookups = SharedLookups()
    source.go.set()
    assert await lookups.get("key", source.look) == "before"
    source.value = "after"
    assert await lookups.get("key", source.look) == "after"


async def test_different_questions_wait_for_nobody(source: Source) -> None:
    lookups, other = SharedLookups(), Source()
    other.go.set()
    slow = asyncio.create_task(lookups.get("slow", source.look))
    await _rest()
    assert await lookups.get("other", other.look) == "before"
    assert not slow.done()
    source.go.set()
    await slow


async def test_a_request_that_gives_up_takes_nothing_from_the_others(source: Source) -> None:
    lookups = SharedLookups()
    impatient, patient = (asyncio.create_task(lookups.get("key", source.look)) for _ in range(2))
    await _rest()
    impatient.cancel()
    await _rest()
    source.go.set()
    assert await patient == "before"
    assert impatient.cancelled()


async def test_a_failure_reaches_all_who_share_it_and_nobody_later(source: Source) -> None:
    async def fail() -> str:
        raise ConnectionError

    lookups = SharedLookups()
    found = await asyncio.gather(*(lookups.get("key", fail) for _ in range(2)), return_exceptions=True)
    assert [type(one) for one in found] == [ConnectionError, ConnectionError]
    source.go.set()
    assert await lookups.get("key", source.look) == "before"
