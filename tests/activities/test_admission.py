"""What an account's trouble does to the messages after it: they are held, and nothing is tried but a probe."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select, text, update

from db.care_tables import circuit
from db.delivery_tables import attempt, message, notification
from db.tables import account, outbox
from domain.errors import Unavailable
from domain.notifications import Delivered, Outcome
from domain.reasons import Reason
from domain.status import Status
from providers.base import MailResponse
from sealing import KeyRing
from tests import factories
from tests.activities.test_delivery import CONFIG, NO_SUCH_USER, OK, Bench, bench

__all__ = ["bench"]

BAD_LOGIN = MailResponse(code=535, text="5.7.8 Authentication credentials invalid", stage="auth")


async def deliver_another(bench: Bench) -> Delivered:
    """Orders the first attempt of a further notification."""
    async with bench.database.tenant(bench.tenant_id) as connection:
        version_id = (await connection.execute(select(notification.c.template_version_id).limit(1))).scalar_one()
    new_id = await factories.make_notification(
        bench.database, bench.tenant_id, version_id, to="ravi@example.com", to_kind="email"
    )
    return await replace_notification(bench, new_id).deliver()


def replace_notification(bench: Bench, notification_id: UUID) -> Bench:
    return replace(bench, notification_id=notification_id)


async def state_of_circuit(bench: Bench) -> tuple[str, str | None]:
    async with bench.database.tenant(bench.tenant_id) as connection:
        row = (await connection.execute(select(circuit.c.state, circuit.c.cause))).one()
    return row.state, row.cause


async def let_the_probe_come(bench: Bench) -> None:
    async with bench.database.tenant(bench.tenant_id) as connection:
        await connection.execute(update(circuit).values(probe_at=func.now() - text("interval '1 second'")))


async def test_wrong_credentials_cost_one_attempt_and_hold_the_others(bench: Bench) -> None:
    bench.transport.script = [BAD_LOGIN]
    first = await bench.deliver()
    assert (first.outcome, first.reason, first.status) == (Outcome.REFUSED, Reason.MISCONFIGURED, Status.QUEUED)
    second = await deliver_another(bench)
    assert (second.outcome, second.reason, second.until) == (Outcome.HELD, Reason.MISCONFIGURED, None)
    assert len(bench.transport.requests) == 1
    assert await bench.attempts() == ["refused"]
    assert await state_of_circuit(bench) == ("open", "misconfigured")
    async with bench.database.tenant(bench.tenant_id) as connection:
        started = (await connection.execute(select(outbox.c.workflow_id))).scalars().all()
    assert [name.split("/")[0] for name in started] == ["outage"]


async def test_a_refusal_for_the_accounts_sake_leaves_the_message_open(bench: Bench) -> None:
    bench.transport.script = [BAD_LOGIN]
    await bench.deliver()
    sent = await bench.row(message)
    assert (sent["status"], sent["failed_at"]) == ("queued", None)
    await let_the_probe_come(bench)
    bench.transport.script = [OK]
    assert (await bench.deliver(number=2)).status is Status.ACCEPTED
    assert (await bench.row(message))["status"] == "accepted"


async def test_five_in_a_row_not_reached_open_the_circuit_and_a_probe_closes_it(bench: Bench) -> None:
    bench.transport.script = [Unavailable("no route") for _ in range(5)]
    for _ in range(5):
        assert (await deliver_another(bench)).reason is Reason.UNAVAILABLE
    assert (await deliver_another(bench)).reason is Reason.PROVIDER_UNAVAILABLE
    await let_the_probe_come(bench)
    bench.transport.script = [OK, OK]
    assert (await deliver_another(bench)).outcome is Outcome.ACCEPTED
    assert await state_of_circuit(bench) == ("closed", None)
    assert (await deliver_another(bench)).outcome is Outcome.ACCEPTED
    assert len(bench.transport.requests) == 7


async def test_only_one_probe_is_on_its_way(bench: Bench) -> None:
    bench.transport.script = [BAD_LOGIN]
    await bench.deliver()
    await let_the_probe_come(bench)
    told: list[Delivered] = []

    async def another_meanwhile() -> None:
        bench.transport.before = None
        told.append(await deliver_another(bench))

    bench.transport.before = another_meanwhile
    bench.transport.script = [OK]
    assert (await deliver_another(bench)).outcome is Outcome.ACCEPTED
    assert [answer.outcome for answer in told] == [Outcome.HELD]


async def test_what_a_former_execution_left_is_told_even_when_the_circuit_is_open(bench: Bench) -> None:
    bench.transport.script = [OK]
    await bench.deliver(closes=False)
    bench.transport.script = [BAD_LOGIN]
    await deliver_another(bench)
    again = await bench.deliver(closes=False)
    assert again.outcome is Outcome.ACCEPTED
    assert len(bench.transport.requests) == 2


async def test_a_refusal_of_one_recipient_says_nothing_against_the_account(bench: Bench) -> None:
    bench.transport.script = [NO_SUCH_USER, OK]
    assert (await bench.deliver()).outcome is Outcome.REFUSED
    assert (await deliver_another(bench)).outcome is Outcome.ACCEPTED
    async with bench.database.tenant(bench.tenant_id) as connection:
        assert (await connection.execute(select(func.count()).select_from(circuit))).scalar_one() == 0


async def test_another_account_goes_on_with_the_same_message(bench: Bench, key_ring: KeyRing) -> None:
    other = await factories.make_account(
        bench.database, bench.tenant_id, key_ring, provider="smtp", channel="email", config=CONFIG
    )
    bench.transport.script = [Unavailable("no route"), OK]
    first = bench.order()
    assert (await bench.deliver()).outcome is Outcome.NOT_SENT
    hop = replace(first.hop, account_id=str(other))
    assert (await bench.deliver(hop=hop, number=2)).outcome is Outcome.ACCEPTED
    assert (await bench.row(message))["account_id"] == other
    async with bench.database.tenant(bench.tenant_id) as connection:
        used = await connection.execute(select(attempt.c.account_id).order_by(attempt.c.number))
        assert list(used.scalars()) == [bench.account_id, other]


@pytest.mark.parametrize("state", ["suspended", "retired"])
async def test_an_account_that_is_not_active_is_the_accounts_trouble(bench: Bench, state: str) -> None:
    async with bench.database.tenant(bench.tenant_id) as connection:
        await connection.execute(update(account).values(state=state))
    stopped = await bench.deliver()
    assert (stopped.outcome, stopped.reason) == (Outcome.STOPPED, Reason.ACCOUNT_SUSPENDED)
    assert stopped.at <= datetime.now(UTC) + timedelta(seconds=1)


async def test_a_configuration_that_cannot_be_opened_is_the_accounts_trouble(bench: Bench) -> None:
    async with bench.database.tenant(bench.tenant_id) as connection:
        await connection.execute(update(account).values(sealed_config=b"broken"))
    assert (await bench.deliver()).reason is Reason.MISCONFIGURED
    assert await state_of_circuit(bench) == ("open", "misconfigured")
