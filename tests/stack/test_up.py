"""The whole stack as a person starts it: real processes, killed in every way, and nothing left behind."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from stack import processes
from tests.instance import Instance, running, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
_PARTS = {"postgres", "temporal", "sandbox", "api", "worker-1", "worker-2"}


@pytest.fixture(scope="module")
def person() -> Iterator[Instance]:
    """A person whose stack is up, and is down again afterwards."""
    with running(workers=2) as instance:
        yield instance


def test_every_part_runs_and_is_healthy(person: Instance) -> None:
    seen = person.sees()
    assert seen["healthy"]
    assert {part["name"] for part in seen["parts"]} == _PARTS
    assert all(part["version"] and part["pid"] and part["address"] for part in seen["parts"])


def test_the_start_ends_with_the_addresses_and_the_key(person: Instance) -> None:
    for name in ("API", "docs", "console", "Temporal UI", "sandbox mailbox", "API key"):
        assert f"\n  {name:<16} " in person.first_words


def test_doctor_finds_nothing_wrong(person: Instance) -> None:
    told = person.runs("doctor")
    assert told.returncode == 0, told.stdout


def test_a_killed_part_comes_back(person: Instance) -> None:
    before = person.pids()
    os.kill(before["worker-2"], signal.SIGKILL)
    until(lambda: person.sees()["healthy"] and person.pids()["worker-2"] != before["worker-2"])
    seen = {part["name"]: part["restarts"] for part in person.sees()["parts"]}
    assert seen["worker-2"] == 1
    assert {name: pid for name, pid in person.pids().items() if name != "worker-2"} == {
        name: pid for name, pid in before.items() if name != "worker-2"
    }


def test_after_the_killing_of_everything_the_next_start_just_works(person: Instance) -> None:
    seen = person.sees()
    os.kill(seen["supervisor_pid"], signal.SIGKILL)
    until(lambda: all(processes.identity(part["pid"]) is None for part in seen["parts"]))
    assert not person.sees()["running"]
    again = person.runs("up", "--detach", "--workers", "2")
    assert again.returncode == 0, again.stderr
    assert "API key" not in again.stdout  # it was shown once, and the data is still there
    assert {part["address"] for part in person.sees()["parts"]} == {part["address"] for part in seen["parts"]}


def test_the_stop_takes_less_than_ten_seconds_and_leaves_nothing(person: Instance) -> None:
    pids = person.pids()
    began = time.monotonic()
    assert person.runs("down").stdout == "Carillon is stopped.\n"
    assert time.monotonic() - began < 10
    assert [name for name, pid in pids.items() if processes.identity(pid) is not None] == []


def test_two_instances_that_start_at_once_keep_apart() -> None:
    with ThreadPoolExecutor(2) as pool, ExitStack() as both:
        first, second = pool.map(lambda _: both.enter_context(running()), range(2))
        ports = [{part["address"] for part in instance.sees()["parts"]} for instance in (first, second)]
        assert ports[0].isdisjoint(ports[1])
        assert all(part["restarts"] == 0 for instance in (first, second) for part in instance.sees()["parts"])
