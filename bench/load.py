"""Load over HTTP: at a rate that no slow answer slows down, or as fast as answers come."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

import aiohttp

from bench.figures import percentile

Request = Callable[[int], Awaitable[None]]
_PATIENCE = aiohttp.ClientTimeout(total=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What became of the requests of one run.

    Attributes:
        rate: Requests that succeeded, per second from the first one's instant to the last answer.
        p50: Half of all answers, in milliseconds, were there after that time.
        p99: The same for 99 of 100; requests that failed count as long as they took.
        failures: Requests that got no answer, or the wrong one.
        failed: What the first of them was.
        began: When the first request was due, in seconds of the monotonic clock.
    """

    rate: float
    p50: float
    p99: float
    failures: int
    failed: str | None
    began: float


def session(url: str, **headers: str) -> aiohttp.ClientSession:
    """Returns a client that opens as many connections as there are requests at once, and keeps them."""
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
    return aiohttp.ClientSession(url, connector=connector, headers=headers, timeout=_PATIENCE)


async def open_loop(request: Request, *, rate: float, seconds: float) -> Load:
    """Sends each request at its instant, whatever became of those before; a wait counts from that instant."""
    run = _Run()
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for index in range(int(rate * seconds)):
            due = began + index / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            group.create_task(run.one(request, index, due))
    return run.load(began)


async def closed_loop(request: Request, *, count: int, at_once: int) -> Load:
    """Sends `count` requests, the next one whenever one of `at_once` is answered: the most that can be had."""
    run, indexes = _Run(), iter(range(count))
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(run.chain(request, indexes))
    return run.load(began)


class _Run:
    def __init__(self) -> None:
        self._waits: list[float] = []
        self._failures: list[Exception] = []

    async def one(self, request: Request, index: int, due: float) -> None:
        try:
            await request(index)
        except (aiohttp.ClientError, TimeoutError) as error:
            self._failures.append(error)
        self._waits.append(time.monotonic() - due)

    async def chain(self, request: Request, indexes: Iterator[int]) -> None:
        for index in indexes:
            await self.one(request, index, time.monotonic())

    def load(self, began: float) -> Load:
        seconds = time.monotonic() - began
        if len(self._failures) == len(self._waits):
            raise SystemExit(f"Every request failed; the first one: {self._failures[:1]!r}")
        waits: Sequence[float] = [wait * 1000 for wait in self._waits]
        return Load(
            rate=(len(waits) - len(self._failures)) / seconds,
            p50=percentile(waits, 0.50),
            p99=percentile(waits, 0.99),
            failures=len(self._failures),
            failed=repr(self._failures[0]) if self._failures else None,
            began=began,
        )
