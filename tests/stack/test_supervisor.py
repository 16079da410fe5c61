"""Services are kept running: order, readiness, back-off, a stop within its deadline, no orphans."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path

import pytest

from stack import processes
from stack.logs import PartLog
from stack.ports import any_free
from stack.problems import NotReadyError, StackError
from stack.service import Elsewhere, OneOff, ProcessService
from stack.state import PartState
from stack.supervisor import FIRST_TRIES, Supervisor

Eventually = Callable[[Callable[[], bool]], Awaitable[None]]
MakeService = Callable[..., ProcessService]

_SUPERVISING = """
import asyncio, json, os, sys
from pathlib import Path
from stack.logs import PartLog
from stack.service import ProcessService
from stack.supervisor import Supervisor
async def main():
    port, directory, command = int(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
    supervisor = Supervisor(lambda parts: None)
    supervisor.add(ProcessService("a", command=[*command, str(port)], environment=lambda: dict(os.environ),
        directory=directory, probe=f"http://127.0.0.1:{port}/", address="a", version="", log=PartLog(directory / "a")))
    await supervisor.start()
    print(supervisor.parts()[0].pid, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


class History:
    """Remembers every state that every part went through."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def note(self, parts: list[PartState]) -> None:
        for part in parts:
            if (part.name, part.state) != next((seen for seen in reversed(self.seen) if seen[0] == part.name), None):
                self.seen.append((part.name, part.state))

    def order_of(self, state: str) -> list[str]:
        return [name for name, reached in self.seen if reached == state]


@pytest.fixture
def history() -> History:
    return History()


@pytest.fixture
async def supervisor(history: History) -> AsyncIterator[Supervisor]:
    """A supervisor that stops everything at the end of the test."""
    made = Supervisor(history.note, stable_after=0.0)
    yield made
    await made.stop()


@pytest.fixture
def service(tmp_path: Path, http_server: list[str]) -> MakeService:
    """Makes a service; without a command it is a small healthy server."""

    def make(name: str, command: list[str] | None = None, ready_within: float = 10) -> ProcessService:
        port = any_free()
        return ProcessService(
            name,
            command=command or [*http_server, str(port)],
            environment=_environment,
            directory=tmp_path,
            probe=f"http://127.0.0.1:{port}/",
            address=f"127.0.0.1:{port}",
            version="1",
            log=PartLog(tmp_path / f"{name}.log"),
            ready_within=ready_within,
        )

    return make


def _environment() -> Mapping[str, str]:
    return dict(os.environ)


def _has_restarted(supervisor: Supervisor, times: int) -> bool:
    return _part(supervisor, "api").restarts == times


def _part(supervisor: Supervisor, name: str) -> PartState:
    return next(part for part in supervisor.parts() if part.name == name)


async def test_a_service_starts_after_those_it_needs_and_stops_before_them(
    supervisor: Supervisor, service: MakeService, history: History
) -> None:
    supervisor.add(service("last"), needs=["middle"], outlived_by=["beside"])
    supervisor.add(service("middle"), needs=["first"])
    supervisor.add(service("first"))
    supervisor.add(service("beside"))
    await supervisor.start()
    ready = history.order_of("ready")
    assert [name for name in ready if name != "beside"] == ["first", "middle", "last"]
    await supervisor.stop()
    stopped = history.order_of("stopped")
    assert [name for name in stopped if name != "beside"] == ["last", "middle", "first"]
    assert stopped.index("last") < stopped.index("beside")


async def test_a_killed_service_comes_back_and_is_counted(
    supervisor: Supervisor, service: MakeService, eventually: Eventually
) -> None:
    supervisor.add(service("api"))
    await supervisor.start()
    first = _part(supervisor, "api").pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await eventually(lambda: _part(supervisor, "api").restarts == 1 and _part(supervisor, "api").state == "ready")
    assert _part(supervisor, "api").pid not in {None, first}


async def test_pauses_between_restarts_grow(history: History, service: MakeService, eventually: Eventually) -> None:
    supervisor = Supervisor(history.note, stable_after=60.0)
    supervisor.add(service("api"))
    await supervisor.start()
    pauses = []
    for restarts in (1, 2, 3):
        pid = _part(supervisor, "api").pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await eventually(lambda: _part(supervisor, "api").state == "restarting")
        began = time.monotonic()
        await eventually(partial(_has_restarted, supervisor, restarts))
        pauses.append(time.monotonic() - began)
        await eventually(lambda: _part(supervisor, "api").state == "ready")
    await supervisor.stop()
    assert pauses[0] < pauses[1] < pauses[2]
    assert pauses[2] > 0.6


async def test_a_service_that_never_gets_ready_fails_the_start_with_its_last_words(
    supervisor: Supervisor, service: MakeService, tmp_path: Path
) -> None:
    code = "import sys; print('no licence found'); sys.exit(3)"
    supervisor.add(service("api", [sys.executable, "-c", code]))
    with pytest.raises(NotReadyError, match="api ended with status 3: no licence found"):
        await supervisor.start()
    assert (tmp_path / "api.log").read_text(encoding="utf-8").count("no licence found\n") == FIRST_TRIES


async def test_a_service_that_does_not_answer_in_time_is_ended(supervisor: Supervisor, service: MakeService) -> None:
    silent = service("api", [sys.executable, "-c", "import time; time.sleep(60)"], ready_within=0.1)
    supervisor.add(silent)
    with pytest.raises(NotReadyError, match="not ready after"):
        await supervisor.start()
    assert silent.child is not None
    assert silent.child.ended == -signal.SIGTERM


async def test_what_others_need_fails_the_start_at_once(
    supervisor: Supervisor, service: MakeService, tmp_path: Path
) -> None:
    failing = OneOff(
        "migrate",
        command=[sys.executable, "-c", "import sys; sys.exit('relation exists')"],
        environment=_environment,
        directory=tmp_path,
        log=PartLog(tmp_path / "migrate.log"),
        done=_no,
    )
    supervisor.add(failing)
    supervisor.add(service("api"), needs=["migrate"])
    with pytest.raises(StackError, match="migrate failed with status 1: relation exists"):
        await supervisor.start()
    assert _part(supervisor, "api").state == "waiting"


async def test_a_command_with_nothing_to_do_is_not_started(supervisor: Supervisor, tmp_path: Path) -> None:
    idle = OneOff(
        "migrate", command=["/does/not/exist"], environment=_environment, directory=tmp_path,
        log=PartLog(tmp_path / "migrate.log"), done=_yes,
    )  # fmt: skip
    supervisor.add(idle)
    await supervisor.start()
    assert supervisor.parts() == []


async def test_a_server_elsewhere_must_answer(supervisor: Supervisor, log: PartLog) -> None:
    supervisor.add(Elsewhere("temporal", address="t:1", answers=_no, otherwise="No Temporal is at t:1.", log=log))
    with pytest.raises(StackError, match="No Temporal"):
        await supervisor.start()


async def test_a_stop_takes_no_longer_than_the_budgets(
    history: History, service: MakeService, http_server: list[str]
) -> None:
    supervisor = Supervisor(history.note)
    stubborn = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{http_server[2]}"
    first, second = service("first"), service("second")
    for made, needs in ((first, []), (second, ["first"])):
        made._command = [sys.executable, "-c", stubborn, made.address.rpartition(":")[2]]
        supervisor.add(made, needs=needs, stop_within=0.3)
    await supervisor.start()
    began = time.monotonic()
    await supervisor.stop()
    assert 0.6 <= time.monotonic() - began < 3
    assert [made.child.ended for made in (first, second) if made.child] == [-signal.SIGKILL] * 2


async def test_a_stop_during_the_start_leaves_nothing(
    history: History, service: MakeService, eventually: Eventually
) -> None:
    supervisor = Supervisor(history.note)
    slow = service("api", [sys.executable, "-c", "import time; time.sleep(60)"], ready_within=60)
    supervisor.add(slow)
    start = asyncio.create_task(supervisor.start())
    await eventually(lambda: slow.child is not None)
    start.cancel()
    await asyncio.wait({start})
    await supervisor.stop()
    assert slow.child is not None
    assert processes.identity(slow.child.pid) is None


async def test_killing_the_supervisor_leaves_no_orphan(
    tmp_path: Path, http_server: list[str], eventually: Eventually
) -> None:
    command = [sys.executable, "-c", _SUPERVISING, str(any_free()), str(tmp_path), json.dumps(http_server)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as supervising:  # noqa: ASYNC220 - starts at once
        assert supervising.stdout is not None
        pid = int(supervising.stdout.readline())
        assert processes.identity(pid) is not None
        supervising.kill()
        await eventually(lambda: processes.identity(pid) is None)


async def _no() -> bool:
    return False


async def _yes() -> bool:
    return True
