"""A provider that answers ever more slowly takes its share of the places, and the others go on as if nothing was."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from activities.bulkheads import Bulkheads
from activities.delivery import Delivery, DeliveryPage
from domain.notifications import Delivered, Outcome
from domain.reasons import Reason
from providers.base import MailRequest, Request, Response
from sealing import KeyRing
from tests import factories
from tests.activities.test_delivery import CONFIG, OK, Bench, bench

__all__ = ["bench"]

SLOW_PORT = 2501


@dataclass
class HalfSlowTransport:
    """Answers at once, but for one server, whose answers come only when they are let through."""

    answers: asyncio.Event = field(default_factory=asyncio.Event)
    asked: Counter[int] = field(default_factory=Counter)

    async def send(self, request: Request) -> Response:
        assert isinstance(request, MailRequest)
        self.asked[request.port] += 1
        if request.port == SLOW_PORT:
            await self.answers.wait()
        return OK


async def notifications(bench: Bench, key_ring: KeyRing, count: int) -> tuple[UUID, Sequence[UUID]]:
    """Returns an account at the slow server, and that many notifications."""
    config = CONFIG | {"port": SLOW_PORT}
    slow = await factories.make_account(
        bench.database, bench.tenant_id, key_ring, provider="smtp", channel="email", config=config
    )
    version_id = await factories.make_version(bench.database, bench.tenant_id, name="another")
    made = [
        await factories.make_notification(
            bench.database, bench.tenant_id, version_id, to=f"asha{place}@example.com", to_kind="email"
        )
        for place in range(count)
    ]
    return slow, made


async def test_a_slow_provider_leaves_the_others_alone(bench: Bench, key_ring: KeyRing) -> None:
    slow, made = await notifications(bench, key_ring, 24)
    transport, bulkheads = HalfSlowTransport(), Bulkheads(total=10, share=0.4)
    delivery = Delivery(bench.database, transport, bench.delivery._composer, bulkheads=bulkheads)  # type: ignore[arg-type] # the same shape as Transport

    async def deliver(notification_id: UUID, account_id: UUID) -> Delivered:
        order = replace(bench, notification_id=notification_id, account_id=account_id).order()
        return (await delivery.deliver(DeliveryPage(tenant_id=str(bench.tenant_id), orders=(order,))))[0]

    stuck = [asyncio.create_task(deliver(name, slow)) for name in made[:12]]
    async with asyncio.timeout(30):
        while transport.asked[SLOW_PORT] < 4 or sum(task.done() for task in stuck) < 8:
            await asyncio.sleep(0.01)
    put_off = [task.result() for task in stuck if task.done()]
    assert {(one.outcome, one.reason) for one in put_off} == {(Outcome.HELD, Reason.ACCOUNT_BUSY)}
    assert bulkheads.room == 6

    others = [(await deliver(name, bench.account_id)).outcome for name in made[12:]]
    assert others == [Outcome.ACCEPTED] * 12
    assert transport.asked[SLOW_PORT] == 4, "and the slow one is not asked for more meanwhile"

    transport.answers.set()
    ended = Counter(one.outcome for one in await asyncio.gather(*stuck))
    assert ended == {Outcome.ACCEPTED: 4, Outcome.HELD: 8}
    assert bulkheads.room == 10
