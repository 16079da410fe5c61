"""`carillon flow push …`: the commands against the real API over a real connection."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
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

NEXT = flowing.REMINDER + "- {send: hello, id: third}\n"
RENAMED = NEXT.replace("a_day", "one_day")
OTHER = flowing.REMINDER.replace("name: reminder", "name: other")


@pytest.fixture
async def carillon(
    app: FastAPI, make_key: KeyFactory, tenant_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Command]:
    """Runs `carillon flow …` beside the API that it asks."""
    async with commanding(app, await make_key(tenant_id), monkeypatch, "flow") as run:
        yield run


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "reminder.yaml"
    path.write_text(flowing.REMINDER, "utf-8")
    return path


@pytest.fixture
async def waiting(client: httpx.AsyncClient, database: Database, tenant_id: UUID) -> list[str]:
    """Two series that wait at `a_day` of version 1, and a version 2 where this step is called `one_day`."""
    await sending.publish(client)
    await flowing.publish(client)
    made = [await flowing.start(client, key=f"order-{number}") for number in (1, 2)]
    for series_id in made:
        await Clock(database, tenant_id, UUID(series_id), now=datetime.now(UTC)).look()
    await flowing.push(client, RENAMED)
    return made


async def read(client: httpx.AsyncClient, path: str) -> dict[str, Any]:
    found: dict[str, Any] = (await client.get(path)).json()
    return found


async def test_pushing_says_which_version_a_file_is(carillon: Command, client: httpx.AsyncClient, file: Path) -> None:
    first, again = await carillon("push", str(file)), await carillon("push", str(file))
    assert (first.exit_code, first.output) == (0, "reminder: version 1\n")
    assert again.output == "reminder: version 1, nothing new\n"
    assert (await read(client, "/v1/flows/reminder/versions/1"))["source"] == flowing.REMINDER
    assert (await read(client, "/v1/flows/reminder"))["status"] == "draft"


async def test_pushing_and_publishing_at_once(carillon: Command, client: httpx.AsyncClient, file: Path) -> None:
    await carillon("push", str(file))
    told = await carillon("push", "-", "--publish", said=NEXT)
    assert told.output == "reminder: version 2, published\n"
    flow = await read(client, "/v1/flows/reminder")
    assert (flow["status"], flow["published_version"]) == ("active", 2)
    as_json = json.loads((await carillon("push", "-", "--json", said=NEXT)).stdout)
    assert as_json == [{"name": "reminder", "version": 2, "created": False, "warnings": [], "published": False}]


async def test_nothing_is_pushed_if_one_file_is_wrong(
    carillon: Command, client: httpx.AsyncClient, file: Path, tmp_path: Path
) -> None:
    wrong = tmp_path / "other.yaml"
    wrong.write_text(OTHER.replace("P1D", "one day"), "utf-8")
    told = await carillon("push", str(file), str(wrong))
    assert told.exit_code == 1
    assert told.stdout.startswith(f"{wrong}:10:")
    assert "'one day' is no length of time" in told.stdout
    assert "Nothing was done" in str(told.exception)
    assert (await read(client, "/v1/flows"))["data"] == []


async def test_two_files_of_one_flow_are_not_pushed_together(
    carillon: Command, client: httpx.AsyncClient, file: Path
) -> None:
    told = await carillon("push", str(file), str(file))
    assert "Several of the files are the flow 'reminder'" in str(told.exception)
    assert (await read(client, "/v1/flows"))["data"] == []


async def test_pulling_gives_the_text_to_the_letter(carillon: Command, client: httpx.AsyncClient) -> None:
    text = flowing.REMINDER.replace("steps:", "# ça va\nsteps:")
    await flowing.push(client, text)
    await flowing.push(client, NEXT.rstrip())
    assert (await carillon("pull", "reminder")).stdout == NEXT.rstrip()
    await client.post("/v1/flows/reminder/publish", json={"version": 1})
    assert (await carillon("pull", "reminder")).stdout == text
    assert (await carillon("pull", "reminder", "--version", "2")).stdout == NEXT.rstrip()


async def test_a_difference_is_told_as_a_diff_and_by_the_exit_status(
    carillon: Command, client: httpx.AsyncClient, file: Path
) -> None:
    await flowing.publish(client)
    same = await carillon("diff", str(file))
    assert (same.exit_code, same.stdout) == (0, "")
    told = await carillon("diff", "-", said=NEXT.rstrip("\n"))
    assert told.exit_code == 1
    assert told.stdout.splitlines()[:2] == ["--- reminder, version 1", "+++ -"]
    assert told.stdout.endswith("+- {send: hello, id: third}\n\\ No newline at end of file\n")
    await flowing.push(client, NEXT)
    assert (await carillon("diff", "-", "--version", "2", said=NEXT)).exit_code == 0
    end_alone = await carillon("diff", "-", "--version", "2", said=NEXT.rstrip("\n"))
    assert (end_alone.exit_code, "\\ No newline at end of file" in end_alone.stdout) == (1, True)


async def test_publishing_tells_who_waits_where_and_leaves_them(
    carillon: Command, client: httpx.AsyncClient, waiting: list[str]
) -> None:
    told = await carillon("publish", "reminder", "--version", "2")
    assert told.exit_code == 0, told.output
    lines = told.output.splitlines()
    assert lines[1].split() == ["1", "a_day", "2"]
    assert lines[2] == "reminder: new series take version 2, running series stay with their version."
    assert (await read(client, "/v1/flows/reminder"))["published_version"] == 2
    assert (await read(client, f"/v1/series/{waiting[0]}"))["version"] == 1


@pytest.mark.parametrize(
    ("arguments", "question", "version", "status"),
    [
        pytest.param(
            ["--mode", "migrate", "--step", "a_day=one_day"], "2 series go over to it. Publish it?", 2, "running",
            id="migrate",
        ),
        pytest.param(
            ["--mode", "stop"], "2 series of other versions are stopped. Publish it?", 1, "stopped", id="stop"
        ),
    ],
)  # fmt: skip
async def test_what_touches_running_series_asks_first(
    carillon: Command,
    client: httpx.AsyncClient,
    waiting: list[str],
    arguments: list[str],
    question: str,
    version: int,
    status: str,
) -> None:
    publish = ("publish", "reminder", "--version", "2", *arguments)
    no = await carillon(*publish, said="n\n")
    assert question in no.output
    assert (no.exit_code, str(no.exception)) == (1, "Nothing was done.")
    assert (await read(client, "/v1/flows/reminder"))["published_version"] == 1
    yes = await carillon(*publish, said="y\n")
    assert yes.exit_code == 0, yes.output
    series = await read(client, f"/v1/series/{waiting[0]}")
    assert (series["version"], series["status"]) == (version, status)


async def test_a_yes_that_is_given_is_not_asked_for(
    carillon: Command, client: httpx.AsyncClient, waiting: list[str]
) -> None:
    told = await carillon("publish", "reminder", "--version", "2", "--mode", "stop", "--yes", "--json")
    assert json.loads(told.stdout)["changed"] == 2
    assert (await read(client, f"/v1/series/{waiting[0]}"))["reason"] == "version_replaced"


async def test_a_step_that_is_not_there_any_more_is_named_and_nothing_changed(
    carillon: Command, client: httpx.AsyncClient, waiting: list[str]
) -> None:
    told = await carillon("publish", "reminder", "--version", "2", "--mode", "migrate", "--yes")
    assert isinstance(told.exception, StackError)
    assert "a_day" in str(told.exception)
    assert (await read(client, "/v1/flows/reminder"))["published_version"] == 1


async def test_a_dry_run_says_what_would_be_and_does_nothing(
    carillon: Command, client: httpx.AsyncClient, waiting: list[str]
) -> None:
    told = await carillon("publish", "reminder", "--version", "2", "--mode", "stop", "--dry-run")
    assert "2 series of other versions are stopped. Nothing was done yet." in told.output
    assert (await read(client, "/v1/flows/reminder"))["published_version"] == 1
    as_json = json.loads((await carillon("publish", "reminder", "--version", "2", "--dry-run", "--json")).stdout)
    assert as_json["waiting"] == [{"version": 1, "step": "a_day", "count": 2}]


async def test_publishing_says_that_no_series_runs(carillon: Command, client: httpx.AsyncClient) -> None:
    await flowing.push(client)
    told = await carillon("publish", "reminder", "--version", "1")
    assert told.output.startswith("No series of it runs.\n")


async def test_flows_are_listed_and_shown_with_their_versions(carillon: Command, client: httpx.AsyncClient) -> None:
    assert (await carillon("list")).output == "There is no flow that fits.\n"
    await flowing.publish(client)
    await flowing.push(client, NEXT)
    await flowing.push(client, OTHER, "other")
    listed = [line.split()[:4] for line in (await carillon("list")).output.splitlines()[1:]]
    assert listed == [["other", "draft", "-", "1"], ["reminder", "active", "1", "2"]]
    assert [flow["name"] for flow in json.loads((await carillon("list", "--status", "draft", "--json")).stdout)] == [
        "other"
    ]
    shown = await carillon("show", "reminder")
    assert shown.output.startswith("reminder  active\n")
    assert [line.split()[0] for line in shown.output.splitlines()[2:]] == ["2", "1"]
    assert "take it" in shown.output.splitlines()[3]
    assert (await carillon("show", "reminder", "--most", "1")).output.endswith("and 1 more.\n")
    as_json = json.loads((await carillon("show", "reminder", "--json")).stdout)
    assert [version["number"] for version in as_json["versions"]] == [2, 1]


async def test_a_flow_is_paused_and_activated(carillon: Command, client: httpx.AsyncClient) -> None:
    await flowing.publish(client)
    assert (await carillon("pause", "reminder")).output == "reminder is paused.\n"
    assert (await read(client, "/v1/flows/reminder"))["status"] == "paused"
    assert json.loads((await carillon("activate", "reminder", "--json")).stdout)["status"] == "active"


async def test_one_can_ask_which_flows_an_event_concerns(
    carillon: Command, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    event = tmp_path / "event.json"
    event.write_text(json.dumps(flowing.event()), "utf-8")
    assert (await carillon("which", str(event))).output == "No flow has to do with it.\n"
    await flowing.publish(client)
    starts = await carillon("which", str(event))
    assert starts.output.splitlines()[1].split() == ["reminder", "yes", "no", "order-1", "order.placed", "-"]
    paid = await carillon("which", "-", said=json.dumps(flowing.event("order.paid")))
    assert paid.output.splitlines()[1].split()[:5] == ["reminder", "no", "yes", "order-1", "order.paid"]
    assert "`match` does not hold" in paid.output
    await client.patch("/v1/flows/reminder", json={"status": "paused"})
    paused = await carillon("which", "-", said=json.dumps(flowing.event("order.paid")))
    assert "nothing in its `on` fits, or it is paused" in paused.output
    assert (await read(client, "/v1/events"))["data"] == []
    as_json = json.loads((await carillon("which", str(event), "--json")).stdout)
    assert as_json["flows"] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["pull", "none"], "There is no such flow", id="no such flow"),
        pytest.param(["pull", "reminder", "--version", "9"], "There is no such version", id="no such version"),
        pytest.param(["push", "nowhere.yaml"], "nowhere.yaml cannot be read", id="no such file"),
        pytest.param(["publish", "reminder", "--version", "9"], "the flow has no version 9", id="an unknown version"),
        pytest.param(["publish", "reminder", "--version", "1", "--mode", "none"], "pin", id="an unknown mode"),
        pytest.param(
            ["publish", "reminder", "--version", "1", "--mode", "migrate", "--step", "a"], "old_name=new_name",
            id="one step alone",
        ),
        pytest.param(
            ["publish", "reminder", "--version", "1", "--step", "a=b"], "--mode migrate", id="steps without migrating"
        ),
        pytest.param(["pause", "reminder"], "publish a version first", id="a draft is not paused"),
        pytest.param(["which", "-"], "The body cannot be used", id="no event"),
    ],
)  # fmt: skip
async def test_what_cannot_be_is_one_sentence(
    carillon: Command, client: httpx.AsyncClient, arguments: list[str], said: str
) -> None:
    await flowing.push(client)
    told = await carillon(*arguments)
    assert isinstance(told.exception, StackError), told.output
    assert said in str(told.exception)
