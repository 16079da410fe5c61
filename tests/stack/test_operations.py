"""`carillon series operate` and `carillon operations …`, against the real API over a real connection."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest
import typer
from fastapi import FastAPI

from db.session import Database
from stack.api_client import ApiClient, Target
from stack.operations import watch
from tests.activities.series_clock import Clock
from tests.api import flowing, sending
from tests.api.conftest import KeyFactory
from tests.api.conftest import app as app  # noqa: PLC0414 - a fixture for the tests here
from tests.api.conftest import client as client  # noqa: PLC0414 - a fixture for the tests here
from tests.api.conftest import make_key as make_key  # noqa: PLC0414 - a fixture for the tests here
from tests.api.conftest import open_client as open_client  # noqa: PLC0414 - a fixture for the tests here
from tests.api.conftest import settings as settings  # noqa: PLC0414 - a fixture for the tests here
from tests.api.test_series_operations import carry_out, operate, statuses
from tests.api.test_series_refusals import AT, DUE
from tests.stack.commanding import Command, commanding


@pytest.fixture
async def carillon(
    app: FastAPI, make_key: KeyFactory, tenant_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Command]:
    """Runs `carillon …` beside the API that it asks."""
    async with commanding(app, await make_key(tenant_id), monkeypatch) as run:
        yield run


@pytest.fixture
async def three(client: httpx.AsyncClient, database: Database, tenant_id: UUID) -> list[str]:
    """Two series that wait for a date, and one of another flow that has none."""
    await sending.publish(client)
    await flowing.publish(client)
    await flowing.publish(client, DUE, "due")
    made = [await flowing.start(client, flow="due", key=f"k{one}", anchors={"due_at": AT}) for one in range(2)]
    made.append(await flowing.start(client, key="other"))
    for one in made:
        await Clock(database, tenant_id, UUID(one)).look()
    return made


async def listed(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await client.get("/v1/operations", params={"subject": "series"})).json()["data"]
    return found


async def test_a_selection_is_counted_asked_for_and_followed_to_its_end(
    carillon: Command, client: httpx.AsyncClient, database: Database, tenant_id: UUID, three: list[str]
) -> None:
    words = ("series", "operate", "move", "--shift", "due_at=+2d", "--reason", "a holiday")
    commanded = asyncio.ensure_future(carillon(*words, said="y\n"))
    async with asyncio.timeout(30):
        while not (made := await listed(client)):
            await asyncio.sleep(0.05)
    await carry_out(database, tenant_id, made[0])
    told = await commanded
    assert told.exit_code == 0, told.output
    assert "Move: 3 series, 50 in a second (1 s)?" in told.output
    assert all(one in told.output for one in three)
    assert "done: 2 of 3 taken up, 1 refused" in told.output
    assert f"carillon operations show {made[0]['id']}" in told.output
    assert (await client.get(f"/v1/series/{three[0]}")).json()["anchors"]["due_at"] == "2027-06-22T09:00:00Z"
    shown = await carillon("operations", "show", made[0]["id"])
    assert three[2] in shown.output
    assert "It has no date of that name." in shown.output
    assert "because a holiday" in shown.output


async def test_who_says_no_changes_nothing(carillon: Command, client: httpx.AsyncClient, three: list[str]) -> None:
    told = await carillon("series", "operate", "pause", "--flow", "due", said="n\n")
    assert (told.exit_code, str(told.exception)) == (1, "Nothing was done.")
    assert await listed(client) == []


async def test_a_filter_that_nothing_fits_makes_no_operation(
    carillon: Command, client: httpx.AsyncClient, three: list[str]
) -> None:
    told = await carillon("series", "operate", "skip", "--step", "nowhere", "--yes")
    assert (told.exit_code, told.output) == (0, "There is no series that fits.\n")
    assert await listed(client) == []


async def test_one_that_goes_on_is_listed_and_stopped(
    carillon: Command, client: httpx.AsyncClient, three: list[str]
) -> None:
    words = ("run-again", "--again", "until_due", "--flow", "due", "--rate", "1", "--yes", "--no-wait")
    assert (await carillon("series", "operate", *words)).exit_code == 0
    (made,) = await listed(client)
    assert (made["kind"], made["order"], made["filter"]) == ("run_again", {"step": "until_due"}, {"flow": "due"})
    told = await carillon("operations", "list", "--state", "pending", "--kind", "run_again", "--subject", "series")
    assert made["id"] in told.output
    assert (await carillon("operations", "stop", made["id"])).output == "stopped: 0 of 2 taken up\n"
    assert "no operation that fits" in (await carillon("operations", "list", "--state", "pending")).output
    found = json.loads((await carillon("operations", "show", made["id"], "--json")).output)
    assert (found["operation"]["state"], found["refused"]) == ("stopped", [])
    assert await statuses(client, three) == ["running"] * 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["operate", "halt"], "'halt' is nothing that series are told", id="another word"),
        pytest.param(["operate", "stop"], "Say why", id="stop without a reason"),
        pytest.param(["operate", "move", "--shift", "due_at"], "no length of time", id="a shift without a length"),
        pytest.param(["operate", "move", "--anchor", "due_at=soon"], "is no date", id="a date that is none"),
        pytest.param(["operate", "move"], "name the dates", id="a move of nothing"),
        pytest.param(["operate", "run-again"], "name the step", id="no step to run again"),
    ],
)
async def test_what_cannot_be_is_one_sentence(carillon: Command, words: list[str], said: str) -> None:
    told = await carillon("series", *words, "--yes")
    assert told.exit_code == 1
    assert said in str(told.exception)


async def test_the_list_as_json_is_what_the_api_tells(
    carillon: Command, client: httpx.AsyncClient, three: list[str]
) -> None:
    await operate(client, kind="pause")
    assert json.loads((await carillon("operations", "list", "--json")).output) == await listed(client)


def test_whoever_is_interrupted_leaves_it_running_and_says_how_to_see_it(capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[str] = []

    def interrupted(request: httpx.Request) -> httpx.Response:
        asked.append(f"{request.method} {request.url.path}")
        raise KeyboardInterrupt

    target = Target(url="http://carillon.test", key="k", key_from="a test")
    with ApiClient(target, transport=httpx.MockTransport(interrupted)) as api, pytest.raises(typer.Exit) as ended:
        watch(api, "7")
    assert (ended.value.exit_code, asked) == (130, ["GET /v1/operations/7"])
    told = capsys.readouterr().out
    assert "carillon operations show 7" in told
    assert "carillon operations stop 7" in told
