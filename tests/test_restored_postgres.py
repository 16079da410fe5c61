"""PostgreSQL is restored from an older backup: what may have been sent is not sent again, and all of it is told."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import make_url
from temporalio.api.enums.v1 import TaskQueueKind
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import PollWorkflowTaskQueueRequest
from temporalio.client import Client, WorkflowExecutionStatus

from activities.comparison import Divergence
from activities.owners import Owners
from activities.repairs import Repairs
from activities.sweeping import Sweep
from activities.workflow_facts import WorkflowFacts
from db import findings
from db.findings import FindingFilter
from db.tables import outbox
from domain.recovery import Restored
from sandbox.serve import Sandbox, SandboxSettings
from sealing import KeyRing
from stack.problems import StackError
from tests.installation import Installation

LATER = datetime.now(UTC) + timedelta(hours=1)


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with Sandbox(SandboxSettings(port=0, smtp_port=0, journal=tmp_path / "journal.jsonl")) as running:
        yield running


@pytest.fixture
async def here(
    own_dsn: str, client: Client, temporal: str, key_ring: KeyRing, sandbox: Sandbox
) -> AsyncIterator[Installation]:
    made = await Installation.make(own_dsn, client, temporal, key_ring, sandbox)
    yield made
    await made.database.close()
    if made.dsn != own_dsn:
        connection = await asyncpg.connect(own_dsn)
        await connection.execute(f"DROP DATABASE {make_url(made.dsn).database} WITH (FORCE)")
        await connection.close()


async def begin(here: Installation, notification_id: UUID) -> None:
    """Starts a workflow of which a worker takes a task, and dies."""
    queue = f"test-{uuid.uuid4()}"
    await here.start(notification_id, queue=queue)
    polled = TaskQueue(name=queue, kind=TaskQueueKind.TASK_QUEUE_KIND_NORMAL)
    request = PollWorkflowTaskQueueRequest(namespace="default", task_queue=polled, identity="dies")
    assert (await here.client.workflow_service.poll_workflow_task_queue(request)).task_token


def told(found: list[Divergence], names: dict[str, UUID]) -> dict[str, tuple[str, str | None, str | None]]:
    """Returns what was found about each named notification; starts in the outbox are left out."""
    by_id = {str(made): name for name, made in names.items()}
    return {
        by_id[item.found.subject_id]: (
            item.found.kind.value,
            item.found.repair.value if item.found.repair else None,
            item.found.detail.get("status"),
        )
        for item in found
        if item.found.subject_type == "notification" and item.found.subject_id in by_id
    }


async def go_on_after_a_backup(here: Installation) -> dict[str, UUID]:
    """Lets things happen before and after a backup, puts it back, and returns the notifications by what happened."""
    async with here.working():
        names = {"sent before": await here.accept()}
        names["waiting"] = await here.accept(send_at=LATER)
        names["cancelled later"] = await here.accept(send_at=LATER)
        await here.ended(names["sent before"])
        await here.handed_over()
    names |= {"interrupted": await here.accept(), "sent later": await here.accept()}
    dsn = await here.backup()
    await begin(here, names["interrupted"])
    async with here.working():
        names["accepted later"] = await here.accept(send_at=LATER)
        await here.leave_start(names["sent later"])
        await here.cancel(names["cancelled later"])
        assert await here.ended(names["sent later"]) == "accepted"
        assert await here.workflow(names["cancelled later"]).result() == "cancelled"
        await here.handed_over()
    await here.put_back(dsn)
    return names


EXPECTED = {
    "sent later": ("end_not_recorded", "ended", "accepted"),
    "cancelled later": ("end_not_recorded", "ended", "cancelled"),
    "interrupted": ("workflow_interrupted", "ended", "unknown"),
    "accepted later": ("workflow_without_row", "terminated", None),
}


async def test_every_divergence_is_told_and_then_mended_without_sending_anything(here: Installation) -> None:
    names = await go_on_after_a_backup(here)
    assert await here.mails() == 2
    found = await here.compare(Restored.POSTGRES)
    assert told(found, names) == EXPECTED
    assert not any(item.done for item in found)
    assert (await here.row(names["sent later"]))["ended_at"] is None
    mended = await here.compare(Restored.POSTGRES, repair=True)
    assert told(mended, names) == EXPECTED
    assert all(item.done for item in mended)
    assert await here.compare(Restored.POSTGRES) == []
    async with here.working():
        await here.handed_over()
    statuses = {name: (await here.row(made))["status"] for name, made in names.items() if name != "accepted later"}
    assert statuses == {
        "sent before": "accepted",
        "waiting": "queued",
        "cancelled later": "cancelled",
        "interrupted": "unknown",
        "sent later": "accepted",
    }
    assert await here.mails() == 2
    for name, status in (
        ("waiting", WorkflowExecutionStatus.RUNNING),
        ("interrupted", WorkflowExecutionStatus.TERMINATED),
        ("accepted later", WorkflowExecutionStatus.TERMINATED),
    ):
        assert (await here.workflow(names[name]).describe()).status is status, name


async def test_what_temporal_never_saw_is_started_and_what_it_may_have_forgotten_is_not(here: Installation) -> None:
    never = await here.accept()
    old = await here.accept(created_at=datetime.now(UTC) - timedelta(days=90))
    names = {"never": never, "old": old}
    mended = await here.compare(Restored.POSTGRES, repair=True)
    assert told(mended, names) == {"old": ("workflow_lost", "ended", "unknown")}
    assert await here.count(outbox) == 1
    async with here.working():
        assert await here.ended(never) == "accepted"
    assert await here.mails() == 1


async def test_a_person_may_prefer_duplicates(here: Installation) -> None:
    old = await here.accept(created_at=datetime.now(UTC) - timedelta(days=90))
    await here.execute("DELETE FROM outbox")
    mended = await here.compare(Restored.POSTGRES, repair=True, resend=True)
    assert told(mended, {"old": old}) == {"old": ("workflow_lost", "started", None)}
    async with here.working():
        assert await here.ended(old) == "accepted"
    assert await here.mails() == 1


async def test_what_was_accepted_after_the_restore_is_ordinary(here: Installation) -> None:
    restored_at = datetime.now(UTC) - timedelta(hours=1)
    new = await here.accept()
    await here.execute("DELETE FROM outbox")
    await begin(here, new)
    assert told(await here.compare(Restored.POSTGRES, at=restored_at), {"new": new}) == {}


async def test_housekeeping_holds_until_both_sides_are_reconciled(here: Installation) -> None:
    facts = WorkflowFacts(here.client)
    old = await here.accept(send_at=LATER)
    await here.execute("DELETE FROM outbox")
    dsn = await here.backup()
    await here.accept(send_at=LATER)
    mark = (await Owners(here.database, facts, Repairs(here.database)).recognise(Sweep())).cursor
    await here.put_back(dsn)
    owners = Owners(here.database, facts, Repairs(here.database), quiet=timedelta(0))
    assert (await owners.recognise(Sweep(cursor=mark))).found == 1
    await owners.workflows(Sweep())
    assert await here.count(outbox) == 0
    mended = await here.compare(Restored.POSTGRES, repair=True)
    assert told(mended, {"old": old}) == {"old": ("workflow_lost", "started", None)}
    assert (await owners.recognise(Sweep(cursor=mark))).found == 0
    async with here.database.tenant(here.tenant_id) as connection:
        rows = await findings.page(connection, here.tenant_id, wanted=FindingFilter(), limit=10, before=None)
    assert {row.kind: row.repair for row in rows} == {"database_restored": "reconciled", "workflow_lost": "started"}


async def test_nothing_is_repaired_beside_workers(here: Installation) -> None:
    async with here.working():
        made = await here.accept()
        await here.ended(made)
        await here.handed_over()
        with pytest.raises(StackError, match="Workers poll"):
            await here.compare(Restored.POSTGRES, queue=here.queue, repair=True)
        # Others leave workflows on the same server, whose rows stand in their own databases.
        assert told(await here.compare(Restored.POSTGRES, queue=here.queue), {"made": made}) == {}
