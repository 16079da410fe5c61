"""Housekeeping finds what stalls in the database alone: outbox rows, receipts without a message, rows of no use."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import uuid_utils.compat
from prometheus_client import REGISTRY
from temporalio.client import Client

from activities.findings_gauge import FindingsGauge
from activities.housekeeping import Housekeeping, Patience
from activities.reconciliation import Reconciliation
from activities.repairs import Repairs
from activities.sweeping import Sweep, Swept
from db import outbox, receipts, series_tables
from db.ageing import Keeping
from db.care_tables import day_count, rate_bucket
from db.delivery_tables import receipt, tombstone
from db.receipts import NewReceipt
from db.schedule_tables import schedule, schedule_run
from db.session import Database
from db.tables import outbox as outbox_table
from domain.status import Status
from sealing import KeyRing
from tests import factories
from tests.stalled import Yard

HOUR = timedelta(hours=1)


@pytest.fixture
async def yard(database: Database, client: Client, tenant_id: UUID, key_ring: KeyRing) -> Yard:
    return await Yard.make(database, client, tenant_id, key_ring)


@pytest.fixture
def house(database: Database) -> Housekeeping:
    return Housekeeping(database, Repairs(database), batch=3)


async def leave(yard: Yard, **values: Any) -> None:
    """Leaves a start in the outbox that looks like this."""
    row = {"id": uuid_utils.compat.uuid7(), "lane": 1, "kind": "start", "workflow_id": "w", "dedup_key": "start/w"}
    async with yard.database.tenant(yard.tenant_id) as connection:
        await connection.execute(outbox_table.insert().values(tenant_id=yard.tenant_id, **{**row, **values}))


async def lease(yard: Yard) -> list[str]:
    async with yard.database.system() as connection:
        return [entry.workflow_id for entry in await outbox.lease(connection, count=10)]


def ago(span: timedelta) -> datetime:
    return datetime.now(UTC) - span


async def test_a_row_that_was_tried_for_long_is_told_of_and_tried_at_once(yard: Yard, house: Housekeeping) -> None:
    await leave(yard, created_at=ago(HOUR), leases=9, leased_until=ago(-timedelta(minutes=5)))
    assert await lease(yard) == []
    swept = await house.outbox(Sweep())
    (found,) = await yard.findings()
    assert (found.kind, found.subject_type, found.subject_id) == ("outbox_stalled", "outbox", "start/w")
    assert (found.state, found.repair, found.detail["leases"]) == ("repaired", "released", 9)
    assert await lease(yard) == ["w"]
    assert swept.found == 1


async def test_it_is_told_of_again_only_after_a_while(yard: Yard, database: Database) -> None:
    await leave(yard, created_at=ago(HOUR), leases=9)
    house = Housekeeping(database, Repairs(database))
    await house.outbox(Sweep())
    await house.outbox(Sweep())
    assert [found.times for found in await yard.findings()] == [1]
    await Housekeeping(database, Repairs(database), patience=Patience(again=timedelta(0))).outbox(Sweep())
    assert [found.times for found in await yard.findings()] == [2]


async def test_a_lease_far_into_the_future_is_taken_away(yard: Yard, house: Housekeeping) -> None:
    await leave(yard, leased_until=ago(-24 * HOUR))
    await house.outbox(Sweep())
    assert [found.kind for found in await yard.findings()] == ["outbox_leased_too_long"]
    assert await lease(yard) == ["w"]


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"created_at": ago(HOUR), "leases": 0}, id="waiting for its turn in a long line"),
        pytest.param({"leases": 9}, id="young, while Temporal came back"),
        pytest.param({"leased_until": ago(-timedelta(minutes=10))}, id="postponed as long as the dispatcher does"),
    ],
)
async def test_a_row_that_only_waits_is_left_alone(yard: Yard, house: Housekeeping, values: dict[str, Any]) -> None:
    await leave(yard, **values)
    await house.outbox(Sweep())
    assert await yard.findings() == []


async def test_more_than_a_batch_says_that_there_is_more(yard: Yard, house: Housekeeping) -> None:
    for number in range(4):
        await leave(yard, created_at=ago(HOUR), leases=9, workflow_id=f"w{number}", dedup_key=f"start/w{number}")
    assert (await house.outbox(Sweep())).more
    assert not (await house.outbox(Sweep())).more
    assert len(await yard.findings()) == 4


async def hear(yard: Yard, name: str, status: Status = Status.DELIVERED, *, received: datetime) -> None:
    """Takes a receipt for a message that the provider calls `name`."""
    async with yard.database.tenant(yard.tenant_id) as connection:
        body = f"{name} {status}".encode()
        callback_id = await factories.keep_callback(connection, yard.tenant_id, provider="smtp", body=body)
        news = NewReceipt(
            callback_id=callback_id,
            provider="smtp",
            event_key=f"{name}:{status.value}",
            status=status,
            raw_status=status.value,
            occurred_at=received,
            provider_message_id=name,
        )
        await receipts.add(connection, yard.tenant_id, [news])
    await yard.execute("UPDATE receipt SET received_at = :at WHERE provider_message_id = :name", at=received, name=name)


async def test_a_receipt_that_finds_no_message_is_told_of_after_ten_minutes(yard: Yard, house: Housekeeping) -> None:
    await hear(yard, "young", received=ago(timedelta(minutes=9)))
    await hear(yard, "old", Status.SENT, received=ago(timedelta(minutes=12)))
    await hear(yard, "old", Status.READ, received=ago(timedelta(minutes=11)))
    swept = await house.receipts(Sweep())
    await house.receipts(Sweep(cursor=swept.cursor))
    (found,) = await yard.findings()
    assert (found.kind, found.subject_type, found.subject_id) == ("receipt_unmatched", "provider_message", "old")
    assert (found.state, found.times, found.detail["receipts"]) == ("open", 1, 2)


async def test_its_finding_closes_when_the_message_turns_up(yard: Yard, house: Housekeeping) -> None:
    await hear(yard, "late", received=ago(HOUR))
    swept = await house.receipts(Sweep())
    made = await yard.notification("accepted", status="accepted", ended_at=datetime.now(UTC))
    await yard.execute("UPDATE attempt SET provider_message_id = 'late'")
    await Reconciliation(yard.database).adopt()
    await house.receipts(Sweep(cursor=swept.cursor))
    (found,) = await yard.findings()
    assert (found.state, found.repair) == ("repaired", "adopted")
    assert (await yard.row(made))["status"] == "delivered"


async def test_it_is_given_up_after_eight_days_and_that_is_said(yard: Yard, house: Housekeeping) -> None:
    await hear(yard, "nobody's", received=ago(timedelta(days=7, hours=23)))
    swept = await house.receipts(Sweep())
    assert [found.state for found in await yard.findings()] == ["open"]
    await yard.execute("UPDATE receipt SET received_at = received_at - interval '2 hours'")
    await house.receipts(Sweep(cursor=swept.cursor))
    (found,) = await yard.findings()
    assert (found.state, found.repair) == ("repaired", "given_up")
    assert len(await yard.rows(receipt)) == 1


async def test_receipts_and_open_findings_are_gone_through_in_bounded_steps(yard: Yard, house: Housekeeping) -> None:
    for number in range(7):
        await hear(yard, f"m{number}", received=ago(HOUR))
    swept = Swept(more=True)
    for _ in range(3):
        assert swept.more
        swept = await house.receipts(Sweep(cursor=swept.cursor))
        assert swept.seen <= 6
    assert {found.times for found in await yard.findings()} == {1}
    assert len(await yard.findings()) == 7
    await yard.execute("UPDATE receipt SET received_at = received_at - interval '9 days'")
    for _ in range(4):
        swept = await house.receipts(Sweep(cursor=swept.cursor))
        assert swept.found == 0
    assert {found.repair for found in await yard.findings()} == {"given_up"}
    assert not swept.more


async def test_what_is_of_no_use_any_more_is_removed(yard: Yard, house: Housekeeping) -> None:
    key = {"tenant_id": yard.tenant_id}
    now = datetime.now(UTC)
    rows = {
        tombstone: [
            {"id": uuid_utils.compat.uuid7(), "idempotency_key": "old", "created_at": ago(timedelta(days=31))},
            {"id": uuid_utils.compat.uuid7(), "idempotency_key": "new", "created_at": ago(timedelta(days=29))},
        ],
        rate_bucket: [{"key": "old", "next_at": ago(2 * HOUR)}, {"key": "new", "next_at": now}],
        day_count: [
            {"key": "old", "day": (now - timedelta(days=4)).date(), "used": 1},
            {"key": "new", "day": (now - timedelta(days=2)).date(), "used": 1},
        ],
    }
    async with yard.database.tenant(yard.tenant_id) as connection:
        for table, several in rows.items():
            await connection.execute(table.insert(), [{**key, **row} for row in several])
    swept = await house.expire(Sweep())
    assert swept.seen == 3
    for table in (tombstone, rate_bucket, day_count):
        name = "idempotency_key" if table is tombstone else "key"
        assert [row[name] for row in await yard.rows(table)] == ["new"], table.name


async def test_what_counts_for_some_time_is_removed_after_it(yard: Yard, database: Database) -> None:
    flow = await factories.insert(database, yard.tenant_id, series_tables.flow, name="f")
    for name, days in (("old", 8), ("new", 6)):
        created = ago(timedelta(days=days))
        await factories.insert(
            database, yard.tenant_id, series_tables.series_tombstone, flow_id=flow, key=name, created_at=created
        )
        event = await factories.insert(
            database, yard.tenant_id, series_tables.event, source="/s", event_id=name, type="t", data={}
        )
        await factories.insert(
            database, yard.tenant_id, series_tables.early_event,
            flow_id=flow, key=name, event_id=event, created_at=created,
        )  # fmt: skip
    keeping = Keeping(early_events=timedelta(days=7))
    await Housekeeping(database, Repairs(database), keeping=keeping).expire(Sweep())
    for table in (series_tables.series_tombstone, series_tables.early_event):
        assert [row["key"] for row in await yard.rows(table)] == ["new"], table.name
    assert len(await yard.rows(series_tables.event)) == 2


async def test_runs_are_removed_but_the_newest_of_each_clock(yard: Yard, database: Database) -> None:
    async def run(schedule: UUID, days: int, **values: Any) -> None:
        at = ago(timedelta(days=days))
        row = {"schedule_id": schedule, "scheduled_at": at, "status": "done", "ended_at": at, **values}
        await factories.insert(database, yard.tenant_id, schedule_run, **row)

    told = {"spec": {}, "action": {}, "counts_from": ago(HOUR)}
    idle, busy = [await factories.insert(database, yard.tenant_id, schedule, name=name, **told) for name in "ab"]
    for days in (120, 110, 100):
        await run(idle, days)
    await run(idle, 95, cause="trigger")
    await run(idle, 94, cause="trigger", status="running", ended_at=None)
    await run(busy, 100)
    await run(busy, 80)
    ended = await factories.insert(database, yard.tenant_id, schedule, name="c", status="ended", **told)
    await run(ended, 100)
    house = Housekeeping(database, Repairs(database), batch=1)
    swept = [await house.expire(Sweep())]
    while swept[-1].more:
        swept.append(await house.expire(Sweep()))
    left = {
        (row["schedule_id"], (datetime.now(UTC) - row["scheduled_at"]).days) for row in await yard.rows(schedule_run)
    }
    assert left == {(idle, 100), (idle, 94), (busy, 80)}
    assert sum(one.seen for one in swept) == 5


async def test_rows_are_removed_a_bounded_number_at_once(yard: Yard, house: Housekeeping) -> None:
    rows = [{"tenant_id": yard.tenant_id, "key": f"k{n}", "next_at": ago(2 * HOUR)} for n in range(4)]
    async with yard.database.tenant(yard.tenant_id) as connection:
        await connection.execute(rate_bucket.insert(), rows)
    assert (await house.expire(Sweep())).more
    assert not (await house.expire(Sweep())).more
    assert await yard.rows(rate_bucket) == []


async def test_findings_are_counted_by_kind_and_repair(yard: Yard, house: Housekeeping) -> None:
    labels = {"kind": "outbox_stalled", "repair": "released"}
    before = REGISTRY.get_sample_value("carillon_findings_total", labels) or 0
    await leave(yard, created_at=ago(HOUR), leases=9)
    await house.outbox(Sweep())
    assert REGISTRY.get_sample_value("carillon_findings_total", labels) == before + 1


async def test_open_findings_stand_in_the_metrics(yard: Yard, house: Housekeeping) -> None:
    labels = {"kind": "receipt_unmatched"}
    gauge = FindingsGauge(yard.database)
    await hear(yard, "m", received=ago(HOUR))
    await house.receipts(Sweep())
    await gauge.count()
    assert REGISTRY.get_sample_value("carillon_findings_open", labels) == 1
    await yard.execute("UPDATE finding SET state = 'repaired'")
    await gauge.count()
    assert REGISTRY.get_sample_value("carillon_findings_open", labels) == 0


async def test_a_sweep_that_fails_is_counted(database: Database) -> None:
    labels = {"step": "housekeeping.expire", "result": "failed"}
    before = REGISTRY.get_sample_value("carillon_housekeeping_sweeps_total", labels) or 0
    away = Database.connect("postgresql://nobody@127.0.0.1:1/nothing")
    with pytest.raises(OSError, match=r"refused|Connect"):
        await Housekeeping(away, Repairs(away)).expire(Sweep())
    assert REGISTRY.get_sample_value("carillon_housekeeping_sweeps_total", labels) == before + 1
    await away.close()
