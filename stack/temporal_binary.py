"""Finds the `temporal` program: on PATH, in our cache, through the SDK's download, or built with Go."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from stack import processes
from stack.home import cache_directory
from stack.problems import StackError

VERSION = "1.5.1"
_MODULE = "github.com/temporalio/cli"
_DOWNLOAD_WITHIN = 120.0
_SAY_EVERY = 30.0


async def locate(say: Callable[[str], None], *, cache: Path | None = None) -> Path:
    """Returns the program; the first time it may have to be fetched or built.

    Args:
        say: told in one sentence what takes time.
        cache: where a fetched or built program is kept; below the user's cache directory when left out.

    Raises:
        StackError: it is not here, and can neither be downloaded nor built.
    """
    cached = (cache or cache_directory()) / "temporal" / f"temporal-{VERSION}"
    there = find(cached)
    if there is not None:
        return there
    cached.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if await _download(cached, say) or await _build(cached, say):
        return cached
    raise StackError(
        "Temporal is not here and could be neither downloaded nor built; install the 'temporal' command or Go 1.25, "
        "or name a running server with TEMPORAL_ADDRESS."
    )


def find(cached: Path | None = None) -> Path | None:
    """Returns the program when it is on PATH or in the cache already."""
    on_path = shutil.which("temporal")
    if on_path:
        return Path(on_path)
    cached = cached or cache_directory() / "temporal" / f"temporal-{VERSION}"
    return cached if os.access(cached, os.X_OK) else None


def version_of(program: Path) -> str:
    """Returns the version of the server inside the program."""
    answer = subprocess.run([program, "--version"], check=False, capture_output=True, text=True).stdout
    found = re.search(r"Server (\d[\w.+-]*)", answer)
    return found.group(1) if found else answer.strip()


async def _download(target: Path, say: Callable[[str], None]) -> bool:
    from temporalio.testing import WorkflowEnvironment  # noqa: PLC0415 - heavy, and needed once per machine

    say("Fetching the Temporal CLI, once.")
    with tempfile.TemporaryDirectory(dir=target.parent) as directory:
        try:
            async with asyncio.timeout(_DOWNLOAD_WITHIN):
                environment = await WorkflowEnvironment.start_local(download_dest_dir=directory)
            await environment.shutdown()
        except (RuntimeError, TimeoutError) as problem:
            say(f"The SDK could not download Temporal ({_first_line(problem)}).")
            return False
        return await asyncio.to_thread(_adopt, Path(directory), target)


async def _build(target: Path, say: Callable[[str], None]) -> bool:
    go = shutil.which("go")
    if go is None:
        return False
    say("Building the Temporal CLI, about 2.5 minutes on two free cores, once.")
    with tempfile.TemporaryDirectory(dir=target.parent) as directory:
        process = await asyncio.create_subprocess_exec(
            *[go, "install", "-ldflags", f"-s -w -X {_MODULE}/temporalcli.Version={VERSION}"],
            f"{_MODULE}/cmd/temporal@v{VERSION}",
            env={**os.environ, "GOBIN": directory, "CGO_ENABLED": "0"},
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        complaint = await _wait(process, say)
        if process.returncode:
            last = complaint.decode(errors="replace").strip().splitlines()[-1:]
            say(f"'go install {_MODULE}/cmd/temporal@v{VERSION}' failed ({' '.join(last)}).")
            return False
        return await asyncio.to_thread(_adopt, Path(directory), target)


async def _wait(process: asyncio.subprocess.Process, say: Callable[[str], None]) -> bytes:
    """Returns what the process complained about once it has ended; it and its compilers end with this task."""
    output, began = asyncio.create_task(process.communicate()), time.monotonic()
    try:
        while not (await asyncio.wait({output}, timeout=_SAY_EVERY))[0]:
            say(f"Still building after {time.monotonic() - began:.0f} s.")
    except asyncio.CancelledError:
        processes.send_signal(process.pid, signal.SIGKILL, group=True)
        await asyncio.wait({output})
        raise
    return output.result()[1]


def _adopt(directory: Path, target: Path) -> bool:
    """Moves the one program in a directory to its final name, at once."""
    programs = [file for file in directory.iterdir() if file.is_file() and file.name.startswith("temporal")]
    if not programs:
        return False
    programs[0].chmod(0o755)
    programs[0].rename(target)
    return True


def _first_line(problem: BaseException) -> str:
    line = (str(problem).splitlines() or [type(problem).__name__])[0]
    return line.partition(" for url")[0]
