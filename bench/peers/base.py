"""What every peer can be asked, where it runs, and what an interruption did to it."""

from abc import ABC, abstractmethod
from asyncio.subprocess import Process
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

NAME = "Asha"


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
