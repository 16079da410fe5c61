"""Keeps services running: starts in the order of needs, restarts with back-off, stops in reverse within a deadline."""

import asyncio
import time
from collections.abc import Callable, Iterable

from stack.problems import NotReadyError, StackError
from stack.service import Service
from stack.state import PartState

FIRST_TRIES = 3
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 15.0
_STABLE_AFTER = 30.0


class Keeper:
    """Runs one service until told to stop, and starts it again whenever it ends."""

    def __init__(self, service: Service, changed: Callable[[], None], *, stable_after: float = _STABLE_AFTER) -> None:
        self.service = service
        self.state = "waiting"
        self.restarts = 0
        self.started_at: float | None = None
        self._changed = changed
        self._stable_after = stable_after
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._first.add_done_callback(lambda first: first.cancelled() or first.exception())  # nobody may be waiting
        self._failures = 0

    async def start(self) -> None:
        """Returns once the service is ready for the first time.

        Raises:
            StackError: it cannot be started, or was not ready after some tries.
        """
        self._task = asyncio.create_task(self._keep(), name=f"keeper of {self.service.name}")
        await asyncio.shield(self._first)

    async def stop(self, within: float) -> None:
        """Stops the service and the keeping of it."""
        self._stopping.set()
        await self.service.stop(within)
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        self.service.log.close()
        self._now("stopped")

    async def _keep(self) -> None:
        while not self._stopping.is_set():
            self._now("starting")
            try:
                await self.service.start()
            except Exception as problem:  # noqa: BLE001 - whatever a start raises, the part is tried again or given up aloud
                if not self._may_try_again(problem):
                    return
            else:
                await self._while_it_runs()
            if self._stopping.is_set():
                return
            await self._pause()
            self.restarts += 1

    async def _while_it_runs(self) -> None:
        self.started_at = time.time()
        self._now("ready")
        if not self._first.done():
            self._first.set_result(None)
        began = time.monotonic()
        if self.service.child is None:
            await self._stopping.wait()
            return
        status = await self.service.child.wait()
        if time.monotonic() - began > self._stable_after:
            self._failures = 0
        if not self._stopping.is_set():
            self.service.log.write(f"ended with status {status}")

    def _may_try_again(self, problem: Exception) -> bool:
        self.service.log.write(str(problem))
        if self._first.done():
            return True
        if isinstance(problem, NotReadyError) and self._failures + 1 < FIRST_TRIES:
            return True
        self._first.set_exception(problem if isinstance(problem, StackError) else StackError(str(problem)))
        self._now("failed")
        return False

    async def _pause(self) -> None:
        self._now("restarting")
        seconds = min(_FIRST_PAUSE * 2**self._failures, _LONGEST_PAUSE)
        self._failures += 1
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return

    def _now(self, state: str) -> None:
        self.state = state
        self._changed()


class Supervisor:
    """Starts, keeps and stops a set of services that need each other.

    Args:
        changed: called after every change of a part, with all of them.
    """

    def __init__(self, changed: Callable[[list[PartState]], None], *, stable_after: float = _STABLE_AFTER) -> None:
        self._changed = changed
        self._stable_after = stable_after
        self._keepers: dict[str, Keeper] = {}
        self._needs: dict[str, frozenset[str]] = {}
        self._outlived_by: dict[str, frozenset[str]] = {}
        self._budgets: dict[str, float] = {}

    def add(
        self, service: Service, *, needs: Iterable[str] = (), outlived_by: Iterable[str] = (), stop_within: float = 2.0
    ) -> None:
        """Adds a service that starts after those it needs, and stops before them and before those that outlive it."""
        self._keepers[service.name] = Keeper(service, self._tell, stable_after=self._stable_after)
        self._needs[service.name] = frozenset(needs)
        self._outlived_by[service.name] = frozenset(outlived_by) | self._needs[service.name]
        self._budgets[service.name] = stop_within

    async def start(self) -> None:
        """Starts all services, those that do not need each other at once.

        Raises:
            StackError: one of them cannot be started; the others go on until `stop`.
        """
        ready = {name: asyncio.Event() for name in self._keepers}

        async def start_one(name: str) -> None:
            for needed in self._needs[name]:
                await ready[needed].wait()
            await self._keepers[name].start()
            ready[name].set()

        starts = [asyncio.create_task(start_one(name)) for name in self._keepers]
        try:
            for start in asyncio.as_completed(starts):
                await start
        finally:
            for start in starts:
                start.cancel()
            await asyncio.gather(*starts, return_exceptions=True)

    async def stop(self) -> None:
        """Stops all services, each after those that it outlives."""
        stopped = {name: asyncio.Event() for name in self._keepers}

        async def stop_one(name: str) -> None:
            for other, outlived_by in self._outlived_by.items():
                if name in outlived_by:
                    await stopped[other].wait()
            await self._keepers[name].stop(self._budgets[name])
            stopped[name].set()

        await asyncio.gather(*(stop_one(name) for name in self._keepers))

    def parts(self) -> list[PartState]:
        """Returns how every part is now; commands that ran once and ended are left out."""
        return [self._part(keeper) for keeper in self._keepers.values() if keeper.service.address]

    def _tell(self) -> None:
        self._changed(self.parts())

    @staticmethod
    def _part(keeper: Keeper) -> PartState:
        service, child = keeper.service, keeper.service.child
        runs = child is not None and child.ended is None
        return PartState(
            name=service.name,
            address=service.address,
            state=keeper.state,
            pid=child.pid if child is not None and runs else None,
            known_as=child.known_as if child is not None and runs else None,
            version=service.version,
            restarts=keeper.restarts,
            started_at=keeper.started_at,
            probe=getattr(service, "probe", None),
        )
