"""A real Temporal server over a database file, and the ways to its program."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, RemoveSearchAttributesRequest
from temporalio.client import Client, WorkflowExecutionStatus

from stack import probes, processes, temporal_binary, temporal_client
from stack.logs import PartLog
from stack.ports import any_free
from stack.problems import NotReadyError, StackError
from stack.search_attributes import SEARCH_ATTRIBUTES
from stack.temporal import TemporalServer


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[TemporalServer]:
    """A started server."""
    made = TemporalServer(tmp_path)
    await made.start()
    yield made
    await made.stop(0.1)


@pytest.mark.slow
async def test_a_workflow_survives_the_killing_of_the_server(server: TemporalServer) -> None:
    client = await Client.connect(server.address)
    await client.start_workflow("waits-for-a-worker", id="kept", task_queue="nobody")
    assert server.child is not None
    os.kill(server.child.pid, signal.SIGKILL)
    await server.child.wait()
    await server.start()
    found = await (await Client.connect(server.address)).get_workflow_handle("kept").describe()
    assert found.status is WorkflowExecutionStatus.RUNNING


async def test_the_server_knows_our_search_attributes(server: TemporalServer) -> None:
    facts = await temporal_client.ask(server.address, "default", "carillon")
    assert facts is not None
    assert (facts.missing_search_attributes, facts.pollers) == ([], [])
    assert facts.version == server.version
    assert await temporal_client.answers(server.address)


async def test_the_probe_answers_while_the_service_does(tmp_path: Path) -> None:
    server = TemporalServer(tmp_path, ui_port=any_free(), log=PartLog(tmp_path / "log"))
    await server.start()
    try:
        assert server.probe is not None
        assert await probes.is_ok(server.probe)
    finally:
        await server.stop(0.1)
    assert not await probes.is_ok(server.probe)


async def test_search_attributes_are_added_to_a_server_that_somebody_else_runs(server: TemporalServer) -> None:
    client = await Client.connect(server.address)
    await client.operator_service.remove_search_attributes(_remove("CarillonTenant"))
    assert await temporal_client.register_search_attributes(client) == ["CarillonTenant"]
    assert await temporal_client.prepare(server.address, "default")


async def test_a_search_attribute_of_another_type_is_refused(server: TemporalServer) -> None:
    client = await Client.connect(server.address)
    await client.operator_service.remove_search_attributes(_remove("CarillonTenant"))
    await client.operator_service.add_search_attributes(_add_as_number("CarillonTenant"))
    with pytest.raises(StackError, match="CarillonTenant is INDEXED_VALUE_TYPE_INT instead of Keyword"):
        await temporal_client.prepare(server.address, "default")


async def test_a_server_that_does_not_answer_is_not_prepared() -> None:
    assert not await temporal_client.prepare("127.0.0.1:1", "default")
    assert await temporal_client.ask("127.0.0.1:1", "default", "carillon") is None
    assert not await temporal_client.answers("127.0.0.1:1")


async def test_a_server_that_ends_at_once_says_so(tmp_path: Path) -> None:
    program = _script(tmp_path / "temporal", "echo 'Error: no such luck' >&2; exit 1")
    with pytest.raises(NotReadyError, match="Error: no such luck"):
        await TemporalServer(tmp_path, program=program).start()


async def test_the_program_on_the_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = _script(tmp_path / "temporal", "echo 'temporal version 9 (Server 9.9.9, UI 9)'")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    said: list[str] = []
    assert await temporal_binary.locate(said.append, cache=tmp_path / "cache") == program
    assert (temporal_binary.version_of(program), said) == ("9.9.9", [])


async def test_a_program_that_cannot_be_downloaded_is_built_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools, cache, said = tmp_path / "tools", tmp_path / "cache", list[str]()
    tools.mkdir()
    _script(tools / "go", f'echo built > "$GOBIN/temporal"; echo "$@" >> {tmp_path}/calls')
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    monkeypatch.setattr(temporal_binary, "_download", _no_download)
    built = await temporal_binary.locate(said.append, cache=cache)
    assert await temporal_binary.locate(said.append, cache=cache) == built
    assert built.read_text(encoding="utf-8") == "built\n"
    assert len((tmp_path / "calls").read_text(encoding="utf-8").splitlines()) == 1
    assert said == ["Building the Temporal CLI, about 2.5 minutes on two free cores, once."]
    assert [path.name for path in built.parent.iterdir()] == [built.name]


async def test_a_build_that_is_broken_off_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, eventually: Callable[[Callable[[], bool]], Awaitable[None]]
) -> None:
    noted = tmp_path / "pid"
    _script(tmp_path / "go", f"sleep 60 & echo $! > {noted}; wait")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(temporal_binary, "_download", _no_download)
    building = asyncio.create_task(temporal_binary.locate(list[str]().append, cache=tmp_path / "cache"))
    await eventually(lambda: noted.exists() and noted.read_text(encoding="utf-8").endswith("\n"))
    building.cancel()
    await asyncio.wait({building})
    pid = int(noted.read_text(encoding="utf-8"))
    await eventually(lambda: processes.identity(pid) is None)
    assert list((tmp_path / "cache" / "temporal").iterdir()) == []


async def test_a_failed_build_names_the_ways_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _script(tmp_path / "go", "echo 'no route to module' >&2; exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(temporal_binary, "_download", _no_download)
    said: list[str] = []
    with pytest.raises(StackError, match="TEMPORAL_ADDRESS"):
        await temporal_binary.locate(said.append, cache=tmp_path / "cache")
    assert "no route to module" in said[-1]


def _remove(name: str) -> RemoveSearchAttributesRequest:
    return RemoveSearchAttributesRequest(namespace="default", search_attributes=[name])


def _add_as_number(name: str) -> AddSearchAttributesRequest:
    kinds = {name: IndexedValueType.INDEXED_VALUE_TYPE_INT}
    return AddSearchAttributesRequest(namespace="default", search_attributes=kinds)


async def _no_download(target: Path, say: object) -> bool:
    return False


def _script(file: Path, body: str) -> Path:
    file.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    file.chmod(0o755)
    return file


def test_every_search_attribute_has_our_name() -> None:
    assert all(name.startswith("Carillon") for name in SEARCH_ATTRIBUTES)
    assert SEARCH_ATTRIBUTES["CarillonNotification"] == "KeywordList"
