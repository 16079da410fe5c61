"""What the supervisor keeps running: our own processes, one-off commands, and servers that run elsewhere."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from stack import probes
from stack.child import Child, Program
from stack.logs import PartLog
from stack.problems import NotReadyError, StackError

_READY_WITHIN = 60.0
_POLL = 0.05


class Service(Protocol):
    """One part: it is ready when `start` returns; `child` is its process, None when it has none of ours."""

    name: str
    version: str
    child: Child | None
    log: PartLog

    @property
    def address(self) -> str:
        """Returns where it serves."""

    async def start(self) -> object:
        """Returns once it is ready, raises `NotReadyError` when another try may help, `StackError` otherwise."""

    async def stop(self, within: float) -> None:
        """Returns once it has ended, by force after `within` seconds."""


class ProcessService:
    """A process of ours that answers 200 at its probe when it is ready.

    Args:
        environment: asked at every start, since parts that started earlier decide on some values.
    """

    def __init__(
        self,
        name: str,
        *,
        command: Sequence[str],
        environment: Callable[[], Mapping[str, str]],
        directory: Path,
        probe: str,
        address: str,
        version: str,
        log: PartLog,
        ready_within: float = _READY_WITHIN,
    ) -> None:
        self.name = name
        self.version = version
        self.address = address
        self.probe = probe
        self.log = log
        self.child: Child | None = None
        self._command = command
        self._environment = environment
        self._directory = directory
        self._ready_within = ready_within

    async def start(self) -> None:
        """Starts the process and waits for its probe.

        Raises:
            NotReadyError: it ended, or its probe did not answer in time.
        """
        program = Program(command=self._command, environment=self._environment(), directory=self._directory)
        self.child = await Child.start(program, self.log.write)
        try:
            await self._until_ready(self.child)
        except BaseException:
            await self.child.stop(1.0)
            raise

    async def stop(self, within: float) -> None:
        """Stops the process."""
        if self.child is not None:
            await self.child.stop(within)

    async def _until_ready(self, child: Child) -> None:
        deadline = time.monotonic() + self._ready_within
        while not await probes.is_ok(self.probe):
            if child.ended is not None:
                status = await child.wait()
                raise NotReadyError(f"{self.name} ended with status {status}{_last_words(self.log)}")
            if time.monotonic() > deadline:
                raise NotReadyError(
                    f"{self.name} was not ready after {self._ready_within:.0f} s{_last_words(self.log)}"
                )
            await asyncio.sleep(_POLL)


class OneOff:
    """A command that runs once, before others may start.

    Args:
        done: tells whether there is nothing to do, which saves starting the command.
    """

    def __init__(
        self,
        name: str,
        *,
        command: Sequence[str],
        environment: Callable[[], Mapping[str, str]],
        directory: Path,
        log: PartLog,
        done: Callable[[], Awaitable[bool]],
    ) -> None:
        self.name = name
        self.version = ""
        self.address = ""
        self._done = done
        self.log = log
        self.child: Child | None = None
        self._command = command
        self._environment = environment
        self._directory = directory

    async def start(self) -> None:
        """Runs the command to its end.

        Raises:
            StackError: it failed.
        """
        if await self._done():
            return
        program = Program(command=self._command, environment=self._environment(), directory=self._directory)
        self.child = await Child.start(program, self.log.write)
        try:
            status = await self.child.wait()
        except BaseException:
            await self.child.stop(1.0)
            raise
        if status:
            raise StackError(f"{self.name} failed with status {status}{_last_words(self.log)}")
        self.child = None

    async def stop(self, within: float) -> None:
        """Stops the command when it still runs."""
        if self.child is not None:
            await self.child.stop(within)


class Elsewhere:
    """A server that somebody else runs; it only has to answer.

    Args:
        answers: tells whether it does.
        otherwise: the sentence for the person when it does not.
    """

    def __init__(
        self, name: str, *, address: str, answers: Callable[[], Awaitable[bool]], otherwise: str, log: PartLog
    ) -> None:
        self.name = name
        self.version = ""
        self.address = address
        self.log = log
        self.child: Child | None = None
        self._answers = answers
        self._otherwise = otherwise

    async def start(self) -> None:
        """Asks it once.

        Raises:
            StackError: it does not answer.
        """
        if not await self._answers():
            raise StackError(self._otherwise)

    async def stop(self, within: float) -> None:
        """Leaves it alone."""


def _last_words(log: PartLog) -> str:
    last = next((line.strip() for line in reversed(log.last) if line.strip()), "")
    return f": {last}; {log.file} says more." if last else f"; {log.file} says more."
