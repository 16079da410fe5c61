"""Operations on a real database: what was counted is taken up, in order, once, and nothing that came later."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, update

from db import operations, parked
from db import outbox as outbox_rows
from db.delivery_tables import notification
from db.operations import NewOperation, Operation
from db.session import Database
from db.tables import outbox
from domain.notifications import LANES, Lane
from domain.operations import BY_ITSELF, OperationKind, OperationState, ParkedFilter, Stepped
from domain.reasons import Reason
from tests import factories

SINCE = datetime(2026, 1, 31, 8, tzinfo=UTC)


@dataclass
class Place:
    """A tenant with parked notifications, and what operations do to them."""

    database: Database
    tenant_id: UUID
    version_id: UUID

    async def park(self, count: int = 1, /, **values: Any) -> list[UUID]:
        parked_now = {"parked_at": SINCE, "parked_cause": "misconfigured", **values}
        made = [
            factories.make_notification(
                self.database, self.tenant_id, self.version_id, to="asha@example.com", to_kind="email", **parked_now
            )
            for _ in range(count)
        ]
        return [await one for one in made]

    async def change(self, ids: Sequence[UUID], **values: Any) -> None:
        async with self.database.tenant(self.tenant_id) as connection:
            await connection.execute(update(notification).where(notification.c.id.in_(ids)).values(values))

    async def create(
        self, kind: OperationKind = OperationKind.RESUME, *, rate: int = 2, actor: str = "key:ops", **wanted: Any
    ) -> UUID:
        new = NewOperation(kind=kind, filter=ParkedFilter(**wanted), rate=rate, actor=actor, reason="mended")
        async with self.database.tenant(self.tenant_id) as connection:
            return await operations.create(connection, self.tenant_id, new)

    async def step(self, operation_id: UUID) -> Stepped:
        async with self.database.tenant(self.tenant_id) as connection:
            found = await operations.lock(connection, self.tenant_id, operation_id)
            assert found is not None
            return await operations.step(connection, self.tenant_id, found)

    async def finish(self, operation_id: UUID) -> Stepped:
        while not (stepped := await self.step(operation_id)).state.is_over:
            pass
        return stepped

    async def read(self, operation_id: UUID) -> Operation:
        async with self.database.tenant(self.tenant_id) as connection:
            found = await operations.get(connection, self.tenant_id, operation_id)
        assert found is not None
        return found

    async def signals(self, kind: str = "resume") -> list[UUID]:
        """Returns which notifications are signalled, in the order in which that happens."""
        async with self.database.tenant(self.tenant_id) as connection:
            rows = await connection.execute(select(outbox).where(outbox.c.kind == "signal").order_by(outbox.c.id))
            found = rows.mappings().all()
        assert {row["payload"]["signal"] for row in found} <= {kind}
        return [UUID(row["workflow_id"].removeprefix("notification/")) for row in found]


@pytest.fixture
async def place(database: Database, tenant_id: UUID) -> Place:
    return Place(database, tenant_id, await factories.make_version(database, tenant_id))


async def test_it_takes_up_what_is_parked_in_the_order_of_acceptance(place: Place) -> None:
    ids = await place.park(2, parked_cause="template_unavailable") + await place.park(3)
    created = await place.create(rate=2)
    assert [(await place.step(created)).done for _ in range(3)] == [2, 4, 5]
    assert await place.signals() == ids
    stands = await place.read(created)
    assert (stands.state, stands.total, stands.done) == (OperationState.DONE, 5, 5)
    assert (stands.cursor, stands.until) == (ids[-1], ids[-1])
    assert stands.finished_at is not None


async def test_its_workflow_is_started_once_and_says_what_it_is(place: Place) -> None:
    await place.park(3)
    created = await place.create()
    async with place.database.tenant(place.tenant_id) as connection:
        row = (await connection.execute(select(outbox))).mappings().one()
    assert (row["kind"], row["workflow_id"]) == ("start", f"operation/{created}")
    assert row["payload"] == {
        "workflow": "operation",
        "input": {"tenant_id": str(place.tenant_id), "operation_id": str(created)},
        "summary": "resume 3 parked",
    }


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        pytest.param({}, "abcd", id="all"),
        pytest.param({"cause": Reason.MISCONFIGURED}, "abd", id="cause"),
        pytest.param({"template": "other"}, "b", id="template"),
        pytest.param({"resource_type": "invoice"}, "c", id="kind of resource"),
        pytest.param({"resource_type": "invoice", "resource_id": "8"}, "", id="resource"),
        pytest.param({"trigger": "invoice.*"}, "c", id="beginning of a trigger"),
        pytest.param({"trigger": "invoice"}, "", id="another trigger"),
        pytest.param({"account_id": UUID(int=7)}, "d", id="account"),
        pytest.param({"parked_after": SINCE}, "abc", id="parked then or later"),
        pytest.param({"parked_before": SINCE}, "d", id="parked before"),
    ],
)
async def test_each_filter_means_what_it_names(place: Place, wanted: dict[str, Any], expected: str) -> None:
    (a,) = await place.park()
    (b,) = await place.park(template="other")
    about = {"resource_type": "invoice", "resource_id": "7", "trigger_type": "invoice.due"}
    (c,) = await place.park(parked_cause="template_unavailable", **about)
    (d,) = await place.park(parked_account_id=UUID(int=7), parked_at=SINCE - timedelta(hours=1))
    await place.park(parked_at=None, parked_cause=None)
    names = {a: "a", b: "b", c: "c", d: "d"}
    created = await place.create(rate=10, **wanted)
    await place.finish(created)
    assert "".join(names[one] for one in await place.signals()) == expected
    assert (await place.read(created)).total == len(expected)
    assert (await place.read(created)).filter == ParkedFilter(**wanted)
    async with place.database.tenant(place.tenant_id) as connection:
        found = await parked.page(connection, place.tenant_id, wanted=ParkedFilter(**wanted), limit=10)
    assert [names[one.id] for one in found] == list(reversed(expected))


async def test_what_is_parked_later_is_left_alone(place: Place) -> None:
    ids = await place.park(3)
    created = await place.create(rate=1)
    await place.step(created)
    later = await place.park(1, parked_at=datetime.now(UTC) + timedelta(hours=1))
    await place.change(ids[1:2], parked_at=datetime.now(UTC) + timedelta(hours=1))  # it went on and was parked again
    assert (await place.finish(created)).done == 2
    assert await place.signals() == [ids[0], ids[2]]
    assert later[0] not in await place.signals()


async def test_what_went_on_by_itself_is_not_counted(place: Place) -> None:
    ids = await place.park(4)
    created = await place.create(rate=2)
    await place.change(ids[1:3], parked_at=None, parked_cause=None)
    assert await place.finish(created) == Stepped(state=OperationState.DONE, done=2)
    assert await place.signals() == [ids[0], ids[3]]


async def test_one_that_is_locked_is_waited_for_and_keeps_its_place(place: Place) -> None:
    ids = await place.park(3)
    created = await place.create(rate=10)
    async with place.database.tenant(place.tenant_id) as connection:
        await connection.execute(select(notification).where(notification.c.id == ids[1]).with_for_update())
        stepping = asyncio.create_task(place.step(created))
        done, _ = await asyncio.wait([stepping], timeout=0.3)
        assert done == set()
    assert (await stepping).done == 3
    assert await place.signals() == ids


async def test_a_step_that_dies_before_its_commit_leaves_nothing(place: Place) -> None:
    ids = await place.park(3)
    created = await place.create(rate=2)

    async def die() -> None:
        async with place.database.tenant(place.tenant_id) as connection:
            found = await operations.lock(connection, place.tenant_id, created)
            assert found is not None
            await operations.step(connection, place.tenant_id, found)
            raise ConnectionError

    with pytest.raises(ConnectionError):
        await die()
    assert (await place.read(created)).done == 0
    assert await place.signals() == []
    await place.finish(created)
    assert await place.signals() == ids


async def test_steps_at_once_take_up_each_notification_once(place: Place) -> None:
    ids = await place.park(12)
    created = await place.create(rate=3)
    await asyncio.gather(*(place.step(created) for _ in range(6)))
    assert await place.signals() == ids
    assert (await place.read(created)).done == 12


@pytest.mark.parametrize("kind", OperationKind)
@pytest.mark.parametrize("actor", sorted(BY_ITSELF))
async def test_what_goes_by_itself_lets_people_go_first(place: Place, kind: OperationKind, actor: str) -> None:
    ids = await place.park(3)
    by_itself = await place.create(rate=10, actor=actor)
    chosen = await place.create(kind, rate=1, cause=Reason.MISCONFIGURED)
    assert await place.step(by_itself) == Stepped(state=OperationState.PENDING, done=0)
    await place.step(chosen)
    assert await place.signals(kind.value) == ids[:1]
    async with place.database.tenant(place.tenant_id) as connection:
        await operations.stop(connection, place.tenant_id, chosen)
    assert (await place.step(by_itself)).state is OperationState.DONE


async def test_people_do_not_wait_for_each_other(place: Place) -> None:
    await place.park(1)
    first, second = await place.create(), await place.create()
    assert (await place.step(second)).done == 1
    assert (await place.step(first)).done == 1


async def test_what_was_stopped_takes_up_nothing_more(place: Place) -> None:
    ids = await place.park(4)
    created = await place.create(rate=2)
    await place.step(created)
    async with place.database.tenant(place.tenant_id) as connection:
        stopped = await operations.stop(connection, place.tenant_id, created)
    assert stopped is not None
    assert (stopped.state, stopped.done) == (OperationState.STOPPED, 2)
    assert await place.step(created) == Stepped(state=OperationState.STOPPED, done=2)
    assert await place.signals() == ids[:2]


async def test_one_that_is_done_stays_so(place: Place) -> None:
    created = await place.create()
    await place.finish(created)
    async with place.database.tenant(place.tenant_id) as connection:
        found = await operations.stop(connection, place.tenant_id, created)
    assert found is not None
    assert found.state is OperationState.DONE


async def test_dropping_forbids_every_attempt_at_once(place: Place) -> None:
    ids = await place.park(2)
    await place.finish(await place.create(OperationKind.DROP))
    assert await place.signals("drop") == ids
    async with place.database.tenant(place.tenant_id) as connection:
        rows = (await connection.execute(select(notification))).mappings().all()
    assert all(row["cancel_requested_at"] is not None and row["parked_at"] is None for row in rows)
    assert {row["status"] for row in rows} == {"queued"}


async def test_one_of_another_tenant_does_not_exist(place: Place, other_tenant_id: UUID) -> None:
    await place.park(1)
    created = await place.create()
    async with place.database.tenant(other_tenant_id) as connection:
        assert await operations.get(connection, other_tenant_id, created) is None
        assert await operations.stop(connection, other_tenant_id, created) is None
        assert await operations.lock(connection, other_tenant_id, created) is None


async def test_groups_say_how_many_are_parked_where_and_since_when(place: Place, key_ring: Any) -> None:
    account_id = await factories.make_account(
        place.database, place.tenant_id, key_ring, provider="smtp", channel="email", config={}, name="Mail"
    )
    await place.park(2, parked_account_id=account_id)
    await place.park(1, parked_account_id=account_id, parked_at=SINCE + timedelta(hours=1))
    await place.park(1, parked_cause="no_account", template="other", parked_account_id=uuid4())
    async with place.database.tenant(place.tenant_id) as connection:
        found = await parked.groups(connection, place.tenant_id, most=10)
    assert [(group.cause, group.account_name, group.template, group.count) for group in found] == [
        ("misconfigured", "Mail", "hello", 3),
        ("no_account", None, "other", 1),
    ]
    assert (found[0].oldest, found[0].newest) == (SINCE, SINCE + timedelta(hours=1))


async def test_causes_are_counted_over_all_tenants_but_never_beyond_the_bound(place: Place) -> None:
    await place.park(3)
    await place.park(2, parked_cause="daily_cap")
    async with place.database.system() as connection:
        assert await parked.by_cause(connection, most=100) == {"misconfigured": 3, "daily_cap": 2}
        assert sum((await parked.by_cause(connection, most=4)).values()) == 4


@pytest.mark.parametrize("kind", list(OperationKind))
async def test_its_signals_let_whoever_is_more_urgent_go_first(
    place: Place, other_tenant_id: UUID, kind: OperationKind
) -> None:
    ids = await place.park(2)
    await place.finish(await place.create(kind))
    async with place.database.tenant(other_tenant_id) as connection:
        await outbox_rows.add_starts(connection, other_tenant_id, [("notification/urgent", LANES[Lane.CRITICAL], {})])
    async with place.database.system() as connection:
        assert await outbox_rows.lease(connection, count=9, highest=outbox_rows.SIGNALS) == []
        taken = await outbox_rows.lease(connection, count=9)
    names = [entry.workflow_id for entry in taken if not entry.workflow_id.startswith("operation/")]
    assert names == ["notification/urgent", *(f"notification/{one}" for one in ids)]
    assert [entry.kind for entry in taken][-2:] == ["signal", "signal"]
