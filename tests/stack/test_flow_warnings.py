"""`carillon flow check --ask`, `plan --ask` and `push`: warnings of the installation, with their lines."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI

from tests.api import flowing
from tests.api.conftest import KeyFactory
from tests.api.conftest import app as app  # noqa: PLC0414 - a fixture for the tests here
from tests.api.conftest import client as client  # noqa: PLC0414 - a fixture for the tests here
from tests.api.conftest import make_key as make_key  # noqa: PLC0414 - a fixture for the tests here
from tests.api.conftest import open_client as open_client  # noqa: PLC0414 - a fixture for the tests here
from tests.api.conftest import settings as settings  # noqa: PLC0414 - a fixture for the tests here
from tests.stack.commanding import Command, commanding

SCHEMA = {"properties": {"order": {}, "phone": {}}, "additionalProperties": False}


@pytest.fixture
async def carillon(
    app: FastAPI, make_key: KeyFactory, tenant_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Command]:
    """Runs `carillon flow …` beside the API that it asks."""
    async with commanding(app, await make_key(tenant_id), monkeypatch, "flow") as run:
        yield run


@pytest.fixture
async def file(tmp_path: Path, client: httpx.AsyncClient) -> Path:
    """A flow that misspells a member of its event, which is described."""
    for type_ in ("order.placed", "order.paid"):
        assert (await client.put(f"/v1/event-types/{type_}", json={"schema": SCHEMA})).is_success
    path = tmp_path / "reminder.yaml"
    path.write_text(flowing.REMINDER.replace("event.data.order", "event.data.oder"), "utf-8")
    return path


def line(file: Path) -> str:
    said = "by the schema of order.paid, order.placed: event.data has no member 'oder'; did you mean 'order'?"
    return f"{file}:5:1: /key: warning: {said}"


async def test_pushing_tells_the_warnings_and_pushes(carillon: Command, file: Path) -> None:
    told = await carillon("push", str(file))
    assert (told.exit_code, told.stdout.splitlines()) == (0, ["reminder: version 1", line(file)])
    (found,) = json.loads((await carillon("push", "--json", str(file))).stdout)
    assert [one["near"] for one in found["warnings"]] == ["event.data.order"]


async def test_checking_asks_only_where_it_is_told_to(carillon: Command, file: Path) -> None:
    assert (await carillon("check", str(file))).stdout == f"{file}: nothing is wrong\n"
    told = await carillon("check", "--ask", str(file))
    assert (told.exit_code, told.stdout.splitlines()) == (0, [f"{file}: nothing is wrong", line(file)])
    shown = json.loads((await carillon("check", "--ask", "--json", str(file))).stdout)
    assert [(one["severity"], one["line"], one["path"]) for one in shown[str(file)]] == [
        ("warning", 5, "event.data.oder")
    ]


async def test_a_file_that_is_wrong_is_not_asked_about(carillon: Command) -> None:
    wrong = flowing.REMINDER.replace("event.data.order", "event.data.oder").replace("P1D", "a day")
    told = await carillon("check", "--ask", "-", said=wrong)
    assert (told.exit_code, len(told.stdout.splitlines())) == (1, 1)


async def test_a_plan_warns_beside_what_it_prints(carillon: Command, file: Path) -> None:
    told = await carillon("plan", "--ask", str(file))
    assert told.exit_code == 0
    assert told.stderr.splitlines() == [line(file)]
    assert "send hello" in told.stdout
