"""What a running instance says about itself, in a file that other commands read."""

import asyncio
import fcntl
import json
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

from stack import processes
from stack.home import Home, write_private

_LOCK_POLL = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class PartState:
    """One part as the supervisor sees it; `probe` is the address that says whether it is healthy.

    A part without a process id runs elsewhere and is not ours to stop.
    """

    name: str
    address: str
    state: str
    pid: int | None = None
    known_as: str | None = None
    version: str = ""
    restarts: int = 0
    started_at: float | None = None
    probe: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceState:
    """The supervisor, the addresses that people open, and all parts."""

    pid: int
    known_as: str
    started_at: float
    ready: bool = False
    urls: dict[str, str] = field(default_factory=dict)
    parts: list[PartState] = field(default_factory=list)

    def is_running(self) -> bool:
        """Tells whether the supervisor that wrote this still lives."""
        return processes.identity(self.pid) == self.known_as

    def part(self, name: str) -> PartState | None:
        """Returns the part of this name."""
        return next((part for part in self.parts if part.name == name), None)


def own_state() -> InstanceState:
    """Returns the state of a supervisor that is this very process and has no parts yet."""
    return InstanceState(pid=os.getpid(), known_as=processes.identity(os.getpid()) or "", started_at=time.time())


def write_state(home: Home, state: InstanceState) -> None:
    """Replaces the state file at once."""
    write_private(home.state, json.dumps(asdict(state), indent=2) + "\n")


def read_state(home: Home) -> InstanceState | None:
    """Returns what was last written, None when there is nothing readable."""
    try:
        raw = json.loads(home.state.read_text(encoding="utf-8"))
        parts = [PartState(**part) for part in raw.pop("parts")]
        return InstanceState(parts=parts, **raw)
    except (OSError, ValueError, TypeError, KeyError):
        return None


@asynccontextmanager
async def starting_alone(place: Path, wait: Callable[[], None]) -> AsyncIterator[None]:
    """Holds the lock under which an instance takes its ports until they are bound; `wait` is called when it is taken.

    Without it, two instances that start at once can choose the same free ports, and one would talk to the other.
    """
    with place.open("a") as file:
        told = False
        while not _locks(file):
            if not told:
                wait()
            told = True
            await asyncio.sleep(_LOCK_POLL)
        yield


def _locks(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def sole_instance(home: Home) -> Iterator[bool]:
    """Holds the lock of a data directory and yields True, or yields False when another process holds it.

    The lock is the kernel's and goes with the process, however it ends.
    """
    with home.lock.open("a") as file:
        yield _locks(file)
