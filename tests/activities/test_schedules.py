"""The runs of schedules on a real database, without a clock: what they start, and that they start it once."""

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import uuid_utils.compat
from sqlalchemy import func, select

from activities.schedule_runs import ScheduleRuns
from activities.series_starting import begin
from db import flows, schedule_runs, schedules
from db.schedule_runs import Run
from db.schedules import NewSchedule, StoredSchedule
from db.series import NewSeries
from db.series_tables import event, series
from db.session import Database
from db.tables import recipient
from domain.flow_steps import Again
from domain.schedules import ScheduleInput
from tests.activities.series_clock import defined, publish

NINE = datetime(2027, 6, 1, 3, 30, tzinfo=UTC)  # 09:00 in Kolkata
BEFORE = NINE - timedelta(hours=1)
WATCHED = "name: watched\nsteps:\n- {wait: {until: due_at}}\n- {send: hello}\n"
CALM = "name: calm\nagain: ignore\nsteps:\n- {wait: P1D}\n- {send: hello}\n"
HEARING = """
name: hearing
on: day.began
to: {email: event.data.to}
key: event.data.to
steps: [{wait: P1D}]
"""
EACH: dict[str, Any] = {
    "query": {"flow": "watched", "status": "running", "anchor": {"name": "due_at", "passed": True}},
    "start": {
        "flow": "calm",
        "key": "item.key + '/' + schedule.date",
        "data": {"due": "item.anchors.due_at", "amount": "item.data.amount"},
    },
}


async def make(database: Database, tenant_id: UUID, action: dict[str, Any], **values: Any) -> StoredSchedule:
    """Makes a schedule of each morning that counts from before `NINE`."""
    await publish(database, tenant_id, CALM)
    fields: dict[str, Any] = {
        "name": "overdue", "note": "", "spec": {"cron": "0 9 * * *", "zone": "Asia/Kolkata"}, "flow": "calm",
        "overlap": "skip", "catch_up": 3600,
    }  # fmt: skip
    async with database.tenant(tenant_id) as connection:
        made = await schedules.create(connection, tenant_id, NewSchedule(action=action, **(fields | values)))
        assert made is not None
        return await schedules.change(connection, made, counts_from=BEFORE)


async def watch(database: Database, tenant_id: UUID, due: dict[str, datetime]) -> None:
    """Starts series that count from dates, by their keys."""
    flow_id, version_id = await publish(database, tenant_id, WATCHED)
    for key, at in due.items():
        new = NewSeries(
            flow_id=flow_id, flow_version_id=version_id, key=key, to=f"{key}@example.com", to_kind="email",
            receiver_id=None, zone=None, anchors={"due_at": at.isoformat()}, data={"amount": 5}, event={},
            resource_type="run", resource_id=key,
        )  # fmt: skip
        async with database.tenant(tenant_id) as connection:
            await begin(connection, tenant_id, new, flow=defined(WATCHED), again=Again.REUSE, now=datetime.now(UTC))


async def run(database: Database, row: StoredSchedule, at: datetime = NINE, **limits: Any) -> int:
    """Makes a run to its end, each step by a worker that knows nothing of the former ones, and counts the steps."""
    order = ScheduleInput(tenant_id=str(row.tenant_id), schedule_id=str(row.id), scheduled_at=at.isoformat())
    steps = 1
    while (await ScheduleRuns(database, **limits).step(order, "a workflow")).more:
        steps += 1
    return steps


async def told(database: Database, row: StoredSchedule) -> list[Run]:
    async with database.tenant(row.tenant_id) as connection:
        return await schedule_runs.page(connection, row.tenant_id, row.id, status=None, limit=50, before=None)


async def started(database: Database, tenant_id: UUID, flow: str = "calm") -> list[Any]:
    async with database.tenant(tenant_id) as connection:
        found = await flows.get(connection, tenant_id, flow)
        assert found is not None
        asked = select(series).where(series.c.flow_id == found.id).order_by(series.c.key)
        return list((await connection.execute(asked)).all())


def overdue(count: int) -> dict[str, datetime]:
    return {f"run-{number:02}": NINE - timedelta(days=1) for number in range(count)}


async def test_each_of_what_is_past_its_date_is_started_for(database: Database, tenant_id: UUID) -> None:
    await watch(database, tenant_id, {**overdue(2), "later": NINE + timedelta(days=1)})
    row = await make(database, tenant_id, EACH)
    assert await run(database, row) == 1
    found = await started(database, tenant_id)
    assert [one.key for one in found] == ["run-00/2027-06-01", "run-01/2027-06-01"]
    assert (found[0].to, found[0].to_kind, found[0].resource_id) == ("run-00@example.com", "email", "run-00")
    assert found[0].data == {"due": (NINE - timedelta(days=1)).isoformat(), "amount": 5}
    assert found[0].event["type"] == "schedule"
    [one] = await told(database, row)
    assert (one.status, one.seen, one.started, one.reused, one.refused) == ("done", 2, 2, 0, 0)


async def test_a_run_goes_on_in_steps_and_starts_nothing_twice(database: Database, tenant_id: UUID) -> None:
    await watch(database, tenant_id, overdue(7))
    row = await make(database, tenant_id, EACH)
    assert await run(database, row, batch=2, scan=3) == 4
    assert await run(database, row, batch=2, scan=3) == 1
    assert len(await started(database, tenant_id)) == 7
    [one] = await told(database, row)
    assert (one.seen, one.started) == (7, 7)
    await run(database, row, NINE + timedelta(days=1))
    assert len(await started(database, tenant_id)) == 14


_DIES = """
import asyncio, sys
from datetime import datetime
from activities.schedule_runs import ScheduleRuns
from db.session import Database
from domain.schedules import ScheduleInput

async def main(dsn, tenant, schedule, at):
    runs = ScheduleRuns(Database.connect(dsn), batch=2, scan=4)
    order = ScheduleInput(tenant_id=tenant, schedule_id=schedule, scheduled_at=at)
    while (await runs.step(order, "a workflow")).more:
        pass

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize(("place", "first"), [("before_schedule_commit:2", 2), ("after_schedule_commit:2", 4)])
async def test_a_worker_that_is_killed_in_its_midst_leaves_nothing_double(
    database: Database, tenant_id: UUID, dsn: str, place: str, first: int
) -> None:
    await watch(database, tenant_id, overdue(7))
    row = await make(database, tenant_id, EACH)
    asked = (dsn, str(tenant_id), str(row.id), NINE.isoformat())
    died = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _DIES, *asked, stderr=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2],
        env={**os.environ, "CARILLON_CRASH_AT": place},
    )  # fmt: skip
    _, said = await died.communicate()
    assert died.returncode == -signal.SIGKILL, said.decode()
    assert len(await started(database, tenant_id)) == first
    await run(database, row, batch=2, scan=4)
    assert len(await started(database, tenant_id)) == 7
    [one] = await told(database, row)
    assert (one.status, one.seen, one.started, one.reused) == ("done", 7, 7, 0)


async def test_no_more_is_taken_up_than_it_may(database: Database, tenant_id: UUID) -> None:
    await watch(database, tenant_id, overdue(5))
    row = await make(database, tenant_id, {**EACH, "query": {**EACH["query"], "most": 3}})
    await run(database, row, batch=2)
    [one] = await told(database, row)
    assert (one.status, one.seen, one.started, one.is_cut) == ("done", 3, 3, True)


async def test_recipients_are_selected_by_a_condition(database: Database, tenant_id: UUID) -> None:
    async with database.tenant(tenant_id) as connection:
        for number, attributes in enumerate([{"plan": "gold"}, {"plan": "free"}, {}]):
            values = {"external_id": f"customer-{number}", "attributes": attributes}
            new_id = uuid_utils.compat.uuid7()
            await connection.execute(recipient.insert().values(tenant_id=tenant_id, id=new_id, **values))
    action = {
        "query": {"over": "recipients", "where": "recipient.attributes.plan == 'gold'"},
        "start": {"flow": "calm", "key": "item.id"},
    }
    row = await make(database, tenant_id, action)
    await run(database, row)
    assert [(one.key, one.to_kind) for one in await started(database, tenant_id)] == [("customer-0", "recipient")]
    [one] = await told(database, row)
    assert (one.status, one.seen, one.started, one.refused) == ("done", 2, 1, 1)
    assert one.refusals[0]["item"] == "customer-2"
    assert "'plan' is not there" in one.refusals[0]["detail"]
    await run(database, row, NINE + timedelta(days=1))
    assert (await told(database, row))[0].reused == 1


TO = {"email": "asha@example.com"}
FAILS: dict[str, tuple[dict[str, Any], str]] = {
    "a flow that is not there": ({"start": {"flow": "none", "to": TO}}, "there is no flow 'none'"),
    "a key that gives no text": ({"start": {"flow": "calm", "to": TO, "key": "schedule.none"}}, "'none' is not there"),
}


@pytest.mark.parametrize(("action", "says"), FAILS.values(), ids=FAILS)
async def test_what_cannot_go_on_is_told_as_failed(
    database: Database, tenant_id: UUID, action: dict[str, Any], says: str
) -> None:
    row = await make(database, tenant_id, action)
    await run(database, row)
    [one] = await told(database, row)
    assert one.status == "failed"
    assert says in str(one.error)


REFUSALS: dict[str, tuple[dict[str, Any], str]] = {
    "nobody": ({"flow": "calm", "to": {"recipient": "nobody"}}, "there is no recipient"),
    "a date that is missing": ({"flow": "watched", "to": TO}, "counts from 'due_at'"),
}


@pytest.mark.parametrize(("start", "says"), REFUSALS.values(), ids=REFUSALS)
async def test_one_that_cannot_be_started_is_told(
    database: Database, tenant_id: UUID, start: dict[str, Any], says: str
) -> None:
    await publish(database, tenant_id, WATCHED)
    row = await make(database, tenant_id, {"start": start})
    await run(database, row)
    [one] = await told(database, row)
    assert (one.status, one.refused) == ("done", 1)
    assert says in one.refusals[0]["detail"]


async def test_a_paused_flow_is_left_alone(database: Database, tenant_id: UUID) -> None:
    row = await make(database, tenant_id, {"start": {"flow": "calm", "to": TO}})
    async with database.tenant(tenant_id) as connection:
        flow = await flows.get(connection, tenant_id, "calm")
        assert flow is not None
        await flows.change(connection, tenant_id, flow.id, status="paused")
    await run(database, row)
    [one] = await told(database, row)
    assert (one.status, one.error) == ("failed", "the flow 'calm' is paused; activate it")


async def test_an_event_is_taken_once(database: Database, tenant_id: UUID) -> None:
    await publish(database, tenant_id, HEARING)
    action = {"event": {"type": "day.began", "data": {"to": "asha@example.com"}, "subject": "day/1"}}
    row = await make(database, tenant_id, action, flow=None)
    await run(database, row)
    await run(database, row)
    [found] = await started(database, tenant_id, "hearing")
    assert found.key == "asha@example.com"
    async with database.tenant(tenant_id) as connection:
        kept = (await connection.execute(select(event.c.source, event.c.event_id, event.c.subject))).all()
    assert kept == [("schedule/overdue", NINE.isoformat(), "day/1")]


@pytest.mark.parametrize(
    ("values", "at"),
    [
        ({"status": "paused"}, NINE),
        ({"status": "ended"}, NINE),
        ({"counts_from": NINE}, NINE),
        ({"spec": {"cron": "0 10 * * *", "zone": "Asia/Kolkata"}}, NINE),
    ],
    ids=["paused", "ended", "counted from later", "due at another time"],
)
async def test_what_is_not_due_any_more_is_not_made(
    database: Database, tenant_id: UUID, values: dict[str, Any], at: datetime
) -> None:
    row = await make(database, tenant_id, {"start": {"flow": "calm", "to": TO}})
    async with database.tenant(tenant_id) as connection:
        await schedules.change(connection, row, **values)
    await run(database, row, at)
    assert await told(database, row) == []
    assert await started(database, tenant_id) == []


async def test_a_schedule_that_is_gone_has_no_runs(database: Database, tenant_id: UUID) -> None:
    row = await make(database, tenant_id, {"start": {"flow": "calm", "to": TO}})
    async with database.tenant(tenant_id) as connection:
        await schedules.remove(connection, row)
    assert await run(database, row) == 1
    assert await started(database, tenant_id) == []


async def test_what_was_passed_over_is_told(database: Database, tenant_id: UUID) -> None:
    row = await make(database, tenant_id, {"start": {"flow": "calm", "to": TO}})
    await run(database, row)
    await run(database, row, NINE + timedelta(days=3))
    found = [(one.scheduled_at - NINE, one.status) for one in await told(database, row)]
    day = timedelta(days=1)
    assert found == [(3 * day, "done"), (2 * day, "missed"), (day, "missed"), (0 * day, "done")]
    async with database.tenant(tenant_id) as connection:
        now = await schedules.get(connection, tenant_id, row.id)
    assert now is not None
    assert (now.runs, now.last_run_at) == (2, NINE + 3 * day)


async def test_two_workers_at_one_run_do_it_once(database: Database, tenant_id: UUID) -> None:
    row = await make(database, tenant_id, {"start": {"flow": "calm", "to": TO}})
    await run(database, row)
    await run(database, row)
    async with database.tenant(tenant_id) as connection:
        assert (await connection.execute(select(func.count()).select_from(series))).scalar_one() == 1
