"""The whole stack as a person starts it: real processes, killed in every way, and nothing left behind."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stack import processes, temporal_binary

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(temporal_binary.find() is None, reason="the temporal program is not on this machine yet"),
]
_PARTS = {"postgres", "temporal", "sandbox", "api", "worker-1", "worker-2"}


class Person:
    """Somebody at a terminal with a data directory of their own."""

    def __init__(self, directory: Path) -> None:
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("CARILLON_", "TEMPORAL_"))}
        places = {"CARILLON_HOME": str(directory / "home"), "CARILLON_POSTGRES_DATA": str(directory / "postgres")}
        self._environment = {**ours, **places}
        self.first_words = ""

    def runs(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "cli", *arguments],
            check=False, capture_output=True, text=True, env=self._environment, timeout=100,
        )  # fmt: skip

    def sees(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.runs("status", "--json").stdout)
        return found

    def pids(self) -> dict[str, int]:
        return {part["name"]: part["pid"] for part in self.sees()["parts"]}


@pytest.fixture(scope="module")
def person() -> Iterator[Person]:
    """A person whose stack is up, and is down again afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="carillon-up-"))
    directory.chmod(0o755)  # the database's user has to pass
    made = Person(directory)
    try:
        started = made.runs("up", "--detach", "--workers", "2")
        assert started.returncode == 0, started.stderr
        made.first_words = started.stdout
        yield made
    finally:
        made.runs("down")
        shutil.rmtree(directory, ignore_errors=True)


def _until(condition: Callable[[], bool], within: float = 30) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)  # between two looks at other processes


def test_every_part_runs_and_is_healthy(person: Person) -> None:
    seen = person.sees()
    assert seen["healthy"]
    assert {part["name"] for part in seen["parts"]} == _PARTS
    assert all(part["version"] and part["pid"] and part["address"] for part in seen["parts"])


def test_the_start_ends_with_the_addresses_and_the_key(person: Person) -> None:
    for name in ("API", "docs", "console", "Temporal UI", "sandbox mailbox", "API key"):
        assert f"\n  {name:<16} " in person.first_words


def test_doctor_finds_nothing_wrong(person: Person) -> None:
    told = person.runs("doctor")
    assert told.returncode == 0, told.stdout


def test_a_killed_part_comes_back(person: Person) -> None:
    before = person.pids()
    os.kill(before["worker-2"], signal.SIGKILL)
    _until(lambda: person.sees()["healthy"] and person.pids()["worker-2"] != before["worker-2"])
    seen = {part["name"]: part["restarts"] for part in person.sees()["parts"]}
    assert seen["worker-2"] == 1
    assert {name: pid for name, pid in person.pids().items() if name != "worker-2"} == {
        name: pid for name, pid in before.items() if name != "worker-2"
    }


def test_after_the_killing_of_everything_the_next_start_just_works(person: Person) -> None:
    seen = person.sees()
    os.kill(seen["supervisor_pid"], signal.SIGKILL)
    _until(lambda: all(processes.identity(part["pid"]) is None for part in seen["parts"]))
    assert not person.sees()["running"]
    again = person.runs("up", "--detach", "--workers", "2")
    assert again.returncode == 0, again.stderr
    assert "API key" not in again.stdout  # it was shown once, and the data is still there
    assert {part["address"] for part in person.sees()["parts"]} == {part["address"] for part in seen["parts"]}


def test_the_stop_takes_less_than_ten_seconds_and_leaves_nothing(person: Person) -> None:
    pids = person.pids()
    began = time.monotonic()
    assert person.runs("down").stdout == "Carillon is stopped.\n"
    assert time.monotonic() - began < 10
    assert [name for name, pid in pids.items() if processes.identity(pid) is not None] == []
