"""Messages per second: the bare workflow, ours with one workflow each, and ours in pages under backlog.

Every run has the same shape: the work waits durably before anything takes it up (the bare workflow is started while it
works, because Temporal itself is its queue), one worker process, and the clock runs in the provider's own journal from
the end of the warm-up to the last message.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpx
from temporalio.client import Client

from bench import crew
from bench.bare_worker import QUEUE
from bench.ground import Ground
from bench.processes import cpu_seconds, running

_STARTING_AT_ONCE = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """What became of a backlog.

    Attributes:
        rate: Messages per second after the warm-up.
        cpu: Milliseconds of processor time per message, by process.
        twice: Recipients that got more than one message.
    """

    rate: float
    cpu: dict[str, float]
    twice: int


class Journal:
    """Asks the provider's process what came."""

    def __init__(self, port: int) -> None:
        self._http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30)

    async def forget(self) -> None:
        """Begins anew."""
        await self._http.post("/forget")

    async def count(self) -> int:
        """Returns how many messages came."""
        return int((await self._http.get("/seen")).json()["messages"])

    async def twice(self) -> int:
        """Returns how many recipients got more than one."""
        return int((await self._http.get("/seen")).json()["twice"])

    async def times(self) -> list[float]:
        """Returns when each message came, in order."""
        return sorted((await self._http.get("/times")).json().values())


async def bare(place: Ground, count: int, warm_up: int) -> Drained:
    """Runs `count` bare workflows after `warm_up` others."""
    journal = Journal(place.provider.port)
    await journal.forget()
    client = await Client.connect(place.temporal.address)  # without our codec: nothing is sealed here
    run, limit = secrets.token_hex(4), asyncio.Semaphore(_STARTING_AT_ONCE)

    async def start(number: int) -> None:
        async with limit:
            await client.start_workflow("bare", f"{run}/{number}", id=f"bare/{run}/{number}", task_queue=QUEUE)

    async with running("-m", "bench.bare_worker", place.temporal.address, str(place.provider.port)) as worker:

        async def work() -> None:
            await asyncio.gather(*(start(number) for number in range(warm_up + count)))

        return await _drained(place, journal, {"worker": worker.pid}, count, warm_up, work)


async def ours(place: Ground, count: int, warm_up: int, *, first: int, page_size: int, workers: int = 1) -> Drained:
    """Accepts notifications while no worker runs, then lets `workers` take them up."""
    journal = Journal(place.provider.port)
    await journal.forget()
    await place.accept(first, warm_up + count)
    settings = {"CARILLON_PAGE_SIZE": str(page_size)}
    async with crew.workers(place, workers, **settings) as pids:
        return await _drained(place, journal, pids, count, warm_up, _nothing)


async def _nothing() -> None:
    return


async def _drained(
    place: Ground,
    journal: Journal,
    pids: dict[str, int],
    count: int,
    warm_up: int,
    work: Callable[[], Awaitable[None]],
) -> Drained:
    watched = {**pids, **crew.servers(place)}
    before: dict[str, float] = {}
    already = 0
    working = asyncio.create_task(_of(work))
    async with asyncio.timeout(600):
        while (seen := await journal.count()) < warm_up + count:
            if seen >= warm_up and not before:
                before, already = cpu_seconds(watched), seen
            await asyncio.sleep(0.25)
        await working
    after, times = cpu_seconds(watched), await journal.times()
    spent = {name: 1000 * (after[name] - before.get(name, 0.0)) / (warm_up + count - already) for name in after}
    steady = times[warm_up:]
    return Drained(rate=(len(steady) - 1) / (steady[-1] - steady[0]), cpu=spent, twice=await journal.twice())


async def _of(work: Callable[[], Awaitable[None]]) -> None:
    await work()
