"""The dispatcher by itself: it stops when it is told to, whatever happens at that moment."""

import asyncio
from typing import Any, NoReturn

import pytest

from outbox import Dispatcher


class Away:
    """A database that is out of reach."""

    def system(self, **_: Any) -> NoReturn:
        raise ConnectionRefusedError

    async def listener(self) -> NoReturn:
        raise ConnectionRefusedError


@pytest.mark.parametrize("turns", range(6), ids=lambda turns: f"{turns} turns of the loop later")
async def test_it_stops_also_when_it_is_woken_at_that_moment(turns: int) -> None:
    dispatcher = Dispatcher(Away(), None, task_queue="none")  # type: ignore[arg-type] # it comes to neither of them
    running = asyncio.create_task(dispatcher.run())
    while dispatcher.healthy:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    dispatcher._awake.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    running.cancel()
    ended, _ = await asyncio.wait([running], timeout=5)
    assert ended
    assert running.cancelled()
