"""`carillon up`: runs all parts until told to stop."""

import asyncio
import os
import signal
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from stack import processes
from stack.home import Home, cache_directory, private_directory
from stack.layout import Layout, lay_out, operator_key
from stack.logs import LogBook, PartLog, say
from stack.parts import POSTGRES, Parts
from stack.secret_file import Secrets, load_or_make
from stack.state import PartState, own_state, read_state, sole_instance, starting_alone, write_state
from stack.supervisor import Supervisor

_SEED_WITHIN = 60.0


def run(home: Home, *, workers: int, terminal: TextIO | None, tell: Callable[[str], None]) -> None:
    """Runs an instance in the foreground; when one runs already, says where.

    Args:
        home: its data directory.
        workers: how many worker processes.
        terminal: where the lines of the parts go besides their files.
        tell: gets the closing words of the start.

    Raises:
        StackError: a part cannot be started.
    """
    with sole_instance(home) as sole:
        if sole:
            asyncio.run(_Instance(home, workers, terminal, tell).run())
        else:
            tell(already_running(home))


def already_running(home: Home) -> str:
    """Returns the sentence for somebody who starts an instance twice."""
    state = read_state(home)
    if state is None or not state.is_running():
        return f"Carillon is just starting or stopping in {home.path}; look with 'carillon status'."
    where = ", ".join(f"{name} {url}" for name, url in state.urls.items()) or "still starting"
    return f"Carillon already runs as process {state.pid} ({where}); stop it with 'carillon down'."


class _Instance:
    def __init__(self, home: Home, workers: int, terminal: TextIO | None, tell: Callable[[str], None]) -> None:
        self._home = home
        self._workers = workers
        self._logs = LogBook(home.logs, terminal=terminal)
        self._tell = tell
        self._state = own_state()
        self._told_to_stop = asyncio.Event()

    async def run(self) -> None:
        """Starts everything, waits for a signal, stops everything."""
        self._listen_to_signals()
        await asyncio.to_thread(end_leftovers, self._home)
        write_state(self._home, self._state)
        supervisor = Supervisor(self._note)
        start = asyncio.create_task(self._start(supervisor))
        stop = asyncio.create_task(self._told_to_stop.wait())
        try:
            await asyncio.wait({start, stop}, return_when=asyncio.FIRST_COMPLETED)
            if start.done():
                await start
                await stop
        finally:
            start.cancel()
            stop.cancel()
            await asyncio.gather(start, stop, return_exceptions=True)
            say("Stopping …")
            await supervisor.stop()
            self._logs.close()
            self._home.state.unlink(missing_ok=True)

    async def _start(self, supervisor: Supervisor) -> None:
        secrets = load_or_make(self._home)
        async with starting_alone(_starting_lock(), lambda: say("Another instance is just starting; waiting for it.")):
            layout = lay_out(self._home, self._workers)
            for name, (usual, port) in layout.moved.items():
                say(f"The usual port of {name}, {usual}, was in use; it has {port}.")
            Parts(self._home, layout, secrets, self._logs).add_to(supervisor)
            await supervisor.start()
        key = await _seed(self._home, layout, secrets, self._logs.of("demo"))
        self._state = replace(self._state, ready=True, urls=_urls(layout))
        self._note(supervisor.parts())
        self._tell(_summary(self._home, layout, key))

    def _note(self, parts: list[PartState]) -> None:
        self._state = replace(self._state, parts=parts)
        write_state(self._home, self._state)

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # nohup stays nohup
                loop.add_signal_handler(number, self._stop)

    def _stop(self) -> None:
        if self._told_to_stop.is_set():
            os._exit(130)  # asked twice: the children are tied to this process and go with it
        self._told_to_stop.set()


def _starting_lock() -> Path:
    return private_directory(cache_directory()) / "starting.lock"


def end_leftovers(home: Home) -> None:
    """Ends what a killed instance may have left behind, recognised by process id and start time."""
    state = read_state(home)
    for part in state.parts if state is not None else []:
        if part.pid is not None:
            politely = signal.SIGINT if part.name == POSTGRES else signal.SIGTERM
            if processes.end(part.pid, part.known_as, politely=politely):
                say(f"Ended {part.name} (process {part.pid}), left over from an instance that was killed.")


async def _seed(home: Home, layout: Layout, secrets: Secrets, log: PartLog) -> str | None:
    """Makes the demo tenant; without it the stack is as good for everybody else, so a failure is told and no more."""
    from stack.seed import seed  # noqa: PLC0415 - an HTTP client, needed once everything runs

    try:
        async with asyncio.timeout(_SEED_WITHIN):
            return await seed(
                api_url=layout.api_url,
                operator_key=operator_key(secrets),
                sandbox_url=layout.sandbox_url,
                sandbox_smtp_port=layout.smtp,
                home=home.path,
            )
    except Exception as problem:  # noqa: BLE001 - whatever it is, it must not take the stack down
        for line in traceback.format_exception(problem):
            log.write(line.rstrip())
        say(f"The demo tenant is not ready ({type(problem).__name__}: {problem}); {log.file} says more.")
        return None


def _urls(layout: Layout) -> dict[str, str]:
    return {
        "API": layout.api_url,
        "docs": f"{layout.api_url}/docs",
        "console": f"{layout.api_url}/console",
        "Temporal UI": layout.temporal_ui_url,
        "sandbox mailbox": layout.sandbox_url,
    }


def _summary(home: Home, layout: Layout, key: str | None) -> str:
    rows = [*_urls(layout).items(), ("data", str(home.path))]
    if key is not None:
        rows.append(("API key", f"{key}   (demo tenant; shown once)"))
    return "\n".join(["", "Carillon is ready.", *(f"  {name:<16} {value}" for name, value in rows), ""])
