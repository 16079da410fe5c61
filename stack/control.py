"""`carillon up --detach` and `carillon down`: starts an instance in the background, stops one from outside."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import TextIO

from stack import processes
from stack.home import Home
from stack.logs import listeners, say
from stack.problems import StackError
from stack.state import read_state, sole_instance
from stack.up import already_running, end_leftovers

REPORT = "CARILLON_REPORT_TO"
_STOP_WITHIN = 12.0


def detach(home: Home, *, workers: int) -> str:
    """Starts an instance in the background and returns its closing words once it is ready.

    Raises:
        StackError: it did not get ready; the message says why.
    """
    with sole_instance(home) as sole:
        if not sole:
            return already_running(home)
    read_end, write_end = os.pipe()
    command = [sys.executable, "-m", "cli", "up", "--workers", str(workers)]
    with (home.logs / "up.log").open("ab") as log:
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[write_end],
            start_new_session=True,
            env={**os.environ, REPORT: str(write_end), "CARILLON_HOME": str(home.path)},
            cwd=home.path,
        )
    os.close(write_end)
    say("Starting Carillon …")
    with os.fdopen(read_end, encoding="utf-8") as report:
        return _hear(report, home)


def reporter() -> Callable[[str, str], None] | None:
    """Returns what tells the waiting foreground process how the start goes, None when nobody waits.

    The words go through a pipe, since they may hold a key that is shown once and belongs in no log. The kinds are
    `progress`, and to end with `words` or `problem`.
    """
    named = os.environ.pop(REPORT, None)
    if named is None:
        return None
    descriptor = int(named)
    os.set_inheritable(descriptor, False)  # noqa: FBT003 - the signature of the standard library
    pipe = os.fdopen(descriptor, "w", encoding="utf-8")

    def report(kind: str, words: str) -> None:
        with contextlib.suppress(BrokenPipeError, ValueError):  # nobody waits any more
            pipe.write(json.dumps({kind: words}) + "\n")
            pipe.flush()
            if kind != "progress":
                pipe.close()

    listeners.append(lambda sentence: report("progress", sentence))
    return report


def _hear(report: TextIO, home: Home) -> str:
    for line in report:
        told: dict[str, str] = json.loads(line)
        if "progress" in told:
            say(told["progress"])
        elif "problem" in told:
            raise StackError(told["problem"])
        else:
            return f"{told['words']}\nIt runs in the background; stop it with 'carillon down'."
    raise StackError(f"Carillon ended while it started; {home.logs / 'up.log'} says why.")


def down(home: Home) -> str:
    """Stops the instance of a data directory with all its parts, and returns what happened."""
    with sole_instance(home) as sole:
        if sole:
            end_leftovers(home)
            home.state.unlink(missing_ok=True)
            return "Carillon does not run."
    state = read_state(home)
    if state is None or not state.is_running():
        raise StackError(f"Another command holds {home.lock}; try again in a moment.")
    processes.end(state.pid, state.known_as, politely=signal.SIGTERM, within=_STOP_WITHIN)
    return "Carillon is stopped."
