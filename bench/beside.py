"""What our API stands beside: a bare route on the same machine at the same time, while no worker takes part."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import aiohttp
import asyncpg

from bench.figures import Figure, median_of
from bench.ground import Ground
from bench.load import Load, Request, closed_loop, open_loop, session
from bench.processes import running
from stack.ports import any_free

ROUNDS = int(os.environ.get("HTTP_ROUNDS", "3"))
COUNT = int(os.environ.get("HTTP_COUNT", "600"))
SECONDS = float(os.environ.get("HTTP_SECONDS", "5"))
AT_ONCE = 32
_WARM_UP = 200


@dataclass(frozen=True, slots=True)
class Refused(aiohttp.ClientError):
    """The answer to a request is not the one it should get."""

    status: int
    said: str


@asynccontextmanager
async def plain_route(place: Ground) -> AsyncIterator[Request]:
    """Runs the bare route over the same PostgreSQL for the block, and yields what asks it."""
    port = any_free()
    async with (
        running("-m", "bench.plain_app", str(port), place.postgres.dsn),
        session(f"http://127.0.0.1:{port}") as http,
    ):
        await _until_ready(http)

        async def request(index: int) -> None:
            await post(http, "/plain", 202, json={"to": f"+1555{index:07d}", "template": "hello"})

        yield request


async def post(http: aiohttp.ClientSession, path: str, wanted: int, **what: object) -> None:
    """Sends a request and raises `Refused` unless it is answered as wanted."""
    async with http.post(path, **what) as answer:  # type: ignore[arg-type]  # the client's own keyword arguments
        said = await answer.read()
        if answer.status != wanted:
            raise Refused(answer.status, said.decode(errors="replace")[:500])


@contextmanager
def paused_workers(place: Ground) -> Iterator[None]:
    """Stops the workers for the block without ending them: they cost neither side of a comparison anything."""
    workers = [process for name, process in place.processes.items() if name.startswith("worker")]
    for process in workers:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in workers:
            process.send_signal(signal.SIGCONT)


@asynccontextmanager
async def database_of(place: Ground) -> AsyncIterator[asyncpg.Connection]:
    """Yields a connection that sees all tenants."""
    connection = await asyncpg.connect(place.postgres.dsn)
    try:
        await connection.execute("SELECT set_config('role', 'carillon_system', false)")
        yield connection
    finally:
        await connection.close()


async def compare(
    place: Ground, group: str, ours: Request, *, rate: float, aim: str, numbers: Callable[[], int]
) -> list[Figure]:
    """Measures our route beside the bare one, in turns, and returns the figures of both.

    Args:
        place: What both run on.
        group: The part of the report that the figures belong to.
        ours: Sends one of our requests.
        rate: Requests per second of the open loop.
        aim: What our waits should stay below, in words.
        numbers: Gives each request a number that no other has.
    """
    rounds: dict[str, list[tuple[Load, Load]]] = {"ours": [], "bare": []}
    async with plain_route(place) as bare:
        for turn in range(ROUNDS + 1):
            for name, send in (("bare", bare), ("ours", ours)):
                count, seconds = (COUNT, SECONDS) if turn else (_WARM_UP, 1.0)
                found = await _one(send, count=count, rate=rate, seconds=seconds, numbers=numbers)
                if turn:
                    rounds[name].append(found)
    return [
        *_figures(group, "bare route", rounds["bare"], rate),
        *_figures(group, "ours", rounds["ours"], rate, beside="bare route", aim=aim),
        median_of(
            group,
            "ours / bare route",
            "times",
            [mine[0].rate / theirs[0].rate for mine, theirs in zip(rounds["ours"], rounds["bare"], strict=True)],
            aim="at least 0.5",
        ),
    ]


async def _one(
    send: Request, *, count: int, rate: float, seconds: float, numbers: Callable[[], int]
) -> tuple[Load, Load]:
    async def request(_: int) -> None:
        await send(numbers())

    most = await closed_loop(request, count=count, at_once=AT_ONCE)
    return most, await open_loop(request, rate=rate, seconds=seconds)


def _figures(
    group: str, name: str, rounds: Sequence[tuple[Load, Load]], rate: float, *, beside: str | None = None, aim: str = ""
) -> list[Figure]:
    def against(what: str) -> str | None:
        return f"{beside}, {what}" if beside else None

    most, p50, p99 = "most at once", f"p50 at {rate:.0f}/s", f"p99 at {rate:.0f}/s"
    failures = [closed.failures + opened.failures for closed, opened in rounds]
    for failed in {load.failed for pair in rounds for load in pair if load.failed}:
        print(f"{group}, {name}: {failed}", file=sys.stderr)
    return [
        median_of(group, f"{name}, {most}", "/s", [closed.rate for closed, _ in rounds], beside=against(most)),
        median_of(group, f"{name}, {p50}", "ms", [opened.p50 for _, opened in rounds], beside=against(p50)),
        median_of(
            group, f"{name}, {p99}", "ms", [opened.p99 for _, opened in rounds], beside=against(p99), aim=aim or None
        ),
        median_of(group, f"{name}, failures", "requests", failures, aim="0"),
    ]


async def _until_ready(http: aiohttp.ClientSession) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                async with http.get("/readyz") as answer:
                    if answer.ok:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.05)
