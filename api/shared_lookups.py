"""One look into the database for all requests that ask the same at the same moment; nothing is kept for later ones."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

_T = TypeVar("_T")


@dataclass(slots=True)
class SharedLookups:
    """Lets requests that wait for the same answer share a look that begins after the last of them came.

    A request never gets what was read before it came, so whatever was revoked or changed until then holds for it. Who
    comes during a look waits for its end and shares the next one.
    """

    _running: dict[Hashable, asyncio.Task[Any]] = field(default_factory=dict)
    _next: dict[Hashable, asyncio.Task[Any]] = field(default_factory=dict)

    async def get(self, asked: Hashable, look: Callable[[], Awaitable[_T]]) -> _T:
        """Returns what `look` finds; requests that share it must name it alike with `asked`."""
        waiting = self._next.get(asked)
        if waiting is None or waiting.done():  # one that was cancelled before it began stays here
            waiting = self._next[asked] = asyncio.create_task(self._look(asked, look, self._running.get(asked)))
        found: _T = await asyncio.shield(waiting)  # one that gives up takes nothing away from the others
        return found

    async def _look(self, asked: Hashable, look: Callable[[], Awaitable[_T]], former: asyncio.Task[Any] | None) -> _T:
        if former is not None:
            await asyncio.wait([former])
        # Whoever comes from here on may ask for what this look does not see any more.
        mine = self._running[asked] = self._next.pop(asked)
        try:
            return await look()
        finally:
            if self._running.get(asked) is mine:
                del self._running[asked]
