"""Two attempts of one message that are both proven to be accepted are told once, however the proofs come."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import select

from db import decisions, settlement
from db.delivery import Claimed
from db.delivery_tables import attempt, decision, notification
from db.session import Database
from db.settlement import Word
from domain.notifications import Ending, Outcome
from domain.reasons import Reason
from domain.settlement import Verdict
from domain.status import Status
from sealing import KeyRing
from tests import factories
from tests.api import deliveries


@dataclass
class Twice:
    """A notification with two attempts in doubt."""

    database: Database
    tenant_id: UUID
    name: UUID
    attempts: tuple[Claimed, ...]

    async def answer(self, number: int, outcome: Outcome = Outcome.ACCEPTED, **facts: Any) -> None:
        claimed = self.attempts[number - 1]
        fields = {"provider_message_id": f"id {number}", **facts} if outcome is Outcome.ACCEPTED else facts
        await deliveries.record(self.database, self.tenant_id, self.name, claimed, outcome, **fields)

    async def receive(self, number: int, status: Status = Status.SENT) -> None:
        key, claimed = f"{number} {status}", self.attempts[number - 1]
        await deliveries.receive(
            self.database, self.tenant_id, claimed, status, key=key, provider_message_id=f"id {number}"
        )

    async def said(self, number: int, verdict: Verdict) -> None:
        async with self.database.tenant(self.tenant_id) as connection:
            ground = await settlement.lock(connection, self.tenant_id, self.name)
            assert ground is not None
            word = Word(verdict=verdict, actor="somebody", note="asked")
            await settlement.settle(connection, self.tenant_id, ground, ground.attempts[number - 1], word)

    async def end(self, status: Status, reason: Reason) -> None:
        ending = Ending(tenant_id=str(self.tenant_id), notification_id=str(self.name), status=status, reason=reason)
        async with self.database.tenant(self.tenant_id) as connection:
            await decisions.end(connection, self.tenant_id, ending)

    async def whole(self) -> tuple[str, str | None]:
        async with self.database.tenant(self.tenant_id) as connection:
            row = (await connection.execute(select(notification.c.status, notification.c.reason))).one()
        return row.status, row.reason

    async def confirmed(self) -> list[Any]:
        async with self.database.tenant(self.tenant_id) as connection:
            asked = select(decision).where(decision.c.reason == "duplicate_confirmed")
            return list((await connection.execute(asked)).mappings())


@pytest.fixture
async def twice(database: Database, tenant_id: UUID, key_ring: KeyRing) -> Twice:
    account_id = await factories.make_account(
        database, tenant_id, key_ring, provider="sandbox", channel="sms", config={}
    )
    version_id = await factories.make_version(database, tenant_id)
    name = await factories.make_notification(
        database, tenant_id, version_id, to="+15550100", to_kind="phone", on_unknown="prefer_duplicate"
    )
    attempts = []
    for number in (1, 2):
        asked = replace(deliveries.order(tenant_id, name, account_id, number=number), possible_duplicate=number == 2)
        attempts.append(await deliveries.attempt(database, tenant_id, asked, Outcome.UNKNOWN))
    return Twice(database, tenant_id, name, tuple(attempts))


def counted() -> float:
    return REGISTRY.get_sample_value("carillon_duplicates_confirmed_total", {"policy": "prefer_duplicate"}) or 0.0


Proof = Callable[[Twice], Awaitable[None]]
PROOFS: dict[str, Proof] = {
    "answer to 1": lambda twice: twice.answer(1),
    "answer to 2": lambda twice: twice.answer(2),
    "receipt of 1": lambda twice: twice.receive(1),
    "receipt of 2": lambda twice: twice.receive(2, Status.DELIVERED),
}
OF_BOTH = [pair for pair in permutations(PROOFS, 2) if pair[0][-1] != pair[1][-1]]
OF_ONE = [pair for pair in permutations(PROOFS, 2) if pair[0][-1] == pair[1][-1]]


@pytest.mark.parametrize("proofs", OF_BOTH, ids=" then ".join)
async def test_proofs_of_both_attempts_are_told_once(twice: Twice, proofs: tuple[str, str]) -> None:
    before = counted()
    await PROOFS[proofs[0]](twice)
    assert await twice.confirmed() == []
    for name in (proofs[1], *proofs):
        await PROOFS[name](twice)
    (told,) = await twice.confirmed()
    assert (told["kind"], told["hop"], told["detail"]["numbers"]) == ("duplicate", 0, [1, 2])
    assert counted() == before + 1


@pytest.mark.parametrize("proofs", OF_ONE, ids=" then ".join)
async def test_proofs_of_the_same_attempt_are_no_duplicate(twice: Twice, proofs: tuple[str, str]) -> None:
    for name in proofs:
        await PROOFS[name](twice)
    assert await twice.confirmed() == []


async def test_an_attempt_that_was_taken_and_failed_reached_nobody(twice: Twice) -> None:
    await twice.receive(1, Status.FAILED)
    await twice.answer(2)
    assert await twice.confirmed() == []
    await twice.receive(1, Status.DELIVERED)
    assert len(await twice.confirmed()) == 1


async def test_what_a_person_says_is_no_proof_until_a_receipt_is(twice: Twice) -> None:
    await twice.said(1, Verdict.SENT)
    await twice.answer(2)
    assert await twice.confirmed() == []
    await twice.receive(1)
    assert len(await twice.confirmed()) == 1


@pytest.mark.parametrize("outcome", [Outcome.UNKNOWN, Outcome.NOT_SENT, Outcome.REFUSED])
async def test_a_receipt_lands_on_an_attempt_that_counted_as(twice: Twice, outcome: Outcome) -> None:
    await twice.answer(1, outcome)
    await twice.answer(2, outcome)
    await twice.receive(1)
    async with twice.database.tenant(twice.tenant_id) as connection:
        states = (await connection.execute(select(attempt.c.state).order_by(attempt.c.number))).scalars().all()
        whole = (await connection.execute(select(notification.c.status))).scalar_one()
    assert (states, whole) == (["accepted", outcome.value], "sent")


@pytest.mark.parametrize("outcome", [Outcome.NOT_SENT, Outcome.REFUSED])
async def test_a_receipt_lands_after_every_attempt_was_used_up(twice: Twice, outcome: Outcome) -> None:
    await twice.answer(1, outcome)
    await twice.answer(2, outcome)
    await twice.end(Status.FAILED, Reason.ATTEMPTS_EXHAUSTED)
    assert await twice.whole() == ("failed", "attempts_exhausted")
    await twice.receive(2)
    assert await twice.whole() == ("sent", None)
    await twice.receive(2, Status.DELIVERED)
    assert await twice.whole() == ("delivered", None)


async def test_an_answer_that_comes_after_all_takes_the_doubt_away(twice: Twice) -> None:
    await twice.end(Status.UNKNOWN, Reason.OUTCOME_UNKNOWN)
    await twice.answer(1, Outcome.NOT_SENT)
    assert await twice.whole() == ("unknown", "outcome_unknown")
    await twice.answer(2, Outcome.REFUSED, error_code="invalid_address")
    assert await twice.whole() == ("failed", "invalid_address")


async def test_that_a_refused_attempt_failed_is_nothing_new(twice: Twice) -> None:
    await twice.answer(1, Outcome.REFUSED)
    await twice.receive(1, Status.FAILED)
    async with twice.database.tenant(twice.tenant_id) as connection:
        states = (await connection.execute(select(attempt.c.state).order_by(attempt.c.number))).scalars().all()
    assert states == ["refused", "unknown"]
