"""What every peer can be asked, and two measurements that work for any: its rate, and what a killed worker leaves."""

import asyncio
import time
from abc import ABC, abstractmethod
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

NAME = "Asha"
_POLL = 0.25
_LONGEST = 120.0
_QUIET = 10.0
_AFTER_KILL = 90.0
# So many more than are measured: the last ones measured are sent while the worker is still fully busy.
_MARGIN = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a peer may use.

    Attributes:
        dsn: A PostgreSQL server, as its superuser; peers make databases of their own on it.
        provider_port: Where the stand-in provider listens.
        directory: A directory for files of theirs.
    """

    dsn: str
    provider_port: int
    directory: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Killed:
    """What became of messages whose worker was killed among them.

    Attributes:
        count: How many there were.
        in_flight: How many the killed worker had begun and not recorded.
        twice: How many reached the provider more than once.
        never: How many never reached it.
        doubtful: How many stay "sending": nobody knows, and nobody sends them again.
        seconds: How long after the kill the last one in flight was sent again; None when none was.
    """

    count: int
    in_flight: int
    twice: int
    never: int
    doubtful: int
    seconds: float | None


class Peer(ABC):
    """A job queue with its worker.

    Attributes:
        name: What it is called in reports.
        redelivers_within: Seconds after a worker's death within which it gives that worker's jobs to another one; 0 for
            never.
    """

    name: str
    redelivers_within: float

    @abstractmethod
    async def available(self) -> str | None:
        """Returns None when it can run here, else why not, in one sentence."""

    @abstractmethod
    async def prepare(self, place: Place) -> None:
        """Makes an empty queue, with whatever it needs; what an earlier call made is gone."""

    @abstractmethod
    async def enqueue(self, first: int, count: int) -> None:
        """Has messages durably accepted, to recipients of their own."""

    @abstractmethod
    def worker(self) -> AbstractAsyncContextManager[Process]:
        """Runs a worker process for the block."""

    @abstractmethod
    async def sent(self) -> int:
        """Returns how many messages are recorded as sent."""

    @abstractmethod
    async def doubtful(self) -> list[str]:
        """Returns the recipients whose message is "sending"."""

    @abstractmethod
    async def close(self) -> None:
        """Ends what `prepare` started."""


def recipient(number: int) -> str:
    """Returns the address of a message's recipient; addresses sort as their numbers do."""
    return f"+1555{number:07d}"


class _Provider:
    """The stand-in provider, asked what came."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def forget(self) -> None:
        (await self._http.post("/forget")).raise_for_status()

    async def seen(self) -> tuple[int, int]:
        """Returns how many messages came, and how many of them more than once."""
        told = (await self._http.get("/seen")).json()
        return told["messages"], told["twice"]

    async def times(self) -> dict[str, float]:
        """Returns when each recipient's first message came."""
        found: dict[str, float] = (await self._http.get("/times")).json()
        return found


@asynccontextmanager
async def _ready(peer: Peer, place: Place) -> AsyncIterator[_Provider]:
    """Has the peer prepared and the provider empty for the block."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{place.provider_port}", timeout=30) as http:
        provider = _Provider(http)
        await provider.forget()
        try:
            await peer.prepare(place)
            yield provider
        finally:
            await peer.close()


async def throughput(peer: Peer, place: Place, *, count: int, warm_up: int = 300) -> float:
    """Returns the messages a second that reach the provider after the first `warm_up`, from a backlog.

    Raises:
        SystemExit: the peer did not do the job: a message came twice, or was not recorded.
    """
    total = warm_up + count + _MARGIN
    async with _ready(peer, place) as provider:
        await peer.enqueue(0, total)
        async with peer.worker():
            await _until(provider.seen, (total, 0), f"{peer.name}: messages and how many of them twice")
            await _until(peer.sent, total, f"{peer.name}: recorded messages")
        times = sorted((await provider.times()).values())
    return count / (times[warm_up + count - 1] - times[warm_up - 1])


async def killed(peer: Peer, place: Place, *, count: int) -> Killed:
    """Kills a worker amid its messages, has another one go on, and returns what became of them."""
    async with _ready(peer, place) as provider:
        await peer.enqueue(0, count)
        async with peer.worker() as process:
            await _half(provider, count)
            process.kill()
            await process.wait()
        since = time.monotonic()
        before = await provider.times()
        in_flight = {*await peer.doubtful(), *_skipped(before, count)}
        async with peer.worker():
            again = await _settled(peer, provider, count, since)
            doubtful = await peer.doubtful()
        after = await provider.times()
        twice = (await provider.seen())[1]
    late = [after[to] for to in in_flight if to in after and to not in before]
    last = max([*late, *([again] if again else [])], default=None)
    return Killed(
        count=count,
        in_flight=len(in_flight),
        twice=twice,
        never=count - len(after),
        doubtful=len(doubtful),
        seconds=None if last is None else last - since,
    )


async def _until(question: Callable[[], Awaitable[Any]], wanted: Any, what: str) -> None:
    deadline, found = time.monotonic() + _LONGEST, None
    while (found := await question()) != wanted:
        if time.monotonic() > deadline:
            raise SystemExit(f"{what}: {found} after {_LONGEST:.0f} s, not {wanted}")
        await asyncio.sleep(_POLL)


async def _half(provider: _Provider, count: int) -> None:
    deadline = time.monotonic() + _LONGEST
    while (await provider.seen())[0] < count / 2:
        if time.monotonic() > deadline:
            raise SystemExit("the worker does not get to half of the messages")
        await asyncio.sleep(0.02)


def _skipped(seen: dict[str, float], count: int) -> set[str]:
    """Returns those not seen that stood in line before one that was seen: the worker had them in its hands."""
    furthest = max(seen, default="")
    return {to for to in map(recipient, range(count)) if to not in seen and to < furthest}


async def _settled(peer: Peer, provider: _Provider, count: int, since: float) -> float | None:
    """Waits until all that will come has come, and returns when the last one came again that had come before."""
    last, changed, again = await provider.seen(), time.monotonic(), None
    while (now := time.monotonic()) < since + _AFTER_KILL:
        if (found := await provider.seen()) != last:
            again = now if found[1] > last[1] else again
            last, changed = found, now
        if last[0] == count and not await peer.doubtful():
            break
        if now > max(changed, since + peer.redelivers_within) + _QUIET:
            break
        await asyncio.sleep(_POLL)
    return again
