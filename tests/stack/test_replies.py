"""`carillon replies …`: the commands against the real API over a real connection."""

import json
from collections.abc import AsyncIterator
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI

from db.session import Database
from domain.series import MOST_HEARD
from tests.activities.series_clock import Clock
from tests.api import flowing, sending
from tests.api.conftest import KeyFactory
from tests.api.conftest import app as app  # noqa: PLC0414 - a fixture for the tests here
from tests.api.conftest import client as client  # noqa: PLC0414 - a fixture for the tests here
from tests.api.conftest import make_key as make_key  # noqa: PLC0414 - a fixture for the tests here
from tests.api.conftest import open_client as open_client  # noqa: PLC0414 - a fixture for the tests here
from tests.api.conftest import settings as settings  # noqa: PLC0414 - a fixture for the tests here
from tests.api.reply_rows import says
from tests.stack.commanding import Command, commanding


@pytest.fixture
async def carillon(
    app: FastAPI, make_key: KeyFactory, tenant_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Command]:
    """Runs `carillon replies …` beside the API that it asks."""
    async with commanding(app, await make_key(tenant_id), monkeypatch, "replies") as run:
        yield run


@pytest.fixture
async def series(client: httpx.AsyncClient, database: Database, tenant_id: UUID) -> str:
    """One of two series that may be meant by what somebody wrote."""
    await sending.publish(client)
    await flowing.publish(client)
    made = [await flowing.start(client, key=key) for key in ("1", "2")]
    await says(database, tenant_id, body="Yes, at ten")
    return made[0]


async def test_a_held_reply_is_shown_with_whom_it_may_mean_and_given(
    carillon: Command, client: httpx.AsyncClient, series: str
) -> None:
    listed = (await carillon("list")).stdout
    assert "+919876543210: Yes, at ten" in listed
    assert series in listed
    (held,) = json.loads((await carillon("list", "--json")).stdout)
    assert (await carillon("give", held["id"], series)).stdout == f"{held['id']}: given to {series}.\n"
    assert "No reply waits" in (await carillon("list")).stdout
    assert "given" in (await carillon("list", "--state", "all")).stdout


async def test_a_reply_to_a_series_that_heard_too_much_says_so(
    carillon: Command, client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await sending.publish(client)
    await flowing.publish(client)
    made = await flowing.start(client)
    await Clock(database, tenant_id, UUID(made)).change(heard=MOST_HEARD)
    await says(database, tenant_id, body="Yes, at ten")
    listed = (await carillon("list")).stdout
    assert "The series that it means heard too much already." in listed
    assert made in listed
    assert (await client.get(f"/v1/series/{made}")).json()["unheard"] == 1


async def test_a_held_reply_is_dismissed_with_a_reason(carillon: Command, series: str) -> None:
    (held,) = json.loads((await carillon("list", "--json")).stdout)
    await carillon("dismiss", held["id"], "--reason", "said on the phone")
    (settled,) = json.loads((await carillon("list", "--state", "dismissed", "--json")).stdout)
    assert settled["settled_reason"] == "said on the phone"
