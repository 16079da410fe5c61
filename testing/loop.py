"""An event loop in a thread of its own, so that tests that play flows are ordinary functions."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

import uvloop

_T = TypeVar("_T")


class LoopThread:
    """Runs coroutines for those who are not asynchronous themselves."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()  # as the product's worker runs
        self._thread = threading.Thread(target=self._loop.run_forever, name="carillon-flows", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, _T], *, within: float = 120) -> _T:
        """Returns what a coroutine returns; it is cancelled after `within` seconds."""
        return asyncio.run_coroutine_threadsafe(_bounded(work, within), self._loop).result()

    def close(self) -> None:
        """Ends the loop and its thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _bounded(work: Coroutine[Any, Any, _T], within: float) -> _T:
    async with asyncio.timeout(within):
        return await work
