"""`carillon suppressions …`: the commands against the real API over a real connection."""

import json
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from fastapi import FastAPI

from stack.problems import StackError
from tests.api.conftest import KeyFactory
from tests.api.conftest import app as app  # noqa: PLC0414 - a fixture for the tests here
from tests.api.conftest import make_key as make_key  # noqa: PLC0414 - a fixture for the tests here
from tests.api.conftest import settings as settings  # noqa: PLC0414 - a fixture for the tests here
from tests.stack.commanding import Command, commanding


@pytest.fixture
async def carillon(
    app: FastAPI, make_key: KeyFactory, tenant_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Command]:
    """Runs `carillon suppressions …` beside the API that it asks."""
    async with commanding(app, await make_key(tenant_id), monkeypatch, "suppressions") as run:
        yield run


async def test_an_address_is_suppressed_shown_and_lifted(carillon: Command) -> None:
    assert "Nothing is suppressed" in (await carillon("list")).stdout
    added = await carillon("add", "asha@example.com", "--note", "asked on the phone")
    assert added.stdout.startswith("asha@example.com: by_hand, ")
    await carillon("add", "+919876543210", "--cause", "complaint", "--note", "a letter")
    listed = (await carillon("list", "--channel", "email")).stdout
    assert "asked on the phone" in listed
    assert "+919876543210" not in listed
    (shown,) = json.loads((await carillon("list", "--cause", "complaint", "--json")).stdout)
    assert (shown["kind"], shown["note"]) == ("phone", "a letter")
    lifted = await carillon("lift", "asha@example.com", "--reason", "a mistake")
    assert lifted.stdout == "asha@example.com: by_hand lifted\n"
    assert len(json.loads((await carillon("list", "--json")).stdout)) == 1


async def test_what_is_not_suppressed_cannot_be_lifted(carillon: Command) -> None:
    refused = await carillon("lift", "asha@example.com", "--reason", "a mistake")
    assert isinstance(refused.exception, StackError)
    assert "nothing keeps messages from asha@example.com" in str(refused.exception)
