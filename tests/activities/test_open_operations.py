"""Operations, outages and series that lost their workflow get another one, or end as somebody wanted."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from temporalio.client import Client

from activities.open_operations import OpenOperations
from activities.owners import restored_finding
from activities.sweeping import Sweep, Swept
from activities.workflow_facts import WorkflowFacts
from db import findings
from db import series as series_rows
from db.care_tables import circuit, operation
from db.series_tables import series
from db.session import Database
from db.tables import outbox
from domain import keys
from sealing import KeyRing
from tests import factories
from tests.activities.series_clock import publish
from tests.stalled import NO_TIME, Yard
from workflows.starting import INPUTS


@pytest.fixture
async def yard(database: Database, client: Client, tenant_id: UUID, key_ring: KeyRing) -> Yard:
    return await Yard.make(database, client, tenant_id, key_ring)


def house(yard: Yard, *, quiet: timedelta = NO_TIME) -> OpenOperations:
    return OpenOperations(yard.database, WorkflowFacts(yard.client), quiet=quiet)


async def make_operation(yard: Yard, **values: Any) -> UUID:
    fields = {"kind": "resume", "rate": 50, "state": "running", "total": 12, "actor": "key:test", **values}
    return await factories.insert(yard.database, yard.tenant_id, operation, **fields)


async def make_circuit(yard: Yard, **values: Any) -> UUID:
    subject = keys.account_subject(yard.account_id)
    fields = {"subject": subject, "account_id": yard.account_id, "state": "open", "episode": 3, **values}
    return await factories.insert(yard.database, yard.tenant_id, circuit, **fields)


async def swept_until_found(yard: Yard) -> Any:
    """Looks until something is found: the server's index is a moment behind."""
    async with asyncio.timeout(20):
        while not (found := await yard.findings()):
            await house(yard).look(Sweep())
            await house(yard).look_at_waiting(Sweep())
            await asyncio.sleep(0.05)
    return found[0]


async def test_an_operation_without_its_workflow_gets_it_back(yard: Yard) -> None:
    made = await make_operation(yard)
    await house(yard).look(Sweep())
    (start,) = await yard.rows(outbox)
    assert start["workflow_id"] == keys.operation_workflow(str(made))
    assert INPUTS[start["payload"]["workflow"]](start["payload"]["input"])
    (found,) = await yard.findings()
    assert (found.kind, found.repair, found.subject_type) == ("owner_lost", "started", "operation")


async def test_a_circuit_without_its_workflow_gets_it_back(yard: Yard) -> None:
    made = await make_circuit(yard)
    await house(yard).look(Sweep())
    (start,) = await yard.rows(outbox)
    assert start["workflow_id"] == keys.outage_workflow(str(made), 3)
    assert INPUTS[start["payload"]["workflow"]](start["payload"]["input"])


async def make_series(yard: Yard, **values: Any) -> UUID:
    flow_id, version_id = await publish(yard.database, yard.tenant_id, "name: hello\nsteps: [{send: hello}]")
    fields = {
        "flow_id": flow_id, "flow_version_id": version_id, "key": "k", "to": "+919876543210", "to_kind": "phone",
        **values,
    }  # fmt: skip
    return await factories.insert(yard.database, yard.tenant_id, series, **fields)


async def test_a_series_that_never_began_gets_its_workflow_back(yard: Yard) -> None:
    made = await make_series(yard)
    await house(yard).look(Sweep())
    (start,) = await yard.rows(outbox)
    assert start["workflow_id"] == keys.series_workflow(str(made))
    assert INPUTS[start["payload"]["workflow"]](start["payload"]["input"])
    (found,) = await yard.findings()
    assert (found.kind, found.repair, found.subject_type) == ("owner_lost", "started", "series")


async def test_a_series_whose_workflow_was_terminated_goes_on(yard: Yard) -> None:
    made = await make_series(yard, step="wait", next_at=datetime(2026, 6, 1, tzinfo=UTC))
    workflow_id = keys.series_workflow(str(made))
    handle = await yard.client.start_workflow("series", id=workflow_id, task_queue="nobody")
    await handle.terminate()
    found = await swept_until_found(yard)
    assert (found.repair, found.detail["workflow"]) == ("started", "stopped")
    assert [row["workflow_id"] for row in await yard.rows(outbox)] == [workflow_id]


@pytest.mark.parametrize(
    "values",
    [
        {"step": "wait", "next_at": datetime(2199, 6, 1, tzinfo=UTC)},
        {"status": "paused", "step": "wait"},
        {"status": "stopped", "ended_at": datetime(2026, 6, 1, tzinfo=UTC)},
    ],
    ids=["one that sleeps", "one that is paused", "one that is over"],
)
async def test_a_series_that_has_nothing_to_do_is_left_alone(yard: Yard, values: dict[str, Any]) -> None:
    await make_series(yard, **values)
    await house(yard).look(Sweep())
    assert await yard.rows(outbox) == []


async def test_a_series_that_asks_a_service_or_listens_keeps_its_workflow(yard: Yard) -> None:
    made = await make_series(yard, step="hello")
    workflow_id = keys.series_workflow(str(made))
    handle = await yard.client.start_workflow("series", id=workflow_id, task_queue="nobody")
    await house(yard).look_at_waiting(Sweep())
    assert await yard.rows(outbox) == []
    await handle.terminate()
    assert (await swept_until_found(yard)).detail["workflow"] == "stopped"
    assert [row["workflow_id"] for row in await yard.rows(outbox)] == [workflow_id]
    assert await house(yard).look_at_waiting(Sweep()) == Swept(seen=1)  # it is on its way


async def test_series_that_wait_for_no_instant_are_looked_at_in_turns(yard: Yard) -> None:
    made = [await make_series(yard, step="hello")]
    async with yard.database.tenant(yard.tenant_id) as connection:
        first = await series_rows.get(connection, yard.tenant_id, made[0])
    assert first is not None
    fields = {"flow_id": first.flow_id, "flow_version_id": first.flow_version_id, "step": "hello"}
    whose = {"to": "+919876543210", "to_kind": "phone", **fields}
    made += [await factories.insert(yard.database, yard.tenant_id, series, key=f"k{one}", **whose) for one in range(2)]
    looking = OpenOperations(yard.database, WorkflowFacts(yard.client), quiet=NO_TIME, batch=1)
    cursors, swept = [], await looking.look_at_waiting(Sweep())
    while swept.more:
        cursors.append(UUID(str(swept.cursor)))
        swept = await looking.look_at_waiting(Sweep(cursor=swept.cursor))
    assert cursors == sorted(made)
    assert {row["workflow_id"] for row in await yard.rows(outbox)} == {keys.series_workflow(str(one)) for one in made}


async def test_what_is_open_is_looked_at_wherever_the_turn_through_those_that_wait_is(yard: Yard) -> None:
    made = await make_operation(yard)
    await house(yard).look(Sweep(cursor=str(UUID(int=2**128 - 1))))
    assert [row["workflow_id"] for row in await yard.rows(outbox)] == [keys.operation_workflow(str(made))]


async def test_while_the_database_seems_restored_nothing_is_set_going(yard: Yard) -> None:
    await make_operation(yard)
    await make_series(yard, step="hello")
    async with yard.database.tenant(yard.tenant_id) as connection:
        await findings.record(connection, yard.tenant_id, [restored_finding({}, None)])
    await house(yard).look(Sweep())
    await house(yard).look_at_waiting(Sweep())
    assert await yard.rows(outbox) == []
    found = await yard.findings(kind="owner_lost")
    assert sorted((one.subject_type, one.state, one.repair) for one in found) == [
        ("operation", "open", None), ("series", "open", None),
    ]  # fmt: skip
    assert (await house(yard).look(Sweep())).found == 0  # told of lately


async def test_a_series_that_ended_after_it_was_read_is_left_alone(yard: Yard) -> None:
    made = await make_series(yard)
    ((item, workflow),) = await house(yard).orphans()
    await yard.execute("UPDATE series SET status = 'completed', ended_at = now() WHERE id = :id", id=made)
    assert await house(yard).tell(item, workflow) is None
    assert await house(yard).mend(item, workflow) is None
    assert (await yard.rows(outbox), await yard.findings()) == ([], [])


async def test_an_outage_that_came_to_its_next_episode_after_it_was_read_is_left_alone(yard: Yard) -> None:
    await make_circuit(yard)
    ((item, workflow),) = await house(yard).orphans()
    await yard.execute("UPDATE circuit SET episode = 4")
    assert await house(yard).mend(item, workflow) is None
    assert await yard.rows(outbox) == []


async def test_an_operation_whose_workflow_was_terminated_stops(yard: Yard) -> None:
    made = await make_operation(yard)
    workflow_id = keys.operation_workflow(str(made))
    handle = await yard.client.start_workflow("operation", id=workflow_id, task_queue="nobody")
    await handle.terminate()
    found = await swept_until_found(yard)
    assert (found.kind, found.repair, found.detail["workflow"]) == ("owner_lost", "ended", "stopped")
    assert [row["state"] for row in await yard.rows(operation)] == ["stopped"]


async def test_an_outage_whose_workflow_was_terminated_begins_anew(yard: Yard) -> None:
    made = await make_circuit(yard)
    workflow_id = keys.outage_workflow(str(made), 3)
    handle = await yard.client.start_workflow("outage", id=workflow_id, task_queue="nobody")
    await handle.terminate()
    await swept_until_found(yard)
    assert [row["episode"] for row in await yard.rows(circuit)] == [4]
    assert [row["workflow_id"] for row in await yard.rows(outbox)] == [keys.outage_workflow(str(made), 4)]


@pytest.mark.parametrize("kind", ["operation", "circuit"])
async def test_what_is_over_young_or_about_to_start_is_left_alone(yard: Yard, kind: str) -> None:
    over = {"state": "done"} if kind == "operation" else {"state": "closed"}
    make = make_operation if kind == "operation" else make_circuit
    made = await make(yard, **over)
    await house(yard).look(Sweep())
    assert await yard.findings() == []
    reopen = {
        "operation": "UPDATE operation SET state = 'running'",
        "circuit": "UPDATE circuit SET state = 'open'",
    }
    await yard.execute(reopen[kind])
    await house(yard, quiet=timedelta(minutes=2)).look(Sweep())
    assert await yard.findings() == []
    await house(yard).look(Sweep())
    await house(yard).look(Sweep())
    assert [(found.subject_id, found.times) for found in await yard.findings()] == [(str(made), 1)]
