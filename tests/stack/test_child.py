"""A child is heard, is stopped in time, and never outlives its parent."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from stack import processes
from stack.child import Child, Program
from stack.guardian import Guardian
from stack.logs import LogBook, PartLog

_PARENT = """
import asyncio, os, sys
from pathlib import Path
from stack.child import Child, Program
async def main():
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    program = Program(command=command, environment=dict(os.environ), directory=Path("/"))
    child = await Child.start(program, print)
    print(child.pid, flush=True)
    await child.wait()
asyncio.run(main())
"""

MakeProgram = Callable[..., Program]
Eventually = Callable[[Callable[[], bool]], Awaitable[None]]


async def test_every_line_of_a_child_is_heard(python: MakeProgram, log: PartLog) -> None:
    code = "import sys; print('to stdout'); print('to stderr', file=sys.stderr); sys.stdout.write('no newline')"
    child = await Child.start(python(code), log.write)
    assert await child.wait() == 0
    assert sorted(log.last) == ["no newline", "to stderr", "to stdout"]
    assert log.file.read_text(encoding="utf-8").count("\n") == 3


async def test_an_endless_line_is_cut(python: MakeProgram, log: PartLog) -> None:
    child = await Child.start(python("print('x' * 200_000)"), log.write)
    await child.wait()
    assert sum(len(line) for line in log.last) <= 200_000
    assert max(len(line) for line in log.last) <= 20_000


async def test_a_child_that_ignores_the_request_is_killed_in_time(
    python: MakeProgram, log: PartLog, eventually: Eventually
) -> None:
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf'); time.sleep(60)"
    child = await Child.start(python(code), log.write)
    await eventually(lambda: len(log.last) > 0)
    began = time.monotonic()
    assert await child.stop(0.3) == -signal.SIGKILL
    assert time.monotonic() - began < 2


async def test_what_a_child_leaves_behind_in_its_group_is_ended(
    python: MakeProgram, log: PartLog, eventually: Eventually
) -> None:
    grandchild = "import subprocess, sys; c = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])"
    child = await Child.start(python(f"{grandchild}; print(c.pid)"), log.write)
    await child.wait()
    pid = int(log.last[0])
    await eventually(lambda: processes.identity(pid) is None)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the guardian does it, tested below")
async def test_a_child_dies_when_its_parent_is_killed(eventually: Eventually) -> None:
    command = [sys.executable, "-c", _PARENT]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:  # noqa: ASYNC220 - it starts at once
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert processes.identity(pid) is not None
        parent.kill()
        await eventually(lambda: processes.identity(pid) is None)


async def test_the_guardian_ends_what_it_watches_when_its_parent_is_gone(eventually: Eventually) -> None:
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    with subprocess.Popen(command) as watched:  # noqa: ASYNC220 - it starts at once
        guardian = Guardian()
        guardian.watch(watched.pid, signal.SIGKILL)
        guardian.close()  # what the death of the parent does to the pipe
        await eventually(lambda: watched.poll() is not None)
        assert watched.returncode == -signal.SIGKILL


async def test_a_program_that_does_not_exist_ends_with_a_failure(tmp_path: Path, log: PartLog) -> None:
    program = Program(command=["/does/not/exist"], environment=dict(os.environ), directory=tmp_path)
    child = await Child.start(program, log.write)
    assert await child.wait() != 0


def test_a_log_file_stays_bounded(tmp_path: Path) -> None:
    log = PartLog(tmp_path / "part.log", largest=1_000)
    for number in range(1_000):
        log.write(f"line {number}")
    log.close()
    sizes = [file.stat().st_size for file in tmp_path.iterdir()]
    assert len(sizes) == 2
    assert max(sizes) < 1_100
    assert log.last[-1] == "line 999"


def test_the_terminal_gets_prefixed_lines_unless_the_part_is_muted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = LogBook(tmp_path, terminal=sys.stdout).of("api")
    log.write("heard")
    log.muted = True
    log.write("unheard")
    log.close()
    assert capsys.readouterr().out == "api        | heard\n"
    assert "unheard" in log.file.read_text(encoding="utf-8")
