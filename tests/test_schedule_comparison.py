"""What `carillon reconcile` says of schedules: clocks that are lost or too many, and runs without an owner."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete
from temporalio.client import Client, Schedule, ScheduleActionStartWorkflow, ScheduleSpec

from activities.comparison import Comparison
from activities.owners import restored_finding
from activities.repairs import GRACE, Repairs
from activities.schedule_comparison import ScheduleComparison
from activities.workflow_facts import WorkflowFacts
from db import findings, schedule_runs
from db.schedule_tables import schedule
from db.schedules import StoredSchedule
from db.session import Database
from domain import keys
from domain.findings import Kind
from domain.recovery import Ground, Restored
from outbox import Dispatcher
from tests.test_schedules import YEARS, change, clock_of, ended, gone, handed_over, make, runs
from tests.test_worker import bulkheads, dispatcher, sandbox, version_id

__all__ = ["bulkheads", "dispatcher", "sandbox", "version_id"]


@pytest.fixture(autouse=True)
def running(dispatcher: Dispatcher, version_id: UUID) -> None:
    """A worker, its dispatcher, a template and an account."""


@pytest.fixture
async def row(database: Database, tenant_id: UUID) -> StoredSchedule:
    """A schedule with its clock."""
    made = await make(database, tenant_id, YEARS)
    await handed_over(database, made)
    return made


Told = list[tuple[str, str | None, str, bool]]


async def compared(
    database: Database, client: Client, *, repair: bool = False, restored: Restored = Restored.NOTHING
) -> Told:
    """Returns what a comparison says of the tenants' schedules: kind, repair, about what, whether done."""
    comparison = Comparison(database, client, Repairs(database, grace=GRACE))
    ground = Ground(now=datetime.now(UTC), restored=restored, restored_at=datetime.now(UTC))
    found = [item async for item in comparison.run(ground, repair=repair)]
    return [
        (one.found.kind.value, one.found.repair and one.found.repair.value, one.found.subject_id, one.done)
        for one in found
        if one.found.subject_type.startswith("schedule") and one.tenant_id is not None
    ]


async def test_a_lost_clock_is_told_and_made_again(database: Database, client: Client, row: StoredSchedule) -> None:
    assert await compared(database, client) == []
    await clock_of(client, row).delete()
    assert await compared(database, client) == [("clock_lost", "clock_set", str(row.id), False)]
    assert await gone(clock_of(client, row))
    assert await compared(database, client, repair=True) == [("clock_lost", "clock_set", str(row.id), True)]
    await handed_over(database, row)
    assert not await gone(clock_of(client, row))
    assert await compared(database, client) == []


async def test_while_the_database_seems_restored_a_lost_clock_is_only_told(
    database: Database, client: Client, row: StoredSchedule
) -> None:
    await clock_of(client, row).delete()
    async with database.tenant(row.tenant_id) as connection:
        await findings.record(connection, row.tenant_id, [restored_finding({}, None)])
    assert await compared(database, client, repair=True) == [("clock_lost", "clock_set", str(row.id), False)]
    assert await gone(clock_of(client, row))


async def test_a_clock_that_somebody_set_otherwise_is_told_and_set(
    database: Database, client: Client, row: StoredSchedule
) -> None:
    await clock_of(client, row).pause()
    assert await compared(database, client, repair=True) == [("clock_diverged", "clock_set", str(row.id), True)]
    await handed_over(database, row)
    assert await compared(database, client) == []


async def test_a_clock_that_has_no_schedule_is_told_and_removed(
    database: Database, tenant_id: UUID, client: Client, row: StoredSchedule
) -> None:
    async with database.tenant(tenant_id) as connection:
        await connection.execute(delete(schedule).where(schedule.c.tenant_id == tenant_id))
    async with asyncio.timeout(30):  # what the server lists is a little old
        while not (told := await compared(database, client)):
            await asyncio.sleep(0.1)
    assert told == [("clock_without_row", "removed", str(row.id), False)]
    assert not await gone(clock_of(client, row))
    assert await compared(database, client, repair=True) == [("clock_without_row", "removed", str(row.id), True)]
    assert await gone(clock_of(client, row))
    assert await compared(database, client) == []


@pytest.mark.parametrize(
    ("restored", "repair", "status"), [("nothing", "started", "done"), ("postgres", "ended", "failed")]
)
async def test_a_run_without_a_workflow_goes_on_unless_the_database_forgot_how_far_it_came(
    database: Database, tenant_id: UUID, client: Client, row: StoredSchedule, restored: str, repair: str, status: str
) -> None:
    async with database.tenant(tenant_id) as connection:
        lost = f"schedule_run/{row.id}-lost"
        begun, _ = await schedule_runs.begin(connection, tenant_id, row.id, datetime.now(UTC), lost)
    told = await compared(database, client, repair=True, restored=Restored(restored))
    assert told == [("owner_lost", repair, str(begun.id), True)]
    assert (await ended(database, row)).status == status


async def test_runs_that_an_older_database_forgot_are_not_made_again(
    database: Database, tenant_id: UUID, client: Client
) -> None:
    row = await make(database, tenant_id, {"cron": "* * * * *", "end_at": datetime.now(UTC).isoformat()})
    await handed_over(database, row)
    await change(database, row, counts_from=datetime.now(UTC) + timedelta(minutes=1))
    await handed_over(database, row)
    since = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=3)
    async with database.tenant(tenant_id) as connection:  # as a backup has it, of which no dispatcher knows
        await connection.execute(schedule.update().values(counts_from=since - timedelta(seconds=1)))
    expected = [("runs_forgotten", "passed_over", str(row.id))]
    shown = await compared(database, client, restored=Restored.POSTGRES)
    assert [one[:3] for one in shown] == expected
    assert await runs(database, row) == []
    mended = await compared(database, client, repair=True, restored=Restored.POSTGRES)
    assert [one[:3] for one in mended] == expected
    told = {run.scheduled_at: (run.status, run.started) for run in await runs(database, row)}
    assert {since + timedelta(minutes=number) for number in range(4)} <= told.keys()
    assert set(told.values()) == {("missed", 0)}
    assert await compared(database, client, restored=Restored.POSTGRES) == []


async def test_clocks_of_tenants_that_the_database_does_not_have_are_told_and_removed(
    database: Database, client: Client
) -> None:
    tenant, schedule_id = uuid4(), uuid4()
    clock = client.get_schedule_handle(keys.schedule_clock(str(tenant), str(schedule_id)))
    action = ScheduleActionStartWorkflow("schedule", id=str(schedule_id), task_queue="nobody")
    await client.create_schedule(clock.id, Schedule(action=action, spec=ScheduleSpec()))
    comparison = ScheduleComparison(database, client, WorkflowFacts(client))
    async with asyncio.timeout(30):  # what the server lists is a little old
        while not await _told(comparison, schedule_id, repair=False):
            await asyncio.sleep(0.1)
    assert not await gone(clock)
    assert await _told(comparison, schedule_id, repair=True)
    assert await gone(clock)
    assert not await _told(comparison, schedule_id, repair=False)


async def _told(comparison: ScheduleComparison, schedule_id: UUID, *, repair: bool) -> bool:
    found = [one async for one in comparison.run(Ground(now=datetime.now(UTC)), repair=repair)]
    about = [one for one in found if one.found.subject_id == str(schedule_id)]
    assert all((one.tenant_id, one.found.kind) == (None, Kind.CLOCK_WITHOUT_ROW) for one in about)
    return bool(about)


async def test_a_schedule_that_changed_after_it_was_read_did_not_diverge(
    database: Database, client: Client, row: StoredSchedule
) -> None:
    await change(database, row, spec={"cron": "0 0 2 2 *"})
    await handed_over(database, row)
    comparison = ScheduleComparison(database, client, WorkflowFacts(client))
    assert await comparison._care.wrong_with(row) is Kind.CLOCK_DIVERGED
    assert await comparison._clock(row, datetime.now(UTC), repair=True) is None
