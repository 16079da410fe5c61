"""A person settles doubt: at once, once, audited, told to who waits, and never against what a provider says."""

import asyncio
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import httpx
import pytest
import uuid_utils.compat
from sqlalchemy import select

from db import decisions
from db.delivery import Claimed
from db.delivery_tables import attempt, decision, message, notification
from db.session import Database
from db.tables import audit_entry, outbox
from domain.notifications import Ending, Outcome
from domain.reasons import Reason
from domain.status import Status
from sealing import KeyRing
from tests import factories
from tests.api import deliveries, sending

FOUND = "Their support found the reference in its log."


@dataclass
class Doubt:
    """A notification whose attempts a test makes, and a client who settles them."""

    client: httpx.AsyncClient
    database: Database
    tenant_id: UUID
    account_id: UUID
    name: UUID

    async def attempt(self, outcome: Outcome, *, number: int = 1, hop: int = 0, **recorded: Any) -> Claimed:
        asked = deliveries.order(self.tenant_id, self.name, self.account_id, number=number, hop=hop)
        asked = replace(asked, closes=False)
        recorded = {"error_code": "outcome_unknown"} | recorded if outcome is Outcome.UNKNOWN else recorded
        return await deliveries.attempt(self.database, self.tenant_id, asked, outcome, awaited=True, **recorded)

    async def end(self, status: Status = Status.UNKNOWN, reason: Reason | None = Reason.OUTCOME_UNKNOWN) -> None:
        ending = Ending(tenant_id=str(self.tenant_id), notification_id=str(self.name), status=status, reason=reason)
        async with self.database.tenant(self.tenant_id) as connection:
            await decisions.end(connection, self.tenant_id, ending)

    async def settle(self, outcome: str, **changes: Any) -> httpx.Response:
        body = {"outcome": outcome, "reason": FOUND, **changes}
        return await self.client.post(f"/v1/notifications/{self.name}/settle", json=body)

    async def settled(self, outcome: str, **changes: Any) -> dict[str, Any]:
        answer = await self.settle(outcome, **changes)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def receive(self, claimed: Claimed, status: Status) -> None:
        await deliveries.receive(
            self.database, self.tenant_id, claimed, status, key=f"{claimed.reference}/{status}", provider_message_id="m"
        )

    async def rows(self, table: Any) -> list[Any]:
        async with self.database.tenant(self.tenant_id) as connection:
            return list((await connection.execute(select(table).order_by(table.c.id))).mappings())

    async def row(self, table: Any) -> Any:
        (found,) = await self.rows(table)
        return found

    async def signals(self) -> list[Any]:
        return [row["payload"] for row in await self.rows(outbox) if row["kind"] == "signal"]


@pytest.fixture
async def doubt(client: httpx.AsyncClient, database: Database, tenant_id: UUID, key_ring: KeyRing) -> Doubt:
    account_id = await factories.make_account(
        database, tenant_id, key_ring, provider="sandbox", channel="sms", config={}
    )
    await sending.publish(client)
    return Doubt(client, database, tenant_id, account_id, await sending.send(client))


async def test_sent_after_the_end_counts_as_accepted(doubt: Doubt) -> None:
    await doubt.attempt(Outcome.UNKNOWN)
    await doubt.end()
    found = await doubt.settled("sent")
    assert (found["status"], found["reason"], found["repeated"]) == ("accepted", None, False)
    assert (found["attempt"]["state"], found["attempt"]["settled_by"]) == ("accepted", "person")
    sent, whole = await doubt.row(message), await doubt.row(notification)
    assert (sent["status"], whole["status"], whole["channel"]) == ("accepted", "accepted", "sms")
    assert None not in {sent["accepted_at"], whole["accepted_at"]}
    assert await doubt.signals() == []


async def test_not_sent_after_the_end_makes_it_failed_by_that_word(doubt: Doubt) -> None:
    await doubt.attempt(Outcome.UNKNOWN)
    await doubt.end()
    found = await doubt.settled("not_sent")
    assert (found["status"], found["reason"]) == ("failed", "settled_not_sent")
    sent, tried = await doubt.row(message), await doubt.row(attempt)
    assert (sent["status"], sent["reason"]) == ("queued", "settled_not_sent")
    assert (tried["state"], tried["error_code"]) == ("not_sent", "settled_not_sent")


@pytest.mark.parametrize(
    ("outcome", "signal", "status"),
    [
        pytest.param("sent", {"signal": "receipt", "arguments": [0, "accepted"]}, "accepted", id="sent"),
        pytest.param("not_sent", {"signal": "settled", "arguments": [0, 1]}, "queued", id="not sent"),
    ],
)
async def test_a_workflow_that_goes_on_is_told(doubt: Doubt, outcome: str, signal: Any, status: str) -> None:
    await doubt.attempt(Outcome.UNKNOWN)
    found = await doubt.settled(outcome)
    assert found["status"] == status
    assert await doubt.signals() == [signal]


async def test_it_fails_only_when_no_attempt_is_in_doubt_any_more(doubt: Doubt) -> None:
    await doubt.attempt(Outcome.UNKNOWN)
    await doubt.attempt(Outcome.UNKNOWN, number=2)
    await doubt.end()
    first, second = [str(row["id"]) for row in await doubt.rows(attempt)]
    assert (await doubt.settled("not_sent", attempt=second))["status"] == "unknown"
    assert (await doubt.settled("not_sent", attempt=first))["status"] == "failed"


async def test_doubt_over_another_channel_keeps_it_unknown(doubt: Doubt) -> None:
    await doubt.attempt(Outcome.UNKNOWN)
    await doubt.attempt(Outcome.UNKNOWN, hop=1)
    await doubt.end()
    first = str((await doubt.rows(attempt))[0]["id"])
    assert (await doubt.settled("not_sent", attempt=first))["status"] == "unknown"


async def test_saying_the_same_again_changes_nothing(doubt: Doubt) -> None:
    await doubt.attempt(Outcome.UNKNOWN)
    await doubt.end()
    first = await doubt.settled("not_sent")
    for again in ({}, {"attempt": first["attempt"]["id"]}, {"reason": "asked once more"}):
        assert await doubt.settled("not_sent", **again) == first | {"repeated": True}
    settled = [row for row in await doubt.rows(decision) if row["kind"] == "settled"]
    entries = [row for row in await doubt.rows(audit_entry) if row["action"] == "notification.settled"]
    assert (len(settled), len(entries)) == (1, 1)
    assert settled[0]["detail"]["note"] == entries[0]["detail"]["reason"] == FOUND
    assert settled[0]["detail"]["by"] == entries[0]["actor"]


async def test_of_two_people_who_disagree_at_once_one_is_told_so(doubt: Doubt) -> None:
    await doubt.attempt(Outcome.UNKNOWN)
    answers = await asyncio.gather(doubt.settle("sent"), doubt.settle("not_sent"))
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert len([row for row in await doubt.rows(decision) if row["kind"] == "settled"]) == 1


async def test_what_was_said_cannot_be_turned_round(doubt: Doubt) -> None:
    await doubt.attempt(Outcome.UNKNOWN)
    await doubt.end()
    await doubt.settled("not_sent")
    refused = await doubt.settle("sent")
    assert (refused.status_code, refused.json()["state"]) == (409, "failed")
    assert "as a person found out before" in refused.json()["detail"]


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        pytest.param(Outcome.ACCEPTED, "accepted, as the provider answered", id="accepted"),
        pytest.param(Outcome.REFUSED, "refused, as the provider answered", id="refused"),
        pytest.param(Outcome.NOT_SENT, "not_sent, as the provider answered", id="not sent"),
    ],
)
async def test_what_is_not_in_doubt_is_refused_with_the_facts(doubt: Doubt, outcome: Outcome, said: str) -> None:
    await doubt.attempt(outcome)
    refused = await doubt.settle("sent")
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:carillon:problem:wrong-state")
    assert said in refused.json()["detail"]
    assert [(one["number"], one["state"]) for one in refused.json()["attempts"]] == [(1, outcome.value)]


async def test_an_attempt_that_may_be_under_way_is_not_settled(doubt: Doubt) -> None:
    asked = deliveries.order(doubt.tenant_id, doubt.name, doubt.account_id)
    async with doubt.database.tenant(doubt.tenant_id) as connection:
        await deliveries.claim(connection, doubt.tenant_id, asked)
    refused = await doubt.settle("not_sent")
    assert refused.status_code == 409
    assert "being made at this moment" in refused.json()["detail"]
    assert (await doubt.row(attempt))["state"] == "sending"


async def test_several_in_doubt_must_be_named(doubt: Doubt) -> None:
    await doubt.attempt(Outcome.UNKNOWN)
    await doubt.attempt(Outcome.UNKNOWN, number=2)
    refused = await doubt.settle("sent")
    assert refused.status_code == 409
    assert "name the one that you mean" in refused.json()["detail"]
    assert [one["number"] for one in refused.json()["attempts"]] == [1, 2]


async def test_nothing_attempted_and_nothing_there_are_refused(doubt: Doubt) -> None:
    assert "Nothing was attempted" in (await doubt.settle("sent")).json()["detail"]
    assert (await doubt.settle("sent", attempt=str(uuid_utils.compat.uuid7()))).status_code == 404
    doubt.name = uuid_utils.compat.uuid7()
    assert (await doubt.settle("sent")).status_code == 404


@pytest.mark.parametrize("body", [{"reason": " "}, {"reason": None}, {"outcome": "perhaps"}])
async def test_a_word_without_a_reason_or_a_meaning_is_refused(doubt: Doubt, body: dict[str, Any]) -> None:
    await doubt.attempt(Outcome.UNKNOWN)
    asked = {"outcome": "sent", "reason": FOUND} | body
    answer = await doubt.client.post(f"/v1/notifications/{doubt.name}/settle", json=asked)
    assert answer.status_code == 422


@pytest.mark.parametrize("ended", [True, False], ids=["after the end", "while it goes on"])
@pytest.mark.parametrize("status", [Status.SENT, Status.DELIVERED, Status.FAILED])
@pytest.mark.parametrize("word", ["sent", "not_sent"])
async def test_a_later_receipt_outranks_a_person(doubt: Doubt, word: str, status: Status, *, ended: bool) -> None:
    claimed = await doubt.attempt(Outcome.UNKNOWN)
    if ended:
        await doubt.end()
    await doubt.settled(word)
    await doubt.receive(claimed, status)
    tried, sent, whole = await doubt.row(attempt), await doubt.row(message), await doubt.row(notification)
    assert (tried["state"], tried["settled_by"]) == ("accepted", "receipt")
    assert sent["status"] == status.value
    if ended or status is not Status.FAILED:  # while it goes on, a failure is for the workflow to judge
        assert whole["status"] == status.value
        assert whole["reason"] == ("delivery_failed" if status is Status.FAILED else None)


async def test_a_late_sent_outranks_a_person_although_another_attempt_was_refused(doubt: Doubt) -> None:
    claimed = await doubt.attempt(Outcome.UNKNOWN)
    await doubt.attempt(Outcome.REFUSED, number=2, error_code="invalid_address")
    await doubt.end()
    found = await doubt.settled("not_sent")
    assert (found["status"], found["reason"]) == ("failed", "settled_not_sent")
    sent = await doubt.row(message)
    assert (sent["status"], sent["reason"]) == ("rejected", "invalid_address")
    await doubt.receive(claimed, Status.SENT)
    assert [row["status"] for row in (await doubt.row(message), await doubt.row(notification))] == ["sent", "sent"]


async def test_a_failure_that_waited_for_the_doubt_counts_once_it_is_gone(doubt: Doubt) -> None:
    first = await doubt.attempt(Outcome.UNKNOWN)
    await doubt.attempt(Outcome.UNKNOWN, number=2)
    await doubt.end()
    await doubt.receive(first, Status.BOUNCED)
    assert (await doubt.row(notification))["status"] == "unknown"
    found = await doubt.settled("not_sent")
    assert (found["attempt"]["number"], found["status"]) == (2, "bounced")
    assert (await doubt.row(message))["status"] == "bounced"


async def test_an_answer_that_comes_after_all_outranks_a_person(doubt: Doubt) -> None:
    claimed = await doubt.attempt(Outcome.UNKNOWN)
    await doubt.settled("not_sent")
    await deliveries.record(doubt.database, doubt.tenant_id, doubt.name, claimed, Outcome.ACCEPTED)
    tried = await doubt.row(attempt)
    assert (tried["state"], tried["settled_by"], tried["error_code"]) == ("accepted", None, None)
    assert (await doubt.row(notification))["status"] == "accepted"


async def test_doubt_of_a_late_execution_does_not_replace_a_person_s_word(doubt: Doubt) -> None:
    claimed = await doubt.attempt(Outcome.UNKNOWN)
    await doubt.settled("not_sent")
    await deliveries.record(doubt.database, doubt.tenant_id, doubt.name, claimed, Outcome.UNKNOWN)
    tried = await doubt.row(attempt)
    assert (tried["state"], tried["settled_by"], tried["error_code"]) == ("not_sent", "person", "settled_not_sent")
    assert (await doubt.row(notification))["status"] == "queued"
