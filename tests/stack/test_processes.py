"""Processes are recognised across time, and only the right ones are ended."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from stack import processes


@pytest.fixture
def sleeper() -> Iterator["subprocess.Popen[bytes]"]:
    """A process that does nothing."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        yield process
        process.kill()


def test_a_process_keeps_its_identity_and_loses_it_when_it_ends(sleeper: "subprocess.Popen[bytes]") -> None:
    before = processes.identity(sleeper.pid)
    assert before is not None
    assert processes.identity(sleeper.pid) == before
    sleeper.kill()
    sleeper.wait()
    assert processes.identity(sleeper.pid) is None


def test_a_zombie_is_gone(sleeper: "subprocess.Popen[bytes]") -> None:
    known_as = processes.identity(sleeper.pid)
    assert processes.end(sleeper.pid, known_as)  # returns at once, although nobody has waited for it yet
    assert processes.identity(sleeper.pid) is None


def test_a_process_with_another_identity_is_left_alone(sleeper: "subprocess.Popen[bytes]") -> None:
    assert not processes.end(sleeper.pid, "somebody who had this number before")
    assert sleeper.poll() is None


def test_a_process_that_does_not_listen_is_killed() -> None:
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert processes.end(process.pid, processes.identity(process.pid), within=0.2)
        assert process.wait() == -signal.SIGKILL


def test_the_command_line_of_a_process_is_found() -> None:
    assert "python" in processes.command_line(os.getpid())
    assert processes.command_line(2**22 + 1) == ""
