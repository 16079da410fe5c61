"""One running process of the stack: tied to this process, its output read line by line, stopped within a deadline."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stack import guardian, processes

_TETHER = Path(__file__).with_name("tether.py")
_CHUNK = 65536
_LONGEST_LINE = 20_000
_DRAIN = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to run, and how it ends.

    Attributes:
        death_signal: what the kernel sends it when this process dies.
        stop_signal: what asks it to end.
        user: the user id it runs as, when this process may choose.
    """

    command: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    directory: Path
    death_signal: int = signal.SIGKILL
    stop_signal: int = signal.SIGTERM
    user: int | None = None


class Child:
    """A process started from a `Program`; leader of its own process group."""

    def __init__(self, process: asyncio.subprocess.Process, program: Program, output: "asyncio.Task[None]") -> None:
        self.pid = process.pid
        self.known_as = processes.identity(process.pid)
        self._process = process
        self._program = program
        self._output = output
        self._group_ended = False

    @classmethod
    async def start(cls, program: Program, write: Callable[[str], None]) -> "Child":
        """Starts the program; `write` gets every line that it prints.

        Raises:
            OSError: the program or its directory cannot be used.
        """
        user = "-" if program.user is None else str(program.user)
        tether = [sys.executable, "-I", "-S", str(_TETHER), str(int(program.death_signal)), str(os.getpid()), user]
        read_end, write_end = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *tether,
                *program.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=write_end,
                stderr=write_end,
                env=dict(program.environment),
                cwd=program.directory,
                start_new_session=True,
            )
        except BaseException:
            os.close(read_end)
            raise
        finally:
            os.close(write_end)
        guardian.watch(process.pid, program.death_signal)
        return cls(process, program, asyncio.create_task(_copy_lines(read_end, write), name=f"output of {process.pid}"))

    @property
    def ended(self) -> int | None:
        """Returns the exit status, None while it runs; negative is the signal that ended it."""
        return self._process.returncode

    async def wait(self) -> int:
        """Waits for the end, ends what is left of its group, reads what was still printed, returns the exit status."""
        status = await self._process.wait()
        if not self._group_ended:  # once, and at once: later the number may be another group's
            self._group_ended = True
            processes.send_signal(self.pid, signal.SIGKILL, group=True)
        await self._drain()
        return status

    async def stop(self, within: float) -> int:
        """Asks the process to end, kills its whole group after `within` seconds, and returns the exit status."""
        if self.ended is None:
            processes.send_signal(self.pid, self._program.stop_signal)
            try:
                async with asyncio.timeout(within):
                    await self._process.wait()
            except TimeoutError:
                processes.send_signal(self.pid, signal.SIGKILL, group=True)
        return await self.wait()

    async def _drain(self) -> None:
        _, unfinished = await asyncio.wait({self._output}, timeout=_DRAIN)
        for reading in unfinished:  # a process that it left behind still holds the other end
            reading.cancel()
            await asyncio.wait({reading})


async def _copy_lines(read_end: int, write: Callable[[str], None]) -> None:
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_end, "rb", buffering=0)
    )
    rest = b""
    try:
        while chunk := await reader.read(_CHUNK):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                write(_text(line))
            if len(rest) > _LONGEST_LINE:
                write(_text(rest))
                rest = b""
    finally:
        transport.close()
    if rest:
        write(_text(rest))


def _text(line: bytes) -> str:
    return line[:_LONGEST_LINE].decode(errors="replace").rstrip("\r")
