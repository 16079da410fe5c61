"""Choices of recipients over HTTP: kept with source and time, told with what holds because of them."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest

from db import suppressions
from db.consent_tables import consent, consent_entry
from db.session import Database
from domain.recipients import Address, AddressKind
from domain.suppression import Cause
from tests.api.test_callbacks import rows

NOW = datetime(2026, 11, 22, tzinfo=UTC)
ASHA = "/v1/recipients/asha"
PLACE = f"{ASHA}/consents"


@pytest.fixture
async def asha(client: httpx.AsyncClient) -> None:
    """A recipient with a mail address, and three topics."""
    await client.put("/v1/topics/news", json={"channels": ["email", "whatsapp"]})
    await client.put("/v1/topics/offers", json={"default": "opted_out", "channels": ["email"]})
    await client.put("/v1/topics/bills", json={"transactional": True, "channels": ["email"]})
    body = {"addresses": [{"kind": "email", "value": "asha@example.com"}]}
    assert (await client.put(ASHA, json=body)).status_code == 201


def chosen(topic: str | None, channel: str | None, state: str, **more: Any) -> dict[str, Any]:
    return {"choices": [{"topic": topic, "channel": channel, "state": state}], **more}


def standing(answer: httpx.Response) -> dict[tuple[str, str], tuple[str, bool]]:
    return {(one["topic"], one["channel"]): (one["state"], one["may_send"]) for one in answer.json()["standing"]}


async def test_without_choices_the_topics_say_what_holds(client: httpx.AsyncClient, asha: None) -> None:
    answer = await client.get(PLACE)
    assert answer.json()["choices"] == []
    assert standing(answer) == {
        ("bills", "email"): ("granted", True),
        ("news", "email"): ("granted", True),
        ("news", "whatsapp"): ("granted", True),
        ("offers", "email"): ("unset", False),
    }


async def test_choices_are_kept_with_their_source_and_time(client: httpx.AsyncClient, asha: None) -> None:
    at = "2026-01-02T03:04:05Z"
    said = {"form": "checkout"}
    body = chosen("offers", "email", "granted", source="import", at=at, evidence=said)
    answer = await client.put(PLACE, json=body)
    (kept,) = answer.json()["choices"]
    assert (kept["source"], kept["at"], kept["evidence"], kept["subject"]) == ("import", at, said, "recipient")
    assert standing(answer)["offers", "email"] == ("granted", True)


async def test_a_repetition_leaves_no_trace(client: httpx.AsyncClient, asha: None) -> None:
    for _ in range(3):
        await client.put(PLACE, json=chosen("news", None, "denied"))
    assert len((await client.get(f"{PLACE}/history")).json()["data"]) == 1


async def test_an_older_choice_is_history_and_changes_nothing(client: httpx.AsyncClient, asha: None) -> None:
    await client.put(PLACE, json=chosen("news", "email", "denied"))
    old = chosen("news", "email", "granted", at="2020-01-01T00:00:00Z", source="import")
    assert standing(await client.put(PLACE, json=old))["news", "email"] == ("denied", False)
    assert [one["state"] for one in (await client.get(f"{PLACE}/history")).json()["data"]] == ["granted", "denied"]


async def test_a_choice_that_is_taken_back_lets_the_default_hold(client: httpx.AsyncClient, asha: None) -> None:
    await client.put(PLACE, json=chosen("news", "email", "denied"))
    assert standing(await client.put(PLACE, json=chosen("news", "email", "unset")))["news", "email"][0] == "granted"


async def test_the_history_is_paged(client: httpx.AsyncClient, asha: None) -> None:
    for state in ("denied", "granted", "denied"):
        await client.put(PLACE, json=chosen("news", "email", state))
    first = (await client.get(f"{PLACE}/history", params={"limit": 2})).json()
    rest = await client.get(f"{PLACE}/history", params={"limit": 2, "cursor": first["next_cursor"]})
    assert [one["state"] for one in (*first["data"], *rest.json()["data"])] == ["denied", "granted", "denied"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        pytest.param(chosen("nothing", None, "denied"), "/choices/0/topic", id="no such topic"),
        pytest.param(chosen("bills", None, "denied"), "/choices/0/topic", id="a transactional topic"),
        pytest.param(chosen("news", None, "pending"), "/choices/0/state", id="pending is not for callers"),
        pytest.param(chosen("news", None, "denied", source="stop_word"), "/source", id="a source that is ours"),
        pytest.param(chosen("news", None, "denied", at="2100-01-01T00:00:00Z"), "/at", id="still to come"),
        pytest.param({"choices": [{"state": "denied"}] * 2}, "/choices/1", id="twice"),
        pytest.param({"choices": []}, "/choices", id="nothing"),
    ],
)
async def test_choices_that_make_no_sense_are_refused(
    client: httpx.AsyncClient, asha: None, body: dict[str, Any], pointer: str
) -> None:
    answer = await client.put(PLACE, json=body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)


async def test_deleting_a_recipient_forgets_what_it_chose(
    client: httpx.AsyncClient, asha: None, database: Database, tenant_id: UUID
) -> None:
    await client.put(PLACE, json=chosen("news", "email", "denied"))
    assert (await client.delete(ASHA)).status_code == 204
    assert [await rows(database, tenant_id, table) for table in (consent, consent_entry)] == [[], []]


async def test_an_address_that_must_stay_silent_does_so_when_it_is_added_again(
    client: httpx.AsyncClient, asha: None, database: Database, tenant_id: UUID
) -> None:
    mail = Address(AddressKind.EMAIL, "asha@example.com")
    async with database.tenant(tenant_id) as connection:
        assert await suppressions.add(connection, tenant_id, mail, Cause.COMPLAINT, NOW)
    after = await added_again(client, mail.value)
    assert (after["status"], after["status_reason"]) == ("suppressed", "complaint")
    await client.post(f"{ASHA}/addresses/{after['id']}/restore")
    assert (await added_again(client, mail.value))["status"] == "active"


async def added_again(client: httpx.AsyncClient, mail: str) -> dict[str, Any]:
    await client.put(ASHA, json={"addresses": []})
    body = {"addresses": [{"kind": "email", "value": mail}]}
    (found,) = (await client.put(ASHA, json=body)).json()["addresses"]
    return dict(found)
