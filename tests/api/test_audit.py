"""The audit trail: every change is there, with who did it, and nothing that is secret."""

from datetime import datetime, timedelta
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from db.session import Database


async def test_every_change_of_a_recipient_is_written_down(client: httpx.AsyncClient) -> None:
    path = "/v1/recipients/asha"
    await client.put(path, json={"name": "Asha"})
    added = await client.post(f"{path}/addresses", json={"kind": "phone", "value": "+919876543210"})
    for step, body in (("verify", None), ("suppress", {"reason": "stop"}), ("restore", None)):
        await client.post(f"{added.headers['Location']}/{step}", json=body)
    await client.delete(added.headers["Location"])
    await client.delete(path)
    found = (await client.get("/v1/audit")).json()["data"]
    assert [entry["action"] for entry in reversed(found)] == [
        "recipient.created",
        "address.added",
        "address.verified",
        "address.suppressed",
        "address.restored",
        "address.removed",
        "recipient.deleted",
    ]
    assert all(entry["actor"].startswith("key:test key (") for entry in found)
    assert "9876543210" not in str(found)


async def test_a_refused_change_leaves_no_entry(client: httpx.AsyncClient) -> None:
    await client.put("/v1/recipients/asha", json={"name": ""})
    await client.delete("/v1/recipients/asha")
    await client.post("/v1/recipients/asha/addresses", json={"kind": "phone", "value": "+919876543210"})
    assert (await client.get("/v1/audit")).json()["data"] == []


async def test_entries_are_found_by_each_of_their_parts(client: httpx.AsyncClient) -> None:
    for name in ("one", "two"):
        await client.put(f"/v1/recipients/{name}", json={})
    await client.delete("/v1/recipients/one")
    newest = (await client.get("/v1/audit")).json()["data"][0]
    later = (datetime.fromisoformat(newest["created_at"]) + timedelta(seconds=1)).isoformat()
    for query, count in (
        ({"action": "recipient.created"}, 2),
        ({"subject_id": newest["subject_id"]}, 2),
        ({"actor": newest["actor"], "subject_type": "recipient"}, 3),
        ({"actor": "operator"}, 0),
        ({"since": newest["created_at"]}, 1),
        ({"until": newest["created_at"]}, 2),
        ({"since": later}, 0),
    ):
        found = (await client.get("/v1/audit", params=query)).json()["data"]
        assert len(found) == count, query


async def test_the_trail_is_read_page_by_page(client: httpx.AsyncClient) -> None:
    for number in range(5):
        await client.put(f"/v1/recipients/r{number}", json={})
    seen: list[str] = []
    url = "/v1/audit?limit=2&subject_type=recipient"
    while url:
        answer = await client.get(url)
        seen += [entry["detail"]["external_id"] for entry in answer.json()["data"]]
        url = answer.links.get("next", {}).get("url", "")
    assert seen == ["r4", "r3", "r2", "r1", "r0"]


@pytest.mark.parametrize("statement", ["UPDATE audit_entry SET actor = 'nobody'", "DELETE FROM audit_entry"])
async def test_nobody_rewrites_the_trail(database: Database, tenant_id: UUID, statement: str) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with database.tenant(tenant_id) as connection:
            await connection.execute(text(statement))
