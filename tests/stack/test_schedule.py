"""`carillon schedule …`: the commands against the real API over a real connection."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI

from stack.problems import StackError
from tests.api import flowing, scheduling
from tests.api.conftest import KeyFactory
from tests.api.conftest import app as app  # noqa: PLC0414 - a fixture for the tests here
from tests.api.conftest import client as client  # noqa: PLC0414 - a fixture for the tests here
from tests.api.conftest import make_key as make_key  # noqa: PLC0414 - a fixture for the tests here
from tests.api.conftest import open_client as open_client  # noqa: PLC0414 - a fixture for the tests here
from tests.api.conftest import settings as settings  # noqa: PLC0414 - a fixture for the tests here
from tests.stack.commanding import Command, commanding

OVERDUE = """
name: overdue
note: each morning
spec:
  cron: 0 9 * * mon-fri
  zone: Asia/Kolkata
  except: {dates: [2027-01-26]}
action:
  query: {flow: reminder, status: running}
  start: {flow: reminder, key: "item.key + '/' + schedule.date"}
"""


@pytest.fixture
async def carillon(
    app: FastAPI, make_key: KeyFactory, tenant_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Command]:
    """Runs `carillon schedule …` beside the API that it asks."""
    async with commanding(app, await make_key(tenant_id), monkeypatch, "schedule") as run:
        yield run


@pytest.fixture
async def file(tmp_path: Path, client: httpx.AsyncClient) -> str:
    """A schedule file whose flow is published."""
    await flowing.publish(client)
    made = tmp_path / "overdue.yaml"
    made.write_text(OVERDUE, "utf-8")
    return str(made)


async def test_a_file_becomes_a_schedule_and_replaces_it(
    carillon: Command, client: httpx.AsyncClient, file: str
) -> None:
    told = await carillon("create", file)
    assert told.exit_code == 0, told.output
    [row] = (await client.get("/v1/schedules")).json()["data"]
    assert told.output.startswith(f"overdue ({row['id']}): active, next ")
    assert row["spec"]["except"]["dates"] == ["2027-01-26"]
    taken = await carillon("create", file)
    assert isinstance(taken.exception, StackError)
    told = await carillon("create", "-", "--replace", "--json", said=OVERDUE.replace("each morning", "mornings"))
    assert json.loads(told.output)["note"] == "mornings"
    assert len((await client.get("/v1/schedules")).json()["data"]) == 1


async def test_a_schedule_is_shown_with_the_days_that_it_leaves_out(
    carillon: Command, client: httpx.AsyncClient, file: str
) -> None:
    await client.put("/v1/calendars/india", json={"days": ["08-15"]})
    text = OVERDUE.replace("dates: [2027-01-26]", "dates: [2027-01-26], weekdays: [wed], calendars: [india]")
    refused = await carillon("create", "-", said=text.replace("india", "mars"))
    assert "there is no calendar 'mars'" in str(refused.exception)
    assert (await carillon("create", "-", said=text)).exit_code == 0
    told = await carillon("show", "overdue")
    assert "0 9 * * mon-fri Asia/Kolkata, not on wed, days of india, 1 date" in told.output


async def test_a_preview_says_when_and_for_whom(carillon: Command, client: httpx.AsyncClient, file: str) -> None:
    await flowing.start(client)
    told = await carillon("preview", file)
    assert told.exit_code == 0, told.output
    assert told.output.count("T09:00:00+05:30") == 10
    assert "Its query selects 1 now." in told.output
    assert "order-1/20" in told.output


async def test_it_is_listed_and_shown_by_its_name(carillon: Command, client: httpx.AsyncClient) -> None:
    await scheduling.make(client, note="each morning")
    listed = await carillon("list", "--status", "active", "--flow", "reminder")
    assert "0 9 * * * Asia/Kolkata" in listed.output
    shown = await carillon("show", "daily")
    assert "each morning" in shown.output
    assert shown.output.count("next ") == 5
    assert "There is no schedule that fits." in (await carillon("list", "--status", "ended")).output
    assert json.loads((await carillon("list", "--json")).output)[0]["name"] == "daily"


async def test_it_is_paused_resumed_and_deleted(carillon: Command, client: httpx.AsyncClient) -> None:
    made = await scheduling.make(client)
    assert (await carillon("pause", "daily")).output == f"daily ({made['id']}): paused\n"
    assert "active, next" in (await carillon("resume", made["id"])).output
    kept = await carillon("delete", "daily", said="n\n")
    assert kept.exit_code == 1
    assert (await carillon("delete", "daily", "--yes")).output == "Deleted daily.\n"
    gone = await carillon("show", "daily")
    assert isinstance(gone.exception, StackError)
    assert "There is no schedule called 'daily'" in str(gone.exception)


async def test_a_trigger_runs_once_for_its_key(carillon: Command, client: httpx.AsyncClient) -> None:
    await scheduling.make(client)
    first = await carillon("trigger", "daily", "--key", "now", "--json")
    again = await carillon("trigger", "daily", "--key", "now", "--json")
    assert json.loads(first.output)["id"] == json.loads(again.output)["id"]
    runs = await carillon("runs", "daily", "--status", "waiting")
    assert runs.output.count("trigger") == 1
    assert "There is no run that fits." in (await carillon("runs", "daily", "--status", "missed")).output


@pytest.mark.parametrize(
    ("text", "says"), [("- a", "write its name"), ("a: [", "is no schedule"), ("a: !x 1", "is no")]
)
async def test_a_file_that_is_no_schedule_is_refused(carillon: Command, text: str, says: str) -> None:
    told = await carillon("create", "-", said=text)
    assert isinstance(told.exception, StackError)
    assert says in str(told.exception)
