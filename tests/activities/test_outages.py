"""Looking after open circuits on a real database: who is the probe, who asks the provider, what is let go."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from aiosmtpd.smtp import SMTP
from sqlalchemy import select, update

from activities.accounts import AccountProviders, config_place
from activities.outages import Outages
from db import circuits, operations
from db.care_tables import circuit, operation
from db.session import Database
from db.tables import account, outbox
from domain.circuits import PROBE_PERMIT, CircuitState, News, account_subject, template_subject
from domain.operations import OperationState
from domain.outages import ANSWER, GRACE, Look, OutageInput, ReleaseOrder
from domain.reasons import Reason
from sealing import KeyRing
from tests.activities.test_delivery import CONFIG
from tests.factories import make_account, make_notification, make_version

NOW = datetime(2026, 7, 14, 9, tzinfo=UTC)
DUE = NOW + timedelta(seconds=5)


@dataclass
class Ground:
    """A tenant with an account, a template, and a circuit that opened at `NOW`."""

    database: Database
    tenant_id: UUID
    account_id: UUID
    version_id: UUID
    key_ring: KeyRing
    now: datetime = NOW
    circuit_id: UUID = field(default_factory=lambda: UUID(int=0))

    @property
    def outages(self) -> Outages:
        hosts = frozenset({"127.0.0.1"})
        return Outages(self.database, AccountProviders(self.key_ring), allowed_hosts=hosts, now=lambda: self.now)

    async def note(self, *troubles: Reason | None, subject: str | None = None, at: datetime | None = None) -> None:
        about = subject or account_subject(self.account_id)
        news = [News(subject=about, account_id=self.account_id, trouble=one, at=at or self.now) for one in troubles]
        async with self.database.tenant(self.tenant_id) as connection:
            await circuits.note(connection, self.tenant_id, news)
            query = select(circuit.c.id).where(circuit.c.subject == about)
            self.circuit_id = (await connection.execute(query)).scalar_one()

    async def parked(self, cause: Reason = Reason.PROVIDER_UNAVAILABLE, **values: Any) -> UUID:
        fields = {"parked_at": NOW, "parked_cause": cause.value, "parked_account_id": self.account_id, **values}
        version_id = fields.pop("version_id", self.version_id)
        return await make_notification(
            self.database, self.tenant_id, version_id, to="asha@example.org", to_kind="email", **fields
        )

    async def probe(self, now: datetime, cursor: UUID | None = None, *, episode: int = 1, misses: int = 0) -> Look:
        self.now = now
        order = OutageInput(
            tenant_id=str(self.tenant_id),
            circuit_id=str(self.circuit_id),
            episode=episode,
            cursor=str(cursor) if cursor else None,
            misses=misses,
        )
        return await self.outages.probe(order)

    async def release(self, *, parked_after: datetime | None = None, episode: int = 1) -> int:
        order = ReleaseOrder(
            tenant_id=str(self.tenant_id), circuit_id=str(self.circuit_id), episode=episode, parked_after=parked_after
        )
        return await self.outages.release(order)

    async def resumed(self) -> list[UUID]:
        async with self.database.tenant(self.tenant_id) as connection:
            rows = await connection.execute(select(outbox).where(outbox.c.kind == "signal").order_by(outbox.c.id))
        signals = [row for row in rows.mappings() if row["payload"]["signal"] == "resume"]
        return [UUID(row["workflow_id"].removeprefix("notification/")) for row in signals]

    async def state(self) -> CircuitState:
        async with self.database.tenant(self.tenant_id) as connection:
            found = await circuits.get(connection, self.tenant_id, self.circuit_id)
        assert found is not None
        return found.circuit.state

    async def operations(self) -> list[tuple[str, dict[str, Any], int, str]]:
        async with self.database.tenant(self.tenant_id) as connection:
            rows = await connection.execute(select(operation).order_by(operation.c.id))
        return [(row["kind"], row["filter"], row["rate"], row["actor"]) for row in rows.mappings()]

    async def another_account(self, **values: Any) -> UUID:
        return await make_account(
            self.database, self.tenant_id, self.key_ring, provider="smtp", channel="email", config={}, **values
        )


def config(port: int) -> dict[str, Any]:
    return CONFIG | {"port": port}


@pytest.fixture
def silent() -> int:
    """A port at which nobody answers."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


@pytest.fixture
async def answering() -> AsyncIterator[int]:
    """The port of a mail server."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(object(), loop=loop), "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


@pytest.fixture
async def ground(database: Database, tenant_id: UUID, key_ring: KeyRing, silent: int) -> Ground:
    account_id = await make_account(
        database, tenant_id, key_ring, provider="smtp", channel="email", config=config(silent)
    )
    version_id = await make_version(database, tenant_id)
    made = Ground(database, tenant_id, account_id, version_id, key_ring)
    await made.note(*[Reason.UNAVAILABLE] * 5)
    return made


async def test_nothing_happens_before_the_probe_is_due(ground: Ground) -> None:
    await ground.parked()
    looked = await ground.probe(NOW + timedelta(seconds=1))
    assert (looked.over, looked.next_at) == (False, DUE)
    assert await ground.resumed() == []


async def test_the_parked_notification_that_waits_longest_is_the_probe_and_then_the_next(ground: Ground) -> None:
    first, second = await ground.parked(), await ground.parked()
    looked = await ground.probe(DUE)
    assert (looked.over, looked.next_at, looked.cursor) == (False, DUE + ANSWER, str(first))
    again = await ground.probe(DUE + ANSWER, first)
    third = await ground.probe(DUE + 2 * ANSWER, second)
    assert (again.cursor, third.cursor) == (str(second), str(first))
    assert await ground.resumed() == [first, second]  # the third time its signal is still on its way


async def test_while_a_probe_is_on_its_way_it_waits_for_its_permit_to_expire(ground: Ground) -> None:
    await ground.parked()
    async with ground.database.tenant(ground.tenant_id) as connection:
        assert await circuits.take_probe(connection, ground.tenant_id, account_subject(ground.account_id), DUE)
    looked = await ground.probe(DUE + ANSWER)
    assert looked.next_at == DUE + PROBE_PERMIT


@pytest.mark.parametrize(
    "case",
    [
        pytest.param({"cause": Reason.DAILY_CAP}, id="parked for something else"),
        pytest.param({"cause": Reason.TEMPLATE_UNAVAILABLE}, id="its template is paused"),
        pytest.param({"parked_at": None, "parked_cause": None}, id="not parked"),
    ],
)
async def test_what_cannot_go_is_no_probe(ground: Ground, case: dict[str, Any]) -> None:
    await ground.parked(**case)
    assert (await ground.probe(DUE)).next_at == DUE + GRACE
    assert await ground.resumed() == []


async def test_what_is_parked_at_another_account_of_the_channel_can_be_the_probe(ground: Ground) -> None:
    other = await ground.another_account()
    found = await ground.parked(parked_account_id=other)
    await ground.probe(DUE)
    assert await ground.resumed() == [found]


async def test_what_is_parked_at_the_account_itself_is_asked_first(ground: Ground) -> None:
    await ground.parked(parked_account_id=await ground.another_account())
    own = await ground.parked()
    assert (await ground.probe(DUE)).cursor == str(own)


async def test_two_that_leave_the_permit_alone_have_the_provider_asked(ground: Ground) -> None:
    await ground.parked()
    assert [(await ground.probe(DUE, misses=number)).misses for number in (0, 1)] == [1, 2]
    waited = await ground.probe(DUE + 2 * ANSWER, misses=2)
    assert (waited.next_at, waited.misses) == (DUE + GRACE, 2)
    looked = await ground.probe(DUE + GRACE, misses=2)
    assert looked.misses == 0
    assert (await ground.probe(DUE + GRACE)).next_at == DUE + GRACE + timedelta(seconds=10)  # the probe had failed


@pytest.mark.parametrize("cause", [Reason.ACCOUNT_SUSPENDED, Reason.DAILY_CAP])
async def test_what_went_on_to_another_account_and_is_kept_there_comes_back(ground: Ground, cause: Reason) -> None:
    other = await ground.another_account()
    await ground.parked(cause)
    found = await ground.parked(cause, parked_account_id=other)
    await ground.probe(DUE)
    assert await ground.resumed() == [found]
    await ground.note(None, at=DUE)
    assert await ground.release() == 1
    [(_, wanted, _, _)] = await ground.operations()
    assert wanted == {"cause": cause.value, "account_id": str(other)}


async def test_only_the_template_s_own_version_probes_a_template(ground: Ground) -> None:
    other = await make_version(ground.database, ground.tenant_id, name="other")
    await ground.note(Reason.TEMPLATE_UNAVAILABLE, subject=template_subject(ground.account_id, ground.version_id, "en"))
    await ground.parked(Reason.TEMPLATE_UNAVAILABLE, version_id=other)
    mine = await ground.parked(Reason.TEMPLATE_UNAVAILABLE)
    await ground.probe(NOW + timedelta(minutes=10))
    assert await ground.resumed() == [mine]


async def test_without_anything_parked_new_traffic_gets_its_chance_first(ground: Ground) -> None:
    looked = await ground.probe(DUE)
    assert (looked.over, looked.next_at) == (False, DUE + GRACE)
    assert await ground.state() is CircuitState.OPEN


async def test_without_any_traffic_the_provider_itself_is_asked(ground: Ground, answering: int) -> None:
    place = config_place(ground.tenant_id, ground.account_id)
    sealed = ground.key_ring.seal(json.dumps(config(answering)).encode(), place=place)
    async with ground.database.tenant(ground.tenant_id) as connection:
        await connection.execute(update(account).values(sealed_config=sealed))
    await ground.probe(DUE + GRACE)
    assert await ground.state() is CircuitState.CLOSED


async def test_a_provider_that_still_does_not_answer_is_asked_less_often(ground: Ground) -> None:
    await ground.probe(DUE + GRACE)
    looked = await ground.probe(DUE + GRACE)
    assert looked.next_at == DUE + GRACE + timedelta(seconds=10)
    assert await ground.state() is CircuitState.OPEN


async def test_a_template_that_nobody_waits_for_is_tried_again_by_the_next_message(ground: Ground) -> None:
    await ground.note(Reason.TEMPLATE_UNAVAILABLE, subject=template_subject(ground.account_id, ground.version_id, "en"))
    await ground.probe(NOW + timedelta(minutes=10) + GRACE)
    assert await ground.state() is CircuitState.CLOSED


@pytest.mark.parametrize(("state", "over"), [("suspended", False), ("retired", True)])
async def test_an_account_that_does_not_send_is_not_asked(ground: Ground, state: str, over: bool) -> None:  # noqa: FBT001 - a column of the table
    async with ground.database.tenant(ground.tenant_id) as connection:
        await connection.execute(update(account).values(state=state))
    await ground.probe(DUE + GRACE)
    assert (await ground.state() is CircuitState.CLOSED) is over


@pytest.mark.parametrize("episode", [1, 2], ids=["closed", "another opening has its own owner"])
async def test_it_is_over_once_the_circuit_closed(ground: Ground, episode: int) -> None:
    if episode == 1:
        await ground.note(None, at=DUE)
    assert (await ground.probe(DUE, episode=1 if episode == 1 else 7)).over


async def test_closing_lets_go_on_what_is_parked_once(ground: Ground) -> None:
    other = await ground.another_account()
    await ground.parked()
    await ground.parked(Reason.MISCONFIGURED, parked_account_id=other)
    await ground.parked(Reason.DAILY_CAP)
    await ground.parked(Reason.TEMPLATE_UNAVAILABLE)
    async with ground.database.tenant(ground.tenant_id) as connection:
        await connection.execute(update(account).values(limits={"rate": 80}))
    await ground.note(None, at=DUE)
    assert await ground.release() == 2
    assert await ground.release() == 0
    assert await ground.operations() == [
        ("resume", {"cause": "misconfigured", "account_id": str(other)}, 80, "circuit"),
        ("resume", {"cause": "provider_unavailable", "account_id": str(ground.account_id)}, 80, "circuit"),
    ]


async def test_a_template_s_closing_lets_go_on_what_is_of_that_template_alone(ground: Ground) -> None:
    other = await make_version(ground.database, ground.tenant_id, name="other")
    await ground.parked()
    await ground.parked(Reason.TEMPLATE_UNAVAILABLE)
    await ground.parked(Reason.TEMPLATE_UNAVAILABLE, version_id=other, template="other")
    subject = template_subject(ground.account_id, ground.version_id, "en")
    await ground.note(Reason.TEMPLATE_UNAVAILABLE, subject=subject)
    await ground.note(None, subject=subject, at=DUE)
    assert await ground.release() == 1
    [(_, wanted, rate, _)] = await ground.operations()
    assert (wanted["cause"], wanted["template"], rate) == ("template_unavailable", "hello", 50)


async def test_what_is_parked_later_is_let_go_on_in_a_second_pass(ground: Ground) -> None:
    await ground.parked()
    await ground.note(None, at=DUE)
    await ground.release()
    assert await ground.release(parked_after=NOW + timedelta(seconds=1)) == 0
    await ground.parked(parked_at=NOW + timedelta(seconds=2))
    assert await ground.release(parked_after=NOW + timedelta(seconds=1)) == 1


async def test_nothing_is_let_go_into_a_circuit_that_opened_anew(ground: Ground) -> None:
    await ground.parked()
    await ground.note(None, at=DUE)
    await ground.note(*[Reason.UNAVAILABLE] * 5, at=DUE)
    assert await ground.release() == 0
    assert await ground.operations() == []


async def closed_with(ground: Ground, count: int) -> None:
    for _ in range(count):
        await ground.parked()
    async with ground.database.tenant(ground.tenant_id) as connection:
        await connection.execute(update(account).values(limits={"rate": 1}))
    await ground.note(None, at=DUE)
    assert await ground.release() == 1


async def step_of(ground: Ground) -> list[tuple[OperationState, int]]:
    """Makes one step of every operation."""
    async with ground.database.tenant(ground.tenant_id) as connection:
        names = list((await connection.execute(select(operation.c.id).order_by(operation.c.id))).scalars())
        stepped = [await operations.step(connection, ground.tenant_id, name) for name in names]
    return [(one.state, one.done) for one in stepped]


async def test_what_goes_on_stops_once_the_circuit_is_open_again(ground: Ground) -> None:
    await closed_with(ground, 3)
    assert await step_of(ground) == [(OperationState.RUNNING, 1)]
    await ground.note(*[Reason.UNAVAILABLE] * 5, at=DUE)
    assert await step_of(ground) == [(OperationState.STOPPED, 1)]
    assert len(await ground.resumed()) == 1
    async with ground.database.tenant(ground.tenant_id) as connection:
        reason = (await connection.execute(select(operation.c.reason))).scalar_one()
    assert reason == f"opened again: outage/{ground.circuit_id}/1"


async def test_the_next_closing_takes_over_from_the_operation_of_the_former_one(ground: Ground) -> None:
    await closed_with(ground, 3)
    await step_of(ground)
    await ground.note(*[Reason.UNAVAILABLE] * 5, at=DUE)
    await ground.note(None, at=DUE)
    assert await ground.release(episode=2) == 1
    assert await ground.release() == 0  # the first outage's own order, repeated
    assert [state for state, _ in await step_of(ground)] == [OperationState.STOPPED, OperationState.RUNNING]
