"""Suppressions over HTTP: listed with filters, added by hand, lifted with a reason, all of it audited."""

from datetime import UTC, datetime
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from db import suppressions
from db.session import Database
from domain.recipients import Address, AddressKind
from domain.suppression import Cause

BOUNCED, STOPPED = Address(AddressKind.EMAIL, "gone@example.com"), Address(AddressKind.PHONE, "+919876543210")
ASKED = {"kind": "email", "value": "asha@example.com", "note": "asked on the phone"}
PLACE = "/v1/suppressions"


@pytest.fixture
async def known(database: Database, tenant_id: UUID) -> None:
    """A bounce of the first of June and a STOP of the second."""
    async with database.tenant(tenant_id) as connection:
        at = datetime(2026, 6, 1, 9, tzinfo=UTC)
        await suppressions.add(connection, tenant_id, BOUNCED, Cause.HARD_BOUNCE, at)
        await suppressions.add(connection, tenant_id, STOPPED, Cause.STOP_WORD, at.replace(day=2))


async def listed(client: httpx.AsyncClient, **query: str) -> list[str]:
    found = await client.get(PLACE, params=query)
    assert found.status_code == 200, found.text
    return [one["value"] for one in found.json()["data"]]


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, [STOPPED.value, BOUNCED.value]),
        ({"channel": "email"}, [BOUNCED.value]),
        ({"channel": "sms"}, [STOPPED.value]),
        ({"cause": "hard_bounce"}, [BOUNCED.value]),
        ({"address": "gone@EXAMPLE.com"}, [BOUNCED.value]),
        ({"address": "+91 98765 43210"}, [STOPPED.value]),
        ({"since": "2026-06-02T00:00:00Z"}, [STOPPED.value]),
        ({"until": "2026-06-02T00:00:00Z"}, [BOUNCED.value]),
        ({"cause": "complaint"}, []),
    ],
    ids=["all", "a channel", "another", "a cause", "an address", "a phone with spaces", "since", "until", "none"],
)
async def test_suppressions_are_listed(client: httpx.AsyncClient, query: dict[str, str], expected: list[str]) -> None:
    assert await listed(client, **query) == expected


@pytest.mark.usefixtures("known")
async def test_pages_follow_one_another(client: httpx.AsyncClient) -> None:
    first = (await client.get(PLACE, params={"limit": 1})).json()
    second = (await client.get(PLACE, params={"limit": 1, "cursor": first["next_cursor"]})).json()
    assert [one["value"] for one in first["data"] + second["data"]] == [STOPPED.value, BOUNCED.value]
    assert second["next_cursor"] is None


async def test_an_address_is_suppressed_by_hand_and_lifted_again(client: httpx.AsyncClient) -> None:
    owner = {"name": "Asha", "addresses": [{"kind": "email", "value": "asha@example.com"}]}
    await client.put("/v1/recipients/asha", json=owner)
    made = await client.post(PLACE, json=ASKED)
    assert (made.status_code, made.json()["cause"], made.json()["note"]) == (201, "by_hand", "asked on the phone")
    again = await client.post(PLACE, json=ASKED | {"note": "again", "cause": "complaint"})
    assert (again.status_code, again.json()) == (200, made.json())
    place = made.headers["Location"]
    assert (await client.get(place)).json() == made.json()
    (shown,) = (await client.get("/v1/recipients/asha")).json()["addresses"]
    assert (shown["status"], shown["status_reason"]) == ("suppressed", "by_hand")
    assert (await client.delete(place)).status_code == 422
    assert (await client.delete(place, params={"reason": "a mistake"})).status_code == 204
    assert (await client.get(place)).status_code == 404
    (shown,) = (await client.get("/v1/recipients/asha")).json()["addresses"]
    assert (shown["status"], shown["status_reason"]) == ("active", None)
    noted = (await client.get("/v1/audit", params={"subject_type": "suppression"})).json()["data"]
    assert [(one["action"], one["detail"].get("reason")) for one in noted] == [
        ("suppression.lifted", "a mistake"),
        ("suppression.added", None),
    ]


@pytest.mark.usefixtures("known")
async def test_by_hand_outlasts_a_start(client: httpx.AsyncClient, database: Database, tenant_id: UUID) -> None:
    made = await client.post(PLACE, json={"kind": "phone", "value": STOPPED.value, "note": "a lawyer wrote"})
    assert (made.status_code, made.json()["cause"]) == (201, "by_hand")
    async with database.tenant(tenant_id) as connection:
        assert not await suppressions.lift(connection, tenant_id, STOPPED, Cause.STOP_WORD)
    assert STOPPED.value in await listed(client)


@pytest.mark.parametrize("change", [{"value": "nobody"}, {"kind": "pigeon"}, {"note": None}, {"cause": "whim"}])
async def test_what_makes_no_sense_is_refused(client: httpx.AsyncClient, change: dict[str, str]) -> None:
    assert (await client.post(PLACE, json=ASKED | change)).status_code == 422


async def test_a_worker_that_knows_of_no_ids_goes_on(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    values = {"tenant_id": tenant_id, "kind": "email", "value": "old@example.com", "status": "suppressed"}
    async with database.tenant(tenant_id) as connection:
        await connection.execute(
            text(
                "INSERT INTO suppression (tenant_id, kind, value, status, reason)"
                " VALUES (:tenant_id, :kind, :value, :status, 'stop_word')"
            ),
            values,
        )
    assert await listed(client) == ["old@example.com"]
