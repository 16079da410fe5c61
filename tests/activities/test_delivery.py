"""Claim, send, record on a real database: whatever happens in between is told honestly."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text, update

from activities.accounts import AccountProviders
from activities.attachments import Attachments
from activities.buttons import Buttons
from activities.composing import Composer
from activities.delivery import Delivery, DeliveryPage
from activities.links import Links
from db.delivery_tables import attempt, decision, message, notification
from db.session import Database
from db.tables import account
from domain.errors import DeliveryError, Throttled, Unavailable, Uncertain
from domain.notifications import Decision, Delivered, DeliveryOrder, Hop, Outcome
from domain.reasons import Reason
from domain.recipients import Channel
from domain.status import Status
from providers.base import MailRequest, MailResponse, Request, Response
from providers.downloads import Downloads
from sealing import KeyRing
from tests import factories

PUBLIC_URL = "https://carillon.example"
CONFIG = {
    "host": "127.0.0.1",
    "port": 25,
    "security": "none",
    "from_address": "hello@carillon.example",
    "return_path_domain": "bounces.carillon.example",
    "verp_key": "v" * 32,
}


@dataclass
class ScriptedTransport:
    """Answers requests from a script; an exception in it is raised."""

    script: list[Response | DeliveryError | BaseException]
    requests: list[Request] = field(default_factory=list)
    before: Callable[[], Any] | None = None

    async def send(self, request: Request) -> Response:
        self.requests.append(request)
        if self.before is not None:
            await self.before()
        answer = self.script.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer


OK = MailResponse(code=250, text="2.0.0 Ok: queued as ABC123", stage="accepted", message_id="<m@x>")
NO_SUCH_USER = MailResponse(code=550, text="5.1.1 No such user", stage="rcpt")


@dataclass
class Bench:
    """A notification by e-mail, and the activity that delivers it."""

    database: Database
    tenant_id: UUID
    notification_id: UUID
    account_id: UUID
    transport: ScriptedTransport
    delivery: Delivery

    def order(self, **changes: Any) -> DeliveryOrder:
        hop = Hop(
            index=0,
            channel=Channel.EMAIL,
            provider="smtp",
            account_id=str(self.account_id),
            address_id=None,
            locale="en",
        )
        order = DeliveryOrder(
            tenant_id=str(self.tenant_id), notification_id=str(self.notification_id), hop=hop, number=1
        )
        return replace(order, **changes)

    async def deliver(self, **changes: Any) -> Delivered:
        page = DeliveryPage(tenant_id=str(self.tenant_id), orders=(self.order(**changes),))
        return (await self.delivery.deliver(page))[0]

    async def row(self, table: Any) -> Any:
        async with self.database.tenant(self.tenant_id) as connection:
            return (await connection.execute(select(table))).mappings().one()

    async def attempts(self) -> list[str]:
        async with self.database.tenant(self.tenant_id) as connection:
            rows = await connection.execute(select(attempt.c.state).order_by(attempt.c.number))
            return list(rows.scalars())


@pytest.fixture
async def bench(database: Database, tenant_id: UUID, key_ring: KeyRing) -> Bench:
    account_id = await factories.make_account(
        database, tenant_id, key_ring, provider="smtp", channel="email", config=CONFIG
    )
    version_id = await factories.make_version(database, tenant_id)
    notification_id = await factories.make_notification(
        database, tenant_id, version_id, to="asha@example.com", to_kind="email"
    )
    transport = ScriptedTransport([])
    composer = Composer(
        AccountProviders(key_ring), Attachments(database, Downloads()), Buttons(key_ring), Links(key_ring, PUBLIC_URL)
    )
    delivery = Delivery(database, transport, composer)  # type: ignore[arg-type] # the same shape as Transport
    return Bench(database, tenant_id, notification_id, account_id, transport, delivery)


async def test_an_acceptance_is_recorded_on_all_three_levels(bench: Bench) -> None:
    bench.transport.script = [OK]
    delivered = await bench.deliver()
    assert (delivered.outcome, delivered.status) == (Outcome.ACCEPTED, Status.ACCEPTED)
    tried, sent, whole = await bench.row(attempt), await bench.row(message), await bench.row(notification)
    assert (tried["state"], tried["finished_at"] is not None) == ("accepted", True)
    assert (sent["status"], sent["provider_message_id"]) == ("accepted", tried["provider_message_id"])
    assert sent["snapshot_hash"]
    assert (whole["status"], whole["channel"], whole["provider_id"]) == ("accepted", "email", "smtp")
    assert whole["external_id"] == sent["provider_message_id"]
    assert whole["ended_at"] is not None


async def test_the_reference_of_the_attempt_travels_with_the_request(bench: Bench) -> None:
    bench.transport.script = [OK]
    await bench.deliver()
    request = bench.transport.requests[0]
    assert isinstance(request, MailRequest)
    assert (await bench.row(attempt))["reference"] in request.envelope_from


async def test_no_transaction_is_open_while_the_provider_is_called(bench: Bench) -> None:
    seen: list[int] = []

    async def look() -> None:
        async with bench.database.system() as connection:
            count = await connection.execute(
                text(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                    " AND state LIKE 'idle in transaction%' AND pid <> pg_backend_pid()"
                )
            )
            seen.append(count.scalar_one())

    bench.transport.script, bench.transport.before = [OK], look
    await bench.deliver()
    assert seen == [0]


@pytest.mark.parametrize(
    ("answer", "outcome", "reason", "message_status"),
    [
        pytest.param(NO_SUCH_USER, Outcome.REFUSED, Reason.INVALID_ADDRESS, "rejected", id="refused for good"),
        pytest.param(Unavailable("no route"), Outcome.NOT_SENT, Reason.UNAVAILABLE, "queued", id="no connection"),
        pytest.param(Throttled("slower", retry_after=7), Outcome.NOT_SENT, Reason.THROTTLED, "queued", id="throttled"),
        pytest.param(Uncertain("cut"), Outcome.UNKNOWN, Reason.OUTCOME_UNKNOWN, "unknown", id="answer lost"),
    ],
)
async def test_every_other_end_is_recorded_as_what_it_is(
    bench: Bench, answer: Any, outcome: Outcome, reason: Reason, message_status: str
) -> None:
    bench.transport.script = [answer]
    delivered = await bench.deliver()
    assert (delivered.outcome, delivered.reason) == (outcome, reason)
    assert (await bench.row(attempt))["state"] == outcome.value
    assert (await bench.row(message))["status"] == message_status
    assert (await bench.row(notification))["ended_at"] is None


async def test_a_wait_that_the_provider_asks_for_reaches_the_workflow(bench: Bench) -> None:
    bench.transport.script = [Throttled("slower", retry_after=7)]
    assert (await bench.deliver()).retry_after == 7


async def test_running_the_same_order_again_sends_nothing_and_tells_the_same(bench: Bench) -> None:
    bench.transport.script = [OK]
    first, second = await bench.deliver(), await bench.deliver()
    assert len(bench.transport.requests) == 1
    assert (first.outcome, first.message_id) == (second.outcome, second.message_id)


async def test_a_process_that_died_in_mid_flight_leaves_doubt_and_no_second_send(bench: Bench) -> None:
    bench.transport.script = [asyncio.CancelledError()]
    with pytest.raises(asyncio.CancelledError):
        await bench.deliver()
    assert await bench.attempts() == ["sending"]
    delivered = await bench.deliver()
    assert delivered.outcome is Outcome.UNKNOWN
    assert await bench.attempts() == ["unknown"]
    assert len(bench.transport.requests) == 1


async def test_two_executions_at_once_send_once(bench: Bench) -> None:
    bench.transport.script = [OK, OK]
    found = await asyncio.gather(bench.deliver(), bench.deliver())
    assert len(bench.transport.requests) == 1
    assert Outcome.ACCEPTED in {delivered.outcome for delivered in found}
    assert await bench.attempts() == ["accepted"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({"cancel_requested_at": datetime.now(UTC)}, Reason.CANCELLED, id="cancelled"),
        pytest.param({"expires_at": datetime.now(UTC) - timedelta(seconds=1)}, Reason.EXPIRED, id="expired"),
    ],
)
async def test_what_changed_since_the_plan_stops_the_send(bench: Bench, change: Any, reason: Reason) -> None:
    async with bench.database.tenant(bench.tenant_id) as connection:
        await connection.execute(update(notification).values(change))
    delivered = await bench.deliver()
    assert (delivered.outcome, delivered.reason) == (Outcome.STOPPED, reason)
    assert bench.transport.requests == []
    assert await bench.attempts() == []


async def test_a_suspended_account_sends_nothing(bench: Bench) -> None:
    async with bench.database.tenant(bench.tenant_id) as connection:
        await connection.execute(update(account).values(state="suspended"))
    assert (await bench.deliver()).reason is Reason.ACCOUNT_SUSPENDED


async def test_an_acceptance_proved_by_a_receipt_is_not_undone_by_a_lost_answer(bench: Bench) -> None:
    async def receipt_arrives() -> None:
        async with bench.database.tenant(bench.tenant_id) as connection:
            await connection.execute(update(attempt).values(state="accepted", settled_by="receipt"))
            await connection.execute(update(message).values(status="delivered"))

    bench.transport.script, bench.transport.before = [Uncertain("cut")], receipt_arrives
    delivered = await bench.deliver()
    assert (delivered.outcome, delivered.status) == (Outcome.ACCEPTED, Status.DELIVERED)
    assert await bench.attempts() == ["accepted"]


async def test_a_template_that_cannot_be_rendered_is_refused_without_a_request(bench: Bench) -> None:
    async with bench.database.tenant(bench.tenant_id) as connection:
        await connection.execute(update(notification).values(data={}))
    delivered = await bench.deliver()
    assert (delivered.outcome, delivered.reason) == (Outcome.REFUSED, Reason.CONTENT_REFUSED)
    assert bench.transport.requests == []


async def test_decisions_are_recorded_once(bench: Bench) -> None:
    noted = (Decision(sequence=1, kind="fallback", reason=Reason.INVALID_ADDRESS, hop=0),)
    bench.transport.script = [OK]
    await bench.deliver(decisions=noted)
    await bench.deliver(decisions=noted)
    assert (await bench.row(decision))["kind"] == "fallback"


async def test_an_awaited_message_is_marked_and_does_not_end_the_notification(bench: Bench) -> None:
    bench.transport.script = [OK]
    await bench.deliver(closes=False)
    assert (await bench.row(message))["awaited"] is True
    assert (await bench.row(notification))["ended_at"] is None
