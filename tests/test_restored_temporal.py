"""Temporal is restored from an older backup, or lost: the database knows what was attempted, and nothing goes twice."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from temporalio.client import WorkflowExecutionStatus

from activities.comparison import Divergence
from db.delivery_tables import attempt
from domain.recovery import Restored
from sandbox.serve import Sandbox, SandboxSettings
from sealing import KeyRing
from stack.temporal import TemporalServer
from tests.installation import Installation
from workflows.client import connect

LATER = timedelta(hours=1)
pytestmark = pytest.mark.slow  # a server of its own, stopped and started several times


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with Sandbox(SandboxSettings(port=0, smtp_port=0, journal=tmp_path / "journal.jsonl")) as running:
        yield running


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[TemporalServer]:
    """A Temporal server of this test."""
    home = tmp_path / "temporal"
    await asyncio.to_thread(home.mkdir)
    made = TemporalServer(home)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def here(
    own_dsn: str, server: TemporalServer, key_ring: KeyRing, sandbox: Sandbox
) -> AsyncIterator[Installation]:
    client = await connect(server.address, namespace="default", key_ring=key_ring)
    made = await Installation.make(own_dsn, client, server.address, key_ring, sandbox)
    yield made
    await made.database.close()


async def backup(server: TemporalServer, home: Path) -> None:
    """Copies what the server keeps, while it stands still."""
    await server.stop()
    await asyncio.to_thread(shutil.copytree, home / "temporal", home / "backup")
    await server.start()


async def put_back(server: TemporalServer, home: Path, here: Installation, *, empty: bool = False) -> Installation:
    """Goes on with the copy, or with nothing at all."""
    await server.stop()
    for file in (home / "temporal").glob("temporal.db*"):
        await asyncio.to_thread(file.unlink)
    if not empty:
        await asyncio.to_thread(shutil.copytree, home / "backup", home / "temporal", dirs_exist_ok=True)
    await server.start()
    return replace(here, client=await connect(server.address, namespace="default", key_ring=here.key_ring))


def told(found: list[Divergence], names: dict[str, UUID]) -> dict[str, tuple[str, str | None]]:
    by_id = {str(made): name for name, made in names.items()}
    return {
        by_id[item.found.subject_id]: (item.found.kind.value, item.found.repair.value if item.found.repair else None)
        for item in found
        if item.found.subject_type == "notification"
    }


async def test_an_older_temporal_sends_nothing_again(
    here: Installation, server: TemporalServer, tmp_path: Path
) -> None:
    names = {}
    async with here.working():
        names["waiting"] = await here.accept(send_at=datetime.now(UTC) + LATER)
        await here.handed_over()
    names["sent meanwhile"] = await here.accept()
    await here.start(names["sent meanwhile"])
    await backup(server, tmp_path)
    async with here.working():
        names["accepted and sent meanwhile"] = await here.accept()
        names["accepted meanwhile"] = await here.accept(send_at=datetime.now(UTC) + LATER)
        for name in ("sent meanwhile", "accepted and sent meanwhile"):
            assert await here.ended(names[name]) == "accepted"
        await here.handed_over()
    here = await put_back(server, tmp_path, here)
    await here.execute("UPDATE notification SET ended_at = ended_at - interval '1 hour'")
    expected = {
        "sent meanwhile": ("workflow_after_end", "terminated"),
        "accepted meanwhile": ("workflow_lost", "started"),
    }
    assert told(await here.compare(Restored.TEMPORAL), names) == expected
    mended = await here.compare(Restored.TEMPORAL, repair=True)
    assert told(mended, names) == expected
    assert all(item.done for item in mended)
    async with here.working():
        await here.handed_over()
    assert await here.compare(Restored.TEMPORAL) == []
    assert await here.mails() == 2
    for name in ("waiting", "accepted meanwhile"):
        assert (await here.workflow(names[name]).describe()).status is WorkflowExecutionStatus.RUNNING, name


async def test_a_lost_temporal_is_filled_again_from_the_ledger(
    here: Installation, server: TemporalServer, tmp_path: Path
) -> None:
    async with here.working():
        waiting = await here.accept(send_at=datetime.now(UTC) + LATER)
        doubtful = await here.accept(send_at=datetime.now(UTC) + LATER)
        await here.handed_over()
    await here.claim(doubtful)
    here = await put_back(server, tmp_path, here, empty=True)
    names = {"waiting": waiting, "doubtful": doubtful}
    mended = await here.compare(Restored.TEMPORAL, repair=True)
    assert told(mended, names) == {"waiting": ("workflow_lost", "started"), "doubtful": ("workflow_lost", "ended")}
    assert (await here.row(doubtful))["status"] == "unknown"
    async with here.working():
        await here.handed_over()
    assert (await here.workflow(waiting).describe()).status is WorkflowExecutionStatus.RUNNING
    assert await here.count(attempt) == 1
    assert await here.mails() == 0
