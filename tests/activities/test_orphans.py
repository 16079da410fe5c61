"""What was parked a moment after its cause had been mended, on a real database."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from activities.orphans import Orphans
from activities.sweeping import Sweep, Swept
from db import operations
from db.care_tables import circuit, operation
from db.operations import NewOperation, Operation
from db.session import Database
from db.tables import account
from domain.circuits import account_subject, template_subject
from domain.operations import OperationKind, ParkedFilter
from domain.reasons import Reason
from sealing import KeyRing
from tests import factories

PARKED = datetime(2026, 3, 1, 9, tzinfo=UTC)
MENDED = PARKED - timedelta(seconds=1)
NOW = PARKED + timedelta(minutes=3)


@dataclass
class Ground:
    """A tenant whose only account was mended a second before its notifications were parked."""

    database: Database
    tenant_id: UUID
    account_id: UUID
    version_id: UUID
    key_ring: KeyRing

    async def park(self, cause: str = "account_suspended", **values: Any) -> UUID:
        fields = {"parked_at": PARKED, "parked_cause": cause, "parked_account_id": self.account_id, **values}
        version_id = fields.pop("version_id", self.version_id)
        return await factories.make_notification(
            self.database, self.tenant_id, version_id, to="asha@example.org", to_kind="email", **fields
        )

    async def change_account(self, **values: Any) -> None:
        async with self.database.tenant(self.tenant_id) as connection:
            await connection.execute(update(account).where(account.c.id == self.account_id).values(values))

    async def open(self, subject: str, account_id: UUID | None = None) -> None:
        fields = {"subject": subject, "state": "open", "account_id": account_id or self.account_id}
        await factories.insert(self.database, self.tenant_id, circuit, updated_at=MENDED, **fields)

    async def operate(self, *, cause: Reason | None = None, account_id: UUID | None = None, **values: Any) -> None:
        new = NewOperation(
            kind=OperationKind.RESUME,
            filter=ParkedFilter(cause=cause, account_id=account_id),
            rate=1,
            actor="key:ops",
            reason=values.pop("reason", "mended"),
        )
        async with self.database.tenant(self.tenant_id) as connection:
            made = await operations.create(connection, self.tenant_id, new)
            if values:
                await connection.execute(update(operation).where(operation.c.id == made).values(values))

    async def look(self, *, now: datetime = NOW, cursor: str | None = None, most: int = 100) -> Swept:
        return await Orphans(self.database, now=lambda: now, most=most).resume(Sweep(cursor=cursor))

    async def made(self) -> Sequence[Operation]:
        async with self.database.tenant(self.tenant_id) as connection:
            found = await operations.page(connection, self.tenant_id, limit=20, before=None)
        return [one for one in found if one.actor == "housekeeping"]


@pytest.fixture
async def ground(database: Database, tenant_id: UUID, key_ring: KeyRing) -> Ground:
    fields: dict[str, Any] = {
        "provider": "smtp",
        "channel": "email",
        "config": {},
        "updated_at": MENDED,
        "limits": {"rate": 80},
    }
    account_id = await factories.make_account(database, tenant_id, key_ring, **fields)
    return Ground(database, tenant_id, account_id, await factories.make_version(database, tenant_id), key_ring)


async def test_what_was_parked_after_its_account_was_resumed_is_resumed(ground: Ground) -> None:
    name = await ground.park()
    await ground.look()
    (made,) = await ground.made()
    assert (made.filter, made.rate, made.total, made.until) == (
        ParkedFilter(cause=Reason.ACCOUNT_SUSPENDED),
        80,
        1,
        name,
    )


@pytest.mark.parametrize("cause", ["misconfigured", "template_unavailable", "provider_unavailable"])
async def test_it_is_one_operation_for_each_cause_and_account(ground: Ground, cause: str) -> None:
    for _ in range(3):
        await ground.park(cause)
    await ground.look()
    (made,) = await ground.made()
    assert (made.filter, made.total) == (ParkedFilter(cause=Reason(cause), account_id=ground.account_id), 3)


@pytest.mark.parametrize(
    ("account_values", "values"),
    [
        pytest.param({"state": "suspended"}, {}, id="the account is suspended"),
        pytest.param({"channel": "sms"}, {}, id="the account is of another channel"),
        pytest.param({"updated_at": PARKED - timedelta(hours=2)}, {}, id="it was mended long before"),
        pytest.param({}, {"cause": "daily_cap"}, id="it is no account's trouble"),
        pytest.param({}, {"parked_at": NOW - timedelta(minutes=1)}, id="it was parked just now"),
    ],
)
async def test_what_has_no_reason_to_go_on_stays_parked(
    ground: Ground, account_values: dict[str, Any], values: dict[str, Any]
) -> None:
    await ground.change_account(**{"limits": {}, **account_values})
    await ground.park(**values)
    await ground.look()
    assert await ground.made() == []


async def test_an_open_circuit_keeps_what_it_is_about(ground: Ground) -> None:
    await ground.park("provider_unavailable")
    await ground.open(account_subject(ground.account_id))
    await ground.look()
    assert await ground.made() == []


async def test_a_template_s_open_circuit_keeps_that_template_alone(ground: Ground) -> None:
    other = await factories.make_version(ground.database, ground.tenant_id, name="other")
    await ground.park("template_unavailable")
    await ground.open(template_subject(ground.account_id, ground.version_id, "hi"))
    await ground.look()
    assert await ground.made() == []
    await ground.park("template_unavailable", version_id=other)
    await ground.look()
    assert len(await ground.made()) == 1


async def test_who_asked_for_one_sender_does_not_go_on_through_another(ground: Ground) -> None:
    fields: dict[str, Any] = {"provider": "smtp", "channel": "email", "config": {}}
    pinned = await factories.make_account(
        ground.database, ground.tenant_id, ground.key_ring, state="suspended", **fields
    )
    await ground.park(sender=pinned)
    await ground.look()
    assert await ground.made() == []


MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("values", "left_alone"),
    [
        pytest.param({}, True, id="one is under way"),
        pytest.param({"cause": Reason.ACCOUNT_SUSPENDED}, True, id="one of the same filter"),
        pytest.param({"cause": Reason.MISCONFIGURED}, False, id="one of another cause"),
        pytest.param({"state": "done", "finished_at": NOW - 9 * MINUTE}, True, id="nine minutes ago"),
        pytest.param({"state": "done", "finished_at": NOW - 11 * MINUTE}, False, id="eleven minutes ago"),
        pytest.param({"state": "stopped", "finished_at": PARKED}, True, id="somebody stopped it since"),
        pytest.param(
            {"state": "stopped", "finished_at": PARKED, "reason": "replaced: mended"}, False, id="it was replaced"
        ),
        pytest.param({"state": "stopped", "finished_at": MENDED - MINUTE}, False, id="it was stopped before"),
    ],
)
async def test_what_an_operation_takes_care_of_is_left_alone(
    ground: Ground,
    values: dict[str, Any],
    left_alone: bool,  # noqa: FBT001 - a column of the table
) -> None:
    await ground.park()
    await ground.operate(**values)
    later = NOW + 20 * MINUTE if values.get("finished_at") in {PARKED, MENDED - MINUTE} else NOW
    await ground.look(now=later)
    assert (await ground.made() == []) is left_alone


async def test_a_look_is_bounded_and_the_next_one_goes_on(ground: Ground) -> None:
    for cause in ("misconfigured", "provider_unavailable"):
        await ground.park(cause)
    looked = await ground.look(most=1)
    assert (looked.more, looked.seen) == (True, 1)
    again = await ground.look(cursor=looked.cursor, most=1)
    last = await ground.look(cursor=again.cursor, most=1)
    assert (last.more, last.cursor, last.seen) == (False, None, 0)
    assert {one.filter.cause for one in await ground.made()} == {Reason.MISCONFIGURED, Reason.PROVIDER_UNAVAILABLE}
