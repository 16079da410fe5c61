"""`carillon explain` and `carillon notifications settle`: the commands against the real API over a real connection."""

import json
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from fastapi import FastAPI

from db import decisions
from db.session import Database
from domain.notifications import Ending, Outcome
from domain.reasons import Reason
from domain.remedies import REMEDIES
from domain.status import Status
from sealing import KeyRing
from stack.problems import StackError
from tests import factories
from tests.api import deliveries
from tests.api.conftest import KeyFactory
from tests.api.conftest import app as app  # noqa: PLC0414 - a fixture for the tests here
from tests.api.conftest import make_key as make_key  # noqa: PLC0414 - a fixture for the tests here
from tests.api.conftest import settings as settings  # noqa: PLC0414 - a fixture for the tests here
from tests.stack.commanding import Command, commanding


@pytest.fixture
async def carillon(
    app: FastAPI, make_key: KeyFactory, tenant_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Command]:
    """Runs `carillon …` beside the API that it asks."""
    async with commanding(app, await make_key(tenant_id), monkeypatch) as run:
        yield run


@pytest.fixture
async def doubtful(database: Database, tenant_id: UUID, key_ring: KeyRing) -> str:
    """A notification that ended as unknown."""
    account_id = await factories.make_account(
        database, tenant_id, key_ring, provider="sandbox", channel="sms", config={}, name="Texts"
    )
    version_id = await factories.make_version(database, tenant_id)
    name = await factories.make_notification(database, tenant_id, version_id, to="+15550100", to_kind="phone")
    seen = {"error_code": "outcome_unknown", "detail": "no answer within 8 s"}
    asked = deliveries.order(tenant_id, name, account_id)
    await deliveries.attempt(database, tenant_id, asked, Outcome.UNKNOWN, **seen)
    ending = Ending(
        tenant_id=str(tenant_id),
        notification_id=str(name),
        status=Status.UNKNOWN,
        reason=Reason.OUTCOME_UNKNOWN,
    )
    async with database.tenant(tenant_id) as connection:
        await decisions.end(connection, tenant_id, ending)
    return str(name)


async def test_an_explanation_says_what_happened_where_and_what_to_do(carillon: Command, doubtful: str) -> None:
    told = await carillon("explain", doubtful)
    assert told.exit_code == 0, told.output
    words = " ".join(told.stdout.split())
    for fact in (doubtful, "doubted", "ended", "sms", "Texts", "attempt 1", "no answer within 8 s"):
        assert fact in words, fact
    assert REMEDIES[Reason.OUTCOME_UNKNOWN] in words
    as_json = json.loads((await carillon("explain", doubtful, "--json")).stdout)
    assert [entry["code"] for entry in as_json["entries"]] == ["outcome_unknown", "outcome_unknown"]


async def test_settling_says_what_it_achieved_and_whether_that_was_said_before(
    carillon: Command, doubtful: str
) -> None:
    settle = ("notifications", "settle", doubtful, "--not-sent", "--reason", "it is not in their log")
    first, second = await carillon(*settle), await carillon(*settle)
    said = "Attempt 1 over sms by sandbox: not_sent.\nThe notification is failed (settled_not_sent).\n"
    assert (first.exit_code, first.stdout) == (0, said)
    assert (second.exit_code, "That had been said before." in second.stdout) == (0, True)
    turned = await carillon("notifications", "settle", doubtful, "--sent", "--reason", "after all")
    assert isinstance(turned.exception, StackError)
    assert "as a person found out before" in str(turned.exception)


@pytest.mark.parametrize("missing", ["--reason", "--sent"])
async def test_settling_needs_both_a_word_and_its_reason(carillon: Command, doubtful: str, missing: str) -> None:
    given = [part for part in ("--sent", "--reason=asked") if not part.startswith(missing)]
    told = await carillon("notifications", "settle", doubtful, *given)
    assert told.exit_code == 2
    assert missing in told.output
