"""Housekeeping finds open notifications whose workflow is gone or closed, on real rows and real workflows."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select
from temporalio.client import Client

from activities.owners import restored_finding
from activities.sweeping import Sweep
from db.delivery_tables import attempt, message
from db.session import Database
from db.tables import outbox
from domain import keys
from domain.findings import Repair
from sealing import KeyRing
from tests.stalled import Yard


@pytest.fixture
async def yard(database: Database, client: Client, tenant_id: UUID, key_ring: KeyRing) -> Yard:
    return await Yard.make(database, client, tenant_id, key_ring)


async def test_a_notification_whose_workflow_is_gone_is_started_again(yard: Yard) -> None:
    made = await yard.notification(resource_type="order", resource_id="7", trigger_type="order.paid")
    swept = await yard.sweep()
    (start,) = await yard.rows(outbox)
    workflow_id = keys.notification_workflow(str(made))
    assert (start["kind"], start["workflow_id"], start["dedup_key"]) == (
        "start",
        workflow_id,
        keys.start_of(workflow_id),
    )
    assert start["payload"]["input"]["notification_id"] == str(made)
    assert start["payload"]["resource"] == "order/7"
    (found,) = await yard.findings()
    assert (found.kind, found.state, found.repair) == ("workflow_lost", "repaired", "started")
    assert (found.subject_type, found.subject_id) == ("notification", str(made))
    assert swept.found == 1


async def test_a_start_that_waits_in_the_outbox_is_no_finding(yard: Yard) -> None:
    await yard.notification()
    await yard.sweep()
    await yard.sweep()
    (found,) = await yard.findings()
    assert found.times == 1
    assert len(await yard.rows(outbox)) == 1


@pytest.mark.parametrize("states", [["not_sent"], ["not_sent", "refused"], ["accepted"]])
async def test_attempts_without_doubt_do_not_keep_it_from_starting_again(yard: Yard, states: list[str]) -> None:
    await yard.notification(*states)
    await yard.sweep()
    assert [found.repair for found in await yard.findings()] == ["started"]
    assert [row["state"] for row in await yard.rows(attempt)] == states


@pytest.mark.parametrize("states", [["unknown"], ["not_sent", "sending"]])
async def test_doubt_ends_as_unknown_and_starts_nothing(yard: Yard, states: list[str]) -> None:
    made = await yard.notification(*states)
    await yard.sweep()
    row = await yard.row(made)
    assert (row["status"], row["reason"]) == ("unknown", "outcome_unknown")
    assert row["ended_at"] is not None
    assert {found["state"] for found in await yard.rows(attempt)} <= {"not_sent", "unknown"}
    assert await yard.rows(outbox) == []
    (found,) = await yard.findings()
    assert (found.kind, found.repair, found.detail["status"]) == ("workflow_lost", "ended", "unknown")


async def test_a_living_workflow_is_left_alone(yard: Yard) -> None:
    made = await yard.notification("not_sent")
    await yard.start(made)
    await yard.sweep()
    assert await yard.findings() == []
    assert (await yard.row(made))["ended_at"] is None


async def test_a_terminated_workflow_ends_its_notification_as_cancelled(yard: Yard) -> None:
    made = await yard.notification("not_sent")
    handle = await yard.start(made)
    await handle.terminate()
    found = await yard.sweep_until_found()
    assert (found.kind, found.repair, found.detail) == (
        "workflow_stopped",
        "ended",
        {"workflow": "stopped", "status": "cancelled"},
    )
    row = await yard.row(made)
    assert (row["status"], row["reason"]) == ("cancelled", "cancelled")
    assert await yard.rows(outbox) == []


async def test_what_the_server_itself_terminated_was_cancelled_by_nobody(yard: Yard) -> None:
    made = await yard.notification("not_sent")
    handle = await yard.start(made)
    server = await Client.connect(yard.client.service_client.config.target_host, identity="history-service")
    await server.get_workflow_handle(handle.id).terminate(reason="Workflow history count exceeds limit.")
    found = await yard.sweep_until_found()
    assert (found.kind, found.detail["status"]) == ("workflow_failed", "failed")


async def test_what_a_message_achieved_counts_more_than_the_termination(yard: Yard) -> None:
    made = await yard.notification()
    await yard.message(made, "accepted", status="delivered")
    await (await yard.start(made)).terminate()
    await yard.sweep_until_found()
    assert (await yard.row(made))["status"] == "delivered"


async def test_a_terminated_workflow_with_an_attempt_in_doubt_ends_as_unknown(yard: Yard) -> None:
    made = await yard.notification()
    await yard.message(made, "unknown", status="unknown")
    await (await yard.start(made)).terminate()
    await yard.sweep_until_found()
    assert (await yard.row(made))["status"] == "unknown"


async def test_a_workflow_that_failed_ends_its_notification_as_failed(yard: Yard) -> None:
    made = await yard.notification("not_sent")
    await yard.run(made, "fail")
    found = await yard.sweep_until_found()
    assert (found.kind, found.detail["status"]) == ("workflow_failed", "failed")


@pytest.mark.parametrize("result", ["accepted", "cancelled", "unknown"])
async def test_the_database_learns_from_a_completed_workflow_how_it_ended(yard: Yard, result: str) -> None:
    made = await yard.notification()
    await yard.run(made, result)
    found = await yard.sweep_until_found()
    assert (found.kind, found.detail["status"]) == ("end_not_recorded", result)
    assert (await yard.row(made))["status"] == result


async def test_a_workflow_that_has_just_ended_may_still_have_an_attempt_on_its_way(yard: Yard) -> None:
    made = await yard.notification()
    await (await yard.start(made)).terminate()
    await asyncio.sleep(0)
    owners = yard.owners()
    owners._repairs._grace = timedelta(hours=1)
    async with asyncio.timeout(20):
        while (await owners._facts.of_many([f"notification/{made}"]))[f"notification/{made}"].closed_at is None:
            await asyncio.sleep(0.05)
    await yard.sweep(owners)
    assert await yard.findings() == []
    assert (await yard.row(made))["ended_at"] is None


async def test_what_was_due_long_ago_waits_for_a_person(yard: Yard) -> None:
    await yard.notification(created_at=datetime.now(UTC) - timedelta(days=2))
    await yard.sweep()
    await yard.sweep()
    (found,) = await yard.findings()
    assert (found.kind, found.state, found.repair, found.times) == ("workflow_lost", "open", None, 1)
    assert await yard.rows(outbox) == []


async def test_what_changed_a_moment_ago_is_not_asked_about(yard: Yard) -> None:
    await yard.notification()
    await yard.sweep(yard.owners(quiet=timedelta(minutes=2)))
    assert await yard.findings() == []


async def test_every_open_notification_is_reached_in_bounded_steps(yard: Yard) -> None:
    made = [await yard.notification() for _ in range(7)]
    await yard.notification(status="accepted", ended_at=datetime.now(UTC))
    owners, cursor, steps = yard.owners(batch=3), None, 0
    while True:
        swept = await owners.workflows(Sweep(cursor=cursor))
        cursor, steps = swept.cursor, steps + 1
        assert swept.seen <= 3
        if cursor is None:
            break
    assert steps == 3
    assert {found.subject_id for found in await yard.findings()} == {str(name) for name in made}


async def test_an_abandoned_attempt_of_a_lost_workflow_becomes_unknown(yard: Yard) -> None:
    made = await yard.notification("sending")
    swept = await yard.owners().attempts(Sweep())
    assert swept.found == 1
    assert [row["state"] for row in await yard.rows(attempt)] == ["unknown"]
    assert [row["status"] for row in await yard.rows(message)] == ["unknown"]
    assert (await yard.row(made))["status"] == "unknown"
    assert [(found.kind, found.repair) for found in await yard.findings()] == [("attempt_abandoned", "ended")]


async def test_an_attempt_of_a_living_workflow_is_left_to_it(yard: Yard) -> None:
    made = await yard.notification("sending")
    await yard.start(made)
    await yard.owners().attempts(Sweep())
    assert [row["state"] for row in await yard.rows(attempt)] == ["sending"]
    assert await yard.findings() == []


async def test_an_attempt_that_was_claimed_a_moment_ago_is_under_way(yard: Yard) -> None:
    await yard.notification("sending")
    swept = await yard.owners(abandoned=timedelta(minutes=5)).attempts(Sweep())
    assert swept.seen == 0


async def test_an_abandoned_attempt_of_an_ended_notification_becomes_unknown_too(yard: Yard) -> None:
    made = await yard.notification("sending", status="failed", ended_at=datetime.now(UTC))
    await yard.owners().attempts(Sweep())
    assert [row["state"] for row in await yard.rows(attempt)] == ["unknown"]
    row = await yard.row(made)
    assert (row["status"], row["reason"]) == ("unknown", "outcome_unknown")


async def test_a_database_that_lacks_what_was_there_is_held(yard: Yard) -> None:
    first = await yard.notification("accepted", status="accepted", ended_at=datetime.now(UTC))
    owners = yard.owners()
    mark = (await owners.recognise(Sweep())).cursor
    assert (await owners.recognise(Sweep(cursor=mark))).found == 0
    await yard.execute("DELETE FROM attempt")
    assert (await owners.recognise(Sweep(cursor=mark))).found == 1
    (found,) = await yard.findings()
    assert (found.kind, found.state) == ("database_restored", "open")
    assert list(found.detail) == ["attempt"]
    lost = await yard.notification()
    await yard.sweep()
    assert await yard.rows(outbox) == []
    assert [found.state for found in await yard.findings(subject_id=str(lost))] == ["open"]
    assert first != lost


async def test_without_a_mark_a_database_is_taken_as_it_is(yard: Yard) -> None:
    owners = yard.owners()
    empty = await owners.recognise(Sweep())
    await yard.notification()
    assert [swept.found for swept in (empty, await owners.recognise(Sweep(cursor=empty.cursor)))] == [0, 0]


async def test_a_database_is_not_held_again_for_what_somebody_reconciled(yard: Yard) -> None:
    await yard.notification()
    owners = yard.owners()
    mark = (await owners.recognise(Sweep())).cursor
    await yard.execute("DELETE FROM notification")
    await owners.recognise(Sweep(cursor=mark))
    assert [found.state for found in await yard.findings()] == ["open"]
    await owners._repairs.record(yard.tenant_id, restored_finding({}, Repair.RECONCILED))
    assert (await owners.recognise(Sweep(cursor=mark))).found == 0
    assert [found.state for found in await yard.findings()] == ["repaired"]


async def test_tenants_are_mended_each_in_its_own_transaction(
    yard: Yard, database: Database, client: Client, other_tenant_id: UUID, key_ring: KeyRing
) -> None:
    other = await Yard.make(database, client, other_tenant_id, key_ring)
    mine, theirs = await yard.notification(), await other.notification()
    await yard.sweep()
    for one, made in ((yard, mine), (other, theirs)):
        assert [found.subject_id for found in await one.findings()] == [str(made)]
    async with database.system() as connection:
        rows = (await connection.execute(select(outbox.c.tenant_id))).scalars().all()
    assert set(rows) == {yard.tenant_id, other.tenant_id}
