"""A real PostgreSQL server from its bare programs: what is committed survives, what is left over does not disturb."""

import asyncio
import json
import os
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from stack import postgres_binaries, processes
from stack.child import Child
from stack.postgres import PostgresServer, throwaway_postgres
from stack.postgres_cluster import SERVICE_USER, Cluster, cluster_of
from stack.problems import NotReadyError, StackError
from stack.secret_file import Secrets, make


@pytest.fixture
def secrets() -> Secrets:
    return make()


@pytest.fixture
async def server(tmp_path: Path, cluster: Cluster, secrets: Secrets) -> AsyncIterator[PostgresServer]:
    """A started server."""
    made = PostgresServer(tmp_path, secrets=secrets, cluster=cluster, durable=False)
    await made.start()
    yield made
    await made.stop()


async def _execute(dsn: str, *statements: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def _value(dsn: str, query: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


def _pid(server: PostgresServer) -> int:
    assert server.child is not None
    return server.child.pid


async def test_what_is_committed_survives_the_killing_of_the_server(server: PostgresServer) -> None:
    await _execute(server.dsn, "CREATE TABLE kept (value int)", "INSERT INTO kept VALUES (42)")
    address, first = server.address, _pid(server)
    os.kill(first, signal.SIGKILL)
    assert server.child is not None
    assert await server.child.wait() == -signal.SIGKILL
    await server.start()
    assert await _value(server.dsn, "SELECT value FROM kept") == 42
    assert (server.address, _pid(server) == first) == (address, False)


async def test_the_application_is_no_superuser_and_must_log_in(server: PostgresServer) -> None:
    rights = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
    assert await _value(server.dsn, rights) is False
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(server.dsn, password="wrong")  # pragma: allowlist secret


async def test_the_server_does_not_run_as_root(server: PostgresServer) -> None:
    assert os.stat(f"/proc/{_pid(server)}").st_uid == (SERVICE_USER if os.geteuid() == 0 else os.geteuid())  # noqa: PTH116 - one field


async def test_a_restart_keeps_the_port_while_it_is_free(
    server: PostgresServer, tmp_path: Path, cluster: Cluster, secrets: Secrets
) -> None:
    await server.stop()
    again = PostgresServer(tmp_path, secrets=secrets, cluster=cluster)
    await again.start()
    await again.stop()
    assert again.address == server.address
    port = json.loads((tmp_path / "postgres.json").read_text(encoding="utf-8"))["port"]
    with socket.create_server(("127.0.0.1", port)):
        third = PostgresServer(tmp_path, secrets=secrets, cluster=cluster)
        await third.start()
        await third.stop()
    assert third.address != server.address


async def test_a_server_that_a_killed_instance_left_is_ended_first(
    server: PostgresServer, tmp_path: Path, cluster: Cluster, secrets: Secrets
) -> None:
    await _execute(server.dsn, "CREATE TABLE kept (value int)")
    successor = PostgresServer(tmp_path, secrets=secrets, cluster=cluster)
    await successor.start()
    try:
        assert processes.identity(_pid(server)) is None
        assert await _value(successor.dsn, "SELECT count(*) FROM kept") == 0
    finally:
        await successor.stop()


async def test_a_stale_note_of_a_process_does_not_disturb(server: PostgresServer, cluster: Cluster) -> None:
    await server.stop()
    note = cluster.data / "postmaster.pid"
    await asyncio.to_thread(
        note.write_text, f"{os.getpid()}\n{cluster.data}\n", encoding="utf-8"
    )  # a number used again
    await server.start()
    assert await _value(server.dsn, "SELECT 1") == 1


async def test_half_made_files_are_made_again(tmp_path: Path, cluster: Cluster) -> None:
    (cluster.data.with_name("data.new") / "base").mkdir(parents=True)
    (cluster.directory / "password").write_text("left over", encoding="ascii")
    server = PostgresServer(tmp_path, cluster=cluster, durable=False)
    await server.start()
    try:
        assert await _value(server.dsn, "SELECT 1") == 1
        assert sorted(path.name for path in cluster.directory.iterdir()) == ["data"]
    finally:
        await server.stop()


async def test_other_secrets_are_named_as_the_reason(server: PostgresServer, tmp_path: Path, cluster: Cluster) -> None:
    await server.stop()
    stranger = PostgresServer(tmp_path, secrets=make(), cluster=cluster)
    with pytest.raises(StackError, match="made with other secrets"):
        await stranger.start()
    assert stranger.child is not None
    assert stranger.child.ended is not None


async def test_a_server_that_cannot_start_says_why(server: PostgresServer, cluster: Cluster) -> None:
    await server.stop()
    damaged = cluster.data / "global" / "pg_control"
    await asyncio.to_thread(damaged.write_bytes, b"")
    with pytest.raises(NotReadyError, match="ended at once"):
        await server.start()


async def test_files_of_another_version_are_named(tmp_path: Path, cluster: Cluster) -> None:
    cluster.data.mkdir(parents=True)
    (cluster.data / "PG_VERSION").write_text("9\n", encoding="ascii")
    with pytest.raises(StackError, match="made by PostgreSQL 9"):
        await PostgresServer(tmp_path, cluster=cluster).start()


async def test_a_thrown_away_server_leaves_nothing() -> None:
    async with throwaway_postgres() as server:
        directory, child = server.cluster.directory.parent, server.child
        assert await _value(server.dsn, "SELECT current_setting('fsync')") == "off"
    assert isinstance(child, Child)
    assert processes.identity(child.pid) is None
    assert not await asyncio.to_thread(directory.exists)


def test_the_files_of_root_lie_where_the_server_may_enter(
    tmp_path: Path, secrets: Secrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CARILLON_POSTGRES_DATA", raising=False)
    found = cluster_of(tmp_path, secrets)
    if os.geteuid() == 0:
        assert found == Cluster(directory=Path("/var/lib/carillon") / secrets.instance, user=SERVICE_USER)
    else:
        assert found == Cluster(directory=tmp_path / "postgres", user=None)
    monkeypatch.setenv("CARILLON_POSTGRES_DATA", "/named")
    assert cluster_of(tmp_path, secrets).directory == Path("/named")


async def test_a_strict_umask_does_not_lock_the_server_out(public_directory: Path, cluster: Cluster) -> None:
    place = Cluster(directory=public_directory / "new" / "deep", user=cluster.user)
    before = os.umask(0o077)
    try:
        server = PostgresServer(public_directory, cluster=place, durable=False)
        await server.start()
        await server.stop()
    finally:
        os.umask(before)
    assert place.directory.stat().st_mode & 0o777 == 0o700


def test_programs_in_a_configured_directory_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("postgres", "initdb"):
        (tmp_path / name).write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 17.9'\n", encoding="ascii")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("CARILLON_POSTGRES_BIN", str(tmp_path))
    assert postgres_binaries.locate() == postgres_binaries.Binaries(directory=tmp_path, version="17.9")
    with pytest.raises(StackError, match=r"only 17\.9 is here"):
        postgres_binaries.locate(major=16)


def test_without_any_programs_the_way_out_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARILLON_POSTGRES_BIN", str(tmp_path))
    with pytest.raises(StackError, match="CARILLON_DATABASE_URL"):
        postgres_binaries.locate()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's server runs as somebody else")
async def test_programs_out_of_reach_are_copied_with_their_libraries(tmp_path: Path, cluster: Cluster) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    wheel = postgres_binaries.locate()
    assert wheel.bundle is not None, "the wheel is part of the development environment"
    postgres_binaries._copy(wheel, hidden / "copy")
    (hidden / "copy" / wheel.bundle.name).chmod(0o700)
    bundle = hidden / "copy" / wheel.bundle.name
    directory = bundle / wheel.directory.relative_to(wheel.bundle)
    hidden_copy = postgres_binaries.Binaries(directory=directory, version=wheel.version, bundle=bundle)
    cluster.directory.mkdir()
    copied = postgres_binaries.bring_within_reach(hidden_copy, cluster.directory, SERVICE_USER)
    assert copied.directory.is_relative_to(cluster.directory)
    assert postgres_binaries.reachable(copied.directory / "postgres", SERVICE_USER)
    process = await asyncio.create_subprocess_exec(
        copied.program("initdb"), "--version", user=SERVICE_USER, group=SERVICE_USER, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert (process.returncode, wheel.version in output.decode()) == (0, True)
