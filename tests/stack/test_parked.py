"""`carillon parked`: the commands against the real API over a real connection."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

import pytest
from fastapi import FastAPI

from db import operations
from db.session import Database
from domain.operations import OperationState
from sealing import KeyRing
from tests import factories
from tests.api.conftest import KeyFactory
from tests.api.conftest import app as app  # noqa: PLC0414 - a fixture for the tests here
from tests.api.conftest import make_key as make_key  # noqa: PLC0414 - a fixture for the tests here
from tests.api.conftest import settings as settings  # noqa: PLC0414 - a fixture for the tests here
from tests.stack.commanding import Command, commanding

SINCE = datetime(2026, 1, 31, 8, tzinfo=UTC)


@pytest.fixture
async def carillon(
    app: FastAPI, make_key: KeyFactory, tenant_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Command]:
    """Runs `carillon parked …` beside the API that it asks."""
    async with commanding(app, await make_key(tenant_id), monkeypatch, "parked") as run:
        yield run


@pytest.fixture
async def parked(database: Database, tenant_id: UUID, key_ring: KeyRing) -> list[UUID]:
    """Three parked notifications: two because of the account "WhatsApp India", one for a daily cap."""
    account_id = await factories.make_account(
        database, tenant_id, key_ring, provider="sandbox", channel="sms", config={}, name="WhatsApp India"
    )
    version_id = await factories.make_version(database, tenant_id)
    broken = {"parked_cause": "misconfigured", "parked_account_id": account_id}
    about = {"resource_type": "invoice", "resource_id": "7"}
    return [
        await factories.make_notification(
            database, tenant_id, version_id, to="+919876543210", to_kind="phone", parked_at=SINCE, **fields
        )
        for fields in (broken, {**broken, **about}, {"parked_cause": "daily_cap"})
    ]


async def made(database: Database, tenant_id: UUID) -> list[operations.Operation]:
    async with database.tenant(tenant_id) as connection:
        return await operations.page(connection, tenant_id, limit=10, before=None)


async def carry_out(database: Database, tenant_id: UUID) -> None:
    """Carries out the next operation that is created, as its workflow would."""
    async with asyncio.timeout(30):
        while not (found := await made(database, tenant_id)):
            await asyncio.sleep(0.02)
        while True:
            async with database.tenant(tenant_id) as connection:
                locked = await operations.lock(connection, tenant_id, found[0].id)
                if locked is not None and (await operations.step(connection, tenant_id, locked)).state.is_over:
                    return


async def test_list_counts_by_cause_account_and_template(carillon: Command, parked: list[UUID]) -> None:
    told = await carillon("list")
    assert told.exit_code == 0, told.output
    lines = told.output.splitlines()
    assert lines[1].split()[:4] == ["2", "misconfigured", "WhatsApp", "India"]
    assert lines[2].split()[:4] == ["1", "daily_cap", "-", "hello"]
    assert "3 in all." in told.output
    assert "misconfigured: The account's credentials or permissions do not work; verify the account." in told.output


async def test_list_says_that_nothing_is_parked(carillon: Command) -> None:
    assert (await carillon("list")).output == "Nothing is parked.\n"


async def test_list_and_show_give_json_to_scripts(carillon: Command, parked: list[UUID]) -> None:
    assert json.loads((await carillon("list", "--json")).output)["total"] == 3
    rows = json.loads((await carillon("show", "--json", "--most", "2")).output)
    assert [row["id"] for row in rows] == [str(name) for name in reversed(parked[1:])]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param([], {0, 1, 2}, id="all"),
        pytest.param(["--cause", "misconfigured"], {0, 1}, id="cause"),
        pytest.param(["--account", "WhatsApp India"], {0, 1}, id="account by name"),
        pytest.param(["--resource", "invoice"], {1}, id="kind of resource"),
        pytest.param(["--resource", "invoice/7"], {1}, id="resource"),
        pytest.param(["--template", "other"], set(), id="template"),
        pytest.param(["--before", "2026-01-31T08:00:00Z"], set(), id="parked before"),
        pytest.param(["--since", "2026-01-31T08:00:00Z"], {0, 1, 2}, id="parked since"),
    ],
)
async def test_show_lists_what_the_options_mean(
    carillon: Command, parked: list[UUID], arguments: list[str], expected: set[int]
) -> None:
    told = await carillon("show", *arguments)
    assert told.exit_code == 0, told.output
    assert {place for place, name in enumerate(parked) if str(name) in told.output} == expected


async def test_resume_tells_how_many_and_does_nothing_without_a_yes(
    carillon: Command, parked: list[UUID], database: Database, tenant_id: UUID
) -> None:
    told = await carillon("resume", "--cause", "misconfigured", said="n\n")
    assert "Resume 2 notifications, 50 in a second (1 s)?" in told.output
    assert told.exit_code == 1
    assert "Nothing was done." in str(told.exception)
    assert await made(database, tenant_id) == []


async def test_resume_asks_and_tells_how_far_it_is(
    carillon: Command, parked: list[UUID], database: Database, tenant_id: UUID
) -> None:
    arguments = ("--account", "WhatsApp India", "--rate", "1", "--reason", "new token")
    told, _ = await asyncio.gather(carillon("resume", *arguments, said="y\n"), carry_out(database, tenant_id))
    assert told.exit_code == 0, told.output
    (operation,) = await made(database, tenant_id)
    assert (operation.kind, operation.rate, operation.reason, operation.done) == ("resume", 1, "new token", 2)
    assert f"carillon parked stop {operation.id}" in told.output
    assert told.output.endswith("done: 2 of 2 taken up\n")


async def test_drop_needs_a_reason_and_asks(
    carillon: Command, parked: list[UUID], database: Database, tenant_id: UUID
) -> None:
    assert (await carillon("drop", "--yes")).exit_code == 2
    told = await carillon("drop", "--cause", "daily_cap", "--reason", "too late", "--yes", "--no-wait")
    assert told.exit_code == 0, told.output
    (operation,) = await made(database, tenant_id)
    assert (operation.kind, operation.total, operation.reason) == ("drop", 1, "too late")
    stopped = await carillon("stop", str(operation.id))
    assert stopped.output == "stopped: 0 of 1 taken up\n"
    assert (await made(database, tenant_id))[0].state is OperationState.STOPPED


async def test_nothing_that_fits_is_said_and_no_operation_made(
    carillon: Command, parked: list[UUID], database: Database, tenant_id: UUID
) -> None:
    told = await carillon("resume", "--cause", "no_account")
    assert (told.exit_code, told.output) == (0, "Nothing is parked that fits.\n")
    assert await made(database, tenant_id) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["show", "--account", "Mail"], "accounts with parked ones: WhatsApp India", id="unknown account"),
        pytest.param(["show", "--cause", "mood"], "Input should be", id="unknown cause"),
        pytest.param(["stop", str(UUID(int=1))], "There is no such operation", id="unknown operation"),
    ],
)
async def test_what_cannot_be_is_one_sentence(
    carillon: Command, parked: list[UUID], arguments: list[str], said: str
) -> None:
    told = await carillon(*arguments)
    assert told.exit_code == 1
    assert said in str(told.exception)
