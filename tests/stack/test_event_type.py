"""`carillon event-type …`: the commands against the real API over a real connection."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI

from stack.problems import StackError
from tests.api import flowing
from tests.api.conftest import KeyFactory
from tests.api.conftest import app as app  # noqa: PLC0414 - a fixture for the tests here
from tests.api.conftest import client as client  # noqa: PLC0414 - a fixture for the tests here
from tests.api.conftest import make_key as make_key  # noqa: PLC0414 - a fixture for the tests here
from tests.api.conftest import open_client as open_client  # noqa: PLC0414 - a fixture for the tests here
from tests.api.conftest import settings as settings  # noqa: PLC0414 - a fixture for the tests here
from tests.stack.commanding import Command, commanding


@pytest.fixture
async def carillon(
    app: FastAPI, make_key: KeyFactory, tenant_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Command]:
    """Runs `carillon event-type …` beside the API that it asks."""
    async with commanding(app, await make_key(tenant_id), monkeypatch, "event-type") as run:
        yield run


@pytest.fixture
def schema(tmp_path: Path) -> Path:
    """A file with a schema that asks for an order."""
    file = tmp_path / "schema.json"
    file.write_text(json.dumps({"required": ["order"]}), "utf-8")
    return file


async def test_a_type_is_described_shown_and_taken_back(
    carillon: Command, client: httpx.AsyncClient, schema: Path, tmp_path: Path
) -> None:
    example = tmp_path / "example.json"
    example.write_text('{"order": "1"}', "utf-8")
    put = await carillon("put", "order.placed", str(schema), "--example", str(example), "--description", "A new order")
    assert put.stdout == "order.placed: version 1, events that do not fit are refused.\n"
    await flowing.tell(client, flowing.event(), flowing.event(data={}))
    shown = (await carillon("show", "order.placed")).stdout
    assert "A new order" in shown
    assert "1 came, 0 marked, 1 refused" in shown
    assert "/data/order: this is missing" in shown
    assert json.loads((await carillon("show", "order.placed", "--json")).stdout)["examples"] == [{"order": "1"}]
    await carillon("delete", "order.placed")
    assert "nobody described it" in (await carillon("show", "order.placed")).stdout


async def test_types_are_listed(carillon: Command, client: httpx.AsyncClient, schema: Path) -> None:
    assert "No event came" in (await carillon("list")).stdout
    await flowing.tell(client, flowing.event("machine.stopped"))
    put = json.loads((await carillon("put", "order.placed", str(schema), "--mode", "warn", "--json")).stdout)
    assert put["mode"] == "warn"
    listed = (await carillon("list")).stdout
    assert "warn, version 1" in listed
    assert "machine.stopped" in listed
    assert [one["type"] for one in json.loads((await carillon("list", "--known", "false", "--json")).stdout)] == [
        "machine.stopped"
    ]
    assert "No event came" in (await carillon("list", "--faulty")).stdout


async def test_a_file_that_is_no_json_is_told(carillon: Command, tmp_path: Path) -> None:
    file = tmp_path / "schema.json"
    file.write_text("{", "utf-8")
    told = await carillon("put", "order.placed", str(file))
    assert isinstance(told.exception, StackError)
    assert "cannot be read as JSON" in str(told.exception)
