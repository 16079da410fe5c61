"""An instance of the whole stack as a person starts it, in a directory of its own."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Instance:
    """Somebody at a terminal with a data directory of their own."""

    def __init__(self, directory: Path) -> None:
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("CARILLON_", "TEMPORAL_"))}
        self.places = {"CARILLON_HOME": str(directory / "home"), "CARILLON_POSTGRES_DATA": str(directory / "postgres")}
        self._environment = {**ours, **self.places}
        self.home = directory / "home"
        self.first_words = ""

    def runs(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Runs a `carillon` command."""
        return subprocess.run(
            [sys.executable, "-m", "cli", *arguments],
            check=False,
            capture_output=True,
            text=True,
            env=self._environment,
            timeout=100,
        )

    def sees(self) -> dict[str, Any]:
        """Returns what `carillon status --json` says."""
        found: dict[str, Any] = json.loads(self.runs("status", "--json").stdout)
        return found

    def pids(self) -> dict[str, int]:
        """Returns the process of each part."""
        return {part["name"]: part["pid"] for part in self.sees()["parts"]}


@contextmanager
def running(*, workers: int = 1) -> Iterator[Instance]:
    """Yields an instance that is up, and takes it down afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="carillon-up-"))
    directory.chmod(0o755)  # the database's user has to pass
    made = Instance(directory)
    try:
        started = made.runs("up", "--detach", "--workers", str(workers))
        assert started.returncode == 0, started.stderr
        made.first_words = started.stdout
        yield made
    finally:
        made.runs("down")
        shutil.rmtree(directory, ignore_errors=True)


def until(condition: Callable[[], Any], within: float = 30) -> Any:
    """Returns the first true answer of `condition`; fails when there is none in time."""
    deadline = time.monotonic() + within
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.05)  # between two looks at other processes
    return found
