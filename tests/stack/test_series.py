"""`carillon series …`: the commands against the real API over a real connection."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI

from db.session import Database
from stack.problems import StackError
from tests.activities.series_clock import Clock
from tests.api import flowing, sending
from tests.api.conftest import KeyFactory
from tests.api.conftest import app as app  # noqa: PLC0414 - a fixture for the tests here
from tests.api.conftest import client as client  # noqa: PLC0414 - a fixture for the tests here
from tests.api.conftest import make_key as make_key  # noqa: PLC0414 - a fixture for the tests here
from tests.api.conftest import open_client as open_client  # noqa: PLC0414 - a fixture for the tests here
from tests.api.conftest import settings as settings  # noqa: PLC0414 - a fixture for the tests here
from tests.stack.commanding import Command, commanding

START = ("start", "--flow", "reminder", "--to", "phone=+919876543210")
DATED = """
name: reminder
steps:
- wait: {until: due_at}
  id: due
- {send: hello, id: today}
"""
UNTIL_DUE = "- {wait: {until: due_at}, id: due}\n"


@pytest.fixture
async def carillon(
    app: FastAPI, make_key: KeyFactory, tenant_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Command]:
    """Runs `carillon series …` beside the API that it asks."""
    async with commanding(app, await make_key(tenant_id), monkeypatch, "series") as run:
        yield run


@pytest.fixture
async def waiting(client: httpx.AsyncClient, database: Database, tenant_id: UUID) -> str:
    """A series about an order that sent its first message and waits at `a_day`."""
    await sending.publish(client)
    await flowing.publish(client)
    made = await flowing.start(client, resource={"type": "order", "id": "1"})
    await look(database, tenant_id, made)
    return made


async def look(database: Database, tenant_id: UUID, series_id: str) -> None:
    await Clock(database, tenant_id, UUID(series_id), now=datetime.now(UTC)).look()


async def read(client: httpx.AsyncClient, series_id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await client.get(f"/v1/series/{series_id}")).json()
    return found


async def test_a_series_is_started_with_what_it_is_given(carillon: Command, client: httpx.AsyncClient) -> None:
    await flowing.publish(client, DATED)
    told = await carillon(
        *START, "--key", "7", "--data", '{"name": "Asha"}', "--anchor", "due_at=2027-06-20T12:00+05:30"
    )
    assert told.exit_code == 0, told.output
    (row,) = (await client.get("/v1/series")).json()["data"]
    assert told.output == f"Started {row['id']}.\n"
    series = await read(client, row["id"])
    assert (series["key"], series["to_kind"], series["to"]) == ("7", "phone", "+919876543210")
    assert (series["data"], series["anchors"]) == ({"name": "Asha"}, {"due_at": "2027-06-20T06:30:00Z"})


async def test_a_second_start_of_a_key_says_what_became_of_it(carillon: Command, client: httpx.AsyncClient) -> None:
    await flowing.publish(client)
    first = json.loads((await carillon(*START, "--key", "7", "--json")).stdout)
    assert first["result"] == "started"
    again = await carillon(*START, "--key", "7")
    assert again.output == f"Nothing was started: {first['id']} runs with this key.\n"
    await flowing.publish(client, flowing.REMINDER + "again: replace\n")
    other = await carillon(*START, "--key", "7")
    assert other.output.startswith("Started ")
    assert other.output.endswith(f"{first['id']} was stopped for it.\n")
    await carillon("stop", "--flow", "reminder", "--key", "7")
    await flowing.publish(client, flowing.REMINDER + "again: ignore\n")
    assert "takes a key only once" in (await carillon(*START, "--key", "7")).output


async def test_a_stop_of_a_key_that_comes_first_is_told_and_kept(carillon: Command, client: httpx.AsyncClient) -> None:
    await flowing.publish(client)
    stop = await carillon("stop", "--flow", "reminder", "--key", "7", "--reason", "cancelled in the shop")
    assert (stop.exit_code, stop.output) == (0, "There is none yet; for a week none begins with this key.\n")
    started = await carillon(*START, "--key", "7")
    assert (started.exit_code, started.output) == (0, "Nothing was started: a stop of this key came before.\n")


async def test_series_are_listed_with_where_they_stand(carillon: Command, waiting: str) -> None:
    told = await carillon("list")
    assert told.exit_code == 0, told.output
    assert told.output.splitlines()[1].split()[:7] == [
        waiting, "reminder", "1", "order-1", "+919876543210", "running", "a_day",
    ]  # fmt: skip
    assert [row["id"] for row in json.loads((await carillon("list", "--json", "--most", "1")).stdout)] == [waiting]


@pytest.mark.parametrize(
    ("arguments", "is_meant"),
    [
        ("--flow reminder --version 1", True),
        ("--flow other", False),
        ("--version 2", False),
        ("--status running", True),
        ("--status parked", False),
        ("--step a_day", True),
        ("--step second", False),
        ("--key order-1", True),
        ("--key order-2", False),
        ("--to +919876543210", True),
        ("--to +15550100", False),
        ("--resource order", True),
        ("--resource order/1", True),
        ("--resource order/2", False),
        ("--cause template_missing", False),
        ("--next-before 2199-01-01T00:00:00Z", True),
        ("--next-before 2020-01-01T00:00:00Z", False),
    ],
)
async def test_a_list_has_those_that_its_options_mean(
    carillon: Command, waiting: str, arguments: str, *, is_meant: bool
) -> None:
    told = await carillon("list", *arguments.split())
    assert told.exit_code == 0, told.output
    assert (waiting in told.output) is is_meant
    assert ("There is no series that fits." in told.output) is not is_meant


async def test_a_series_is_shown_with_what_it_did_and_what_is_to_come(carillon: Command, waiting: str) -> None:
    told = await carillon("show", waiting)
    assert told.exit_code == 0, told.output
    before, after = told.output.split("Still to come, if nothing more is heard:")
    head, _, did = before.partition("at (UTC)")
    for fact in (
        f"{waiting}  running", "flow reminder, version 1, key order-1, to +919876543210", "about order/1", "at a_day,",
        "goes on 20", "woken by event:order.paid",
    ):  # fmt: skip
        assert fact in head, fact
    kinds = [line.split()[2:4] for line in did.splitlines()[1:] if line.startswith("20")]
    assert kinds == [["started", "-"], ["sent", "first"], ["waiting", "a_day"]]
    assert "notification_id" in did
    assert [line.split()[2:4] for line in after.splitlines() if line.startswith("20")] == [
        ["wait", "a_day"], ["do", "second"], ["done", "-"],
    ]  # fmt: skip


async def test_a_long_story_is_cut_at_its_beginning(carillon: Command, waiting: str) -> None:
    told = await carillon("show", waiting, "--most", "1")
    assert "2 earlier lines are left out" in told.output
    shown = json.loads((await carillon("show", waiting, "--most", "2", "--json")).stdout)
    assert [line["kind"] for line in shown["timeline"]] == ["sent", "waiting"]
    assert shown["series"]["id"] == waiting
    assert [entry["kind"] for entry in shown["upcoming"]] == ["wait", "do", "done"]


async def test_a_series_that_is_parked_says_why_and_goes_on_when_it_is_resumed(
    carillon: Command, client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await flowing.publish(client)
    made = await flowing.start(client)
    await look(database, tenant_id, made)
    assert "parked (template_missing)" in (await carillon("list", "--cause", "template_missing")).output
    assert "template_missing: the template 'hello' is not there" in (await carillon("show", made)).output
    assert (await carillon("resume", made)).output == f"{made}: running at first\n"


async def test_a_series_is_paused_resumed_put_forward_and_back(
    carillon: Command, client: httpx.AsyncClient, waiting: str
) -> None:
    assert (await carillon("pause", waiting)).output == f"{waiting}: paused at a_day\n"
    assert (await carillon("resume", waiting)).output == f"{waiting}: running at a_day\n"
    assert (await carillon("skip", waiting)).output == f"{waiting}: running at second\n"
    assert (await carillon("run-again", waiting, "--step", "a_day")).output == f"{waiting}: running at a_day\n"
    assert json.loads((await carillon("pause", waiting, "--json")).stdout)["status"] == "paused"
    assert (await read(client, waiting))["status"] == "paused"


@pytest.mark.parametrize(
    ("order", "action"),
    [
        (["pause"], "series.paused"),
        (["resume"], "series.resumed"),
        (["skip"], "series.skipped"),
        (["run-again", "--step", "a_day"], "series.taken_again"),
        (["move", "--anchor", "due_at=2027-07-20T09:00:00Z"], "series.changed"),
        (["stop"], "series.stopped"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
async def test_why_it_was_done_is_kept_and_shown(
    carillon: Command, client: httpx.AsyncClient, database: Database, tenant_id: UUID, order: list[str], action: str
) -> None:
    await sending.publish(client)
    await flowing.publish(client, flowing.REMINDER + UNTIL_DUE)
    made = await flowing.start(client, anchors={"due_at": "2027-06-20T09:00:00Z"})
    await look(database, tenant_id, made)
    if order[0] == "resume":
        await carillon("pause", made)
    told = await carillon(order[0], made, *order[1:], "--reason", "asked by phone")
    assert told.exit_code == 0, told.output
    entry = (await client.get("/v1/audit", params={"action": action})).json()["data"][0]
    assert entry["detail"]["reason"] == "asked by phone"
    assert "asked by phone" in (await carillon("show", made, "--json")).stdout


async def test_moving_a_date_moves_it(carillon: Command, client: httpx.AsyncClient) -> None:
    await flowing.publish(client, DATED)
    made = await flowing.start(client, anchors={"due_at": "2027-06-20T09:00:00Z"})
    told = await carillon("move", made, "--anchor", "due_at=2027-07-20T09:00:00Z")
    assert told.output == f"{made}: running, due_at 2027-07-20T09:00:00Z\n"
    assert (await read(client, made))["anchors"] == {"due_at": "2027-07-20T09:00:00Z"}
    as_json = json.loads((await carillon("move", made, "--anchor", "due_at=2027-08-20T09:00Z", "--json")).stdout)
    assert as_json["anchors"] == {"due_at": "2027-08-20T09:00:00Z"}


async def test_stopping_tells_what_it_achieved(carillon: Command, client: httpx.AsyncClient, waiting: str) -> None:
    sent = await client.get("/v1/notifications", params={"metadata.series_id": waiting})
    (message,) = sent.json()["data"]
    told = await carillon("stop", waiting, "--reason", "they paid")
    assert told.exit_code == 0, told.output
    assert told.output == f"Stopped {waiting}; nothing of it is sent any more.\nCancelled: {message['id']}\n"
    series = await read(client, waiting)
    assert (series["status"], series["detail"]) == ("stopped", "they paid")
    assert (await carillon("stop", waiting)).output == f"{waiting} was over before.\n"
    by_key = json.loads((await carillon("stop", "--flow", "reminder", "--key", "order-1", "--json")).stdout)
    assert (by_key["result"], by_key["id"]) == ("ended", waiting)
    assert "Still to come" not in (await carillon("show", waiting)).output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["show", str(UUID(int=1))], "There is no such series", id="no such series"),
        pytest.param(["list", "--status", "asleep"], "Input should be", id="no such status"),
        pytest.param([*START[:3], "--to", "fax=1"], "recipient=…, phone=…", id="nobody"),
        pytest.param([*START, "--data", "[1]"], "--data is no JSON object", id="data that is a list"),
        pytest.param([*START, "--data", '{"a": NaN}'], "--data is no JSON:", id="data that is no JSON"),
        pytest.param([*START, "--anchor", "due_at"], "write it like due_at=", id="a date without an instant"),
        pytest.param([*START, "--anchor", "due_at=soon"], "'due_at=soon' is no date", id="a date that is none"),
        pytest.param([*START, "--anchor", "due_at=2027-06-20T12:00"], "is no date", id="a date without its offset"),
        pytest.param(["stop"], "by its id, or by --flow and --key", id="nothing to stop"),
        pytest.param(["stop", "--flow", "reminder"], "by its id, or by --flow and --key", id="half a key"),
        pytest.param(
            ["stop", str(UUID(int=1)), "--flow", "reminder", "--key", "7"], "by its id, or by --flow and --key",
            id="two to stop",
        ),
    ],
)  # fmt: skip
async def test_what_cannot_be_is_one_sentence(
    carillon: Command, client: httpx.AsyncClient, arguments: list[str], said: str
) -> None:
    await flowing.publish(client)
    told = await carillon(*arguments)
    assert isinstance(told.exception, StackError), told.output
    assert said in str(told.exception)


async def test_a_series_that_is_over_is_not_steered(carillon: Command, waiting: str) -> None:
    await carillon("stop", waiting)
    for order in (["pause"], ["skip"], ["run-again", "--step", "a_day"]):
        told = await carillon(order[0], waiting, *order[1:])
        assert "The series is over (stopped); start another one." in str(told.exception)
