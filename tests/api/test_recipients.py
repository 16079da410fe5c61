"""Recipients and their addresses."""

from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import insert, select

from db.delivery_tables import notification
from db.session import Database
from db.tables import template, template_version

ASHA = {
    "name": "Asha",
    "locale": "hi_in",
    "zone": "Asia/Kolkata",
    "attributes": {"tier": "gold", "rate": 1.5},
    "addresses": [
        {"kind": "phone", "value": "+91 98765 43210"},
        {"kind": "email", "value": "Asha@Example.ORG", "verified": True},
    ],
}


async def _put(client: httpx.AsyncClient, body: dict[str, Any] | None = None, name: str = "asha") -> dict[str, Any]:
    answer = await client.put(f"/v1/recipients/{name}", json=ASHA if body is None else body)
    assert answer.status_code in {200, 201}, answer.text
    put: dict[str, Any] = answer.json()
    return put


async def test_a_recipient_is_created_and_read_in_normal_form(client: httpx.AsyncClient) -> None:
    answer = await client.put("/v1/recipients/asha", json=ASHA)
    assert (answer.status_code, answer.headers["Location"]) == (201, "/v1/recipients/asha")
    found = (await client.get("/v1/recipients/asha")).json()
    assert found == answer.json()
    assert (found["locale"], found["zone"], found["attributes"]) == ("hi-IN", "Asia/Kolkata", ASHA["attributes"])
    assert [(one["kind"], one["value"], one["verified"]) for one in found["addresses"]] == [
        ("phone", "+919876543210", False),
        ("email", "Asha@example.org", True),
    ]


async def test_the_same_body_again_changes_nothing(client: httpx.AsyncClient) -> None:
    first = await client.put("/v1/recipients/asha", json=ASHA)
    second = await client.put("/v1/recipients/asha", json=ASHA)
    assert (second.status_code, second.json()) == (200, first.json())
    entries = (await client.get("/v1/audit?subject_type=recipient")).json()["data"]
    assert [entry["action"] for entry in entries] == ["recipient.created"]


async def test_a_replacement_clears_what_it_leaves_out_but_keeps_addresses(client: httpx.AsyncClient) -> None:
    before = await _put(client)
    after = await _put(client, {"name": "Asha R."})
    assert (after["name"], after["locale"], after["zone"], after["attributes"]) == ("Asha R.", None, None, {})
    assert after["addresses"] == before["addresses"]


async def test_a_suppressed_address_stays_suppressed_when_the_profile_is_replaced(client: httpx.AsyncClient) -> None:
    phone = (await _put(client))["addresses"][0]
    path = f"/v1/recipients/asha/addresses/{phone['id']}"
    answer = await client.post(f"{path}/suppress", json={"reason": "asked to stop"})
    assert (answer.json()["status"], answer.json()["status_reason"]) == ("suppressed", "asked to stop")
    swapped = await _put(client, ASHA | {"addresses": ASHA["addresses"][::-1]})  # type: ignore[index]  # a list, by construction
    assert [(one["kind"], one["status"]) for one in swapped["addresses"]] == [
        ("email", "active"),
        ("phone", "suppressed"),
    ]
    restored = (await client.post(f"{path}/restore")).json()
    assert (restored["status"], restored["status_reason"]) == ("active", None)


async def test_addresses_that_a_replacement_omits_are_removed(client: httpx.AsyncClient) -> None:
    await _put(client)
    after = await _put(client, {"addresses": [{"kind": "whatsapp_user", "value": "IN.1349120"}]})
    assert [(one["kind"], one["value"]) for one in after["addresses"]] == [("whatsapp_user", "IN.1349120")]


async def test_addresses_are_added_once_and_removed(client: httpx.AsyncClient) -> None:
    await _put(client, {})
    body = {"kind": "phone", "value": "+14155550123"}
    first = await client.post("/v1/recipients/asha/addresses", json=body)
    again = await client.post("/v1/recipients/asha/addresses", json=body | {"value": "+1 (415) 555-0123"})
    assert (first.status_code, again.status_code, first.json()) == (201, 200, again.json())
    assert (await client.post(f"{first.headers['Location']}/verify")).json()["verified"] is True
    assert (await client.delete(first.headers["Location"])).status_code == 204
    assert (await client.delete(first.headers["Location"])).status_code == 404
    assert (await client.get("/v1/recipients/asha")).json()["addresses"] == []


async def test_a_recipient_has_at_most_twenty_addresses(client: httpx.AsyncClient) -> None:
    many = [{"kind": "whatsapp_user", "value": f"IN.{number}"} for number in range(20)]
    await _put(client, {"addresses": many})
    answer = await client.post("/v1/recipients/asha/addresses", json={"kind": "whatsapp_user", "value": "IN.20"})
    assert answer.status_code == 409
    answer = await client.put("/v1/recipients/asha", json={"addresses": [*many, many[0]]})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/addresses")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"zone": "Mars/Olympus"}, "/zone"),
        ({"zone": "../etc/passwd"}, "/zone"),
        ({"locale": "not a tag"}, "/locale"),
        ({"name": ""}, "/name"),
        ({"nickname": "x"}, "/nickname"),
        ({"addresses": [{"kind": "phone", "value": "12"}]}, "/addresses/0/value"),
        ({"addresses": [{"kind": "email", "value": "nobody"}]}, "/addresses/0/value"),
        ({"addresses": [{"kind": "fax", "value": "1"}]}, "/addresses/0/kind"),
        ({"addresses": [{"kind": "phone", "value": "+14155550123", "verified": 1}]}, "/addresses/0/verified"),
        ([], ""),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_what_cannot_be_right_is_refused_with_its_place(
    client: httpx.AsyncClient, body: object, pointer: str
) -> None:
    answer = await client.put("/v1/recipients/asha", json=body)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_a_refused_address_is_not_repeated_in_the_answer(client: httpx.AsyncClient) -> None:
    body = {"addresses": [{"kind": "email", "value": "secret-person@@example"}]}
    assert "secret-person" not in (await client.put("/v1/recipients/asha", json=body)).text


async def test_recipients_are_found_by_any_spelling_of_an_address(client: httpx.AsyncClient) -> None:
    await _put(client)
    await _put(client, {"name": "somebody else"}, name="other")
    for address in ("+91 98765 43210", "+919876543210", "Asha@EXAMPLE.org"):
        found = (await client.get("/v1/recipients", params={"address": address})).json()["data"]
        assert [one["external_id"] for one in found] == ["asha"]
    found = (await client.get("/v1/recipients", params={"external_id": "other"})).json()["data"]
    assert [one["external_id"] for one in found] == ["other"]
    assert (await client.get("/v1/recipients", params={"address": "+14155550199"})).json()["data"] == []


async def test_two_editors_do_not_undo_each_other_unseen(client: httpx.AsyncClient) -> None:
    await _put(client)
    version = (await client.get("/v1/recipients/asha")).headers["ETag"]
    await _put(client, {"name": "changed meanwhile"})
    late = await client.put("/v1/recipients/asha", json=ASHA, headers={"If-Match": version})
    assert (late.status_code, late.json()["type"]) == (412, "urn:carillon:problem:precondition-failed")
    version = (await client.get("/v1/recipients/asha")).headers["ETag"]
    assert (await client.put("/v1/recipients/asha", json=ASHA, headers={"If-Match": version})).status_code == 200


async def test_a_new_address_makes_a_new_version(client: httpx.AsyncClient) -> None:
    await _put(client)
    before = (await client.get("/v1/recipients/asha")).headers["ETag"]
    await client.post("/v1/recipients/asha/addresses", json={"kind": "phone", "value": "+14155550123"})
    assert (await client.get("/v1/recipients/asha")).headers["ETag"] != before


async def test_creation_alone_can_be_asked_for(client: httpx.AsyncClient) -> None:
    for status in (201, 412):
        answer = await client.put("/v1/recipients/asha", json=ASHA, headers={"If-None-Match": "*"})
        assert answer.status_code == status


async def test_a_deleted_recipient_leaves_the_ledger_standing(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    recipient_id = UUID((await _put(client))["id"])
    notified = await _notify(database, tenant_id, recipient_id)
    assert (await client.delete("/v1/recipients/asha")).status_code == 204
    assert (await client.get("/v1/recipients/asha")).status_code == 404
    async with database.tenant(tenant_id) as connection:
        query = select(notification.c.receiver_id).where(notification.c.id == notified)
        assert (await connection.execute(query)).all() == [(None,)]


async def _notify(database: Database, tenant_id: UUID, recipient_id: UUID) -> UUID:
    own = {"tenant_id": tenant_id, "id": recipient_id}
    version = {"template_id": recipient_id, "number": 1, "content_hash": "x"}
    sent = {"to": "asha", "to_kind": "recipient", "template": "t", "template_version_id": recipient_id}
    keyed = {"idempotency_key": "k", "request_hash": b"h", "receiver_id": recipient_id}
    async with database.tenant(tenant_id) as connection:
        await connection.execute(insert(template).values(**own, name="t", channels=["email"]))
        await connection.execute(insert(template_version).values(**own, **version))
        await connection.execute(insert(notification).values(**own, **sent, **keyed))
    return recipient_id
