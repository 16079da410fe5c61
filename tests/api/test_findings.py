"""Findings as a tenant reads them."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import pytest
from sqlalchemy import update

from db import findings
from db.care_tables import finding
from db.findings import NewFinding
from db.session import Database
from domain.findings import SENTENCES, Kind, Repair
from tests.api import sending

LOST = NewFinding(
    kind=Kind.WORKFLOW_LOST, subject_type="notification", subject_id="n1", repair=Repair.STARTED, detail={"a": "b"}
)
UNMATCHED = NewFinding(kind=Kind.RECEIPT_UNMATCHED, subject_type="provider_message", subject_id="wamid.1")


@pytest.fixture
async def found(database: Database, tenant_id: UUID) -> None:
    for item in (LOST, UNMATCHED):
        async with database.tenant(tenant_id) as connection:
            await findings.record(connection, tenant_id, [item])


async def listed(client: httpx.AsyncClient, **query: str) -> list[str]:
    answer = await client.get("/v1/findings", params=query)
    assert answer.status_code == 200, answer.text
    return [item["subject_id"] for item in answer.json()["data"]]


@pytest.mark.usefixtures("found")
async def test_a_finding_says_what_was_wrong_and_what_was_done(client: httpx.AsyncClient) -> None:
    (item,) = (await client.get("/v1/findings", params={"kind": "workflow_lost"})).json()["data"]
    assert item["sentence"] == SENTENCES[Kind.WORKFLOW_LOST]
    assert (item["subject_type"], item["subject_id"]) == ("notification", "n1")
    assert (item["state"], item["repair"], item["times"]) == ("repaired", "started", 1)
    assert item["detail"] == {"a": "b"}
    assert item["repaired_at"] is not None


@pytest.mark.usefixtures("found")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["wamid.1", "n1"]),
        ({"kind": "receipt_unmatched"}, ["wamid.1"]),
        ({"state": "open"}, ["wamid.1"]),
        ({"state": "repaired"}, ["n1"]),
        ({"subject_type": "notification"}, ["n1"]),
        ({"subject_id": "wamid.1"}, ["wamid.1"]),
        ({"subject_id": "wamid"}, []),
    ],
    ids=["all", "kind", "open", "repaired", "type of subject", "subject", "part of a subject"],
)
async def test_findings_are_found_by_each_of_their_parts(
    client: httpx.AsyncClient, query: dict[str, str], expected: list[str]
) -> None:
    assert await listed(client, **query) == expected


@pytest.mark.usefixtures("found")
async def test_since_asks_when_something_was_found_the_last_time(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    now = datetime.now(UTC)
    async with database.tenant(tenant_id) as connection:
        old = update(finding).where(finding.c.subject_id == "n1")
        await connection.execute(old.values(found_at=now - timedelta(days=3), last_found_at=now - timedelta(days=2)))
    assert await listed(client, since=(now - timedelta(days=1)).isoformat()) == ["wamid.1"]
    async with database.tenant(tenant_id) as connection:
        await findings.record(connection, tenant_id, [LOST])
    assert set(await listed(client, since=(now - timedelta(days=1)).isoformat())) == {"n1", "wamid.1"}


@pytest.mark.usefixtures("found")
async def test_what_comes_again_is_counted_and_takes_the_state_of_now(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    again = NewFinding(kind=Kind.WORKFLOW_LOST, subject_type="notification", subject_id="n1")
    async with database.tenant(tenant_id) as connection:
        await findings.record(connection, tenant_id, [again])
    (item,) = (await client.get("/v1/findings", params={"subject_id": "n1"})).json()["data"]
    assert (item["times"], item["state"], item["repair"], item["repaired_at"]) == (2, "open", None, None)


@pytest.mark.usefixtures("found")
async def test_findings_come_page_by_page(client: httpx.AsyncClient) -> None:
    first = (await client.get("/v1/findings", params={"limit": "1"})).json()
    second = (await client.get("/v1/findings", params={"limit": "1", "cursor": first["next_cursor"]})).json()
    assert [page["data"][0]["subject_id"] for page in (first, second)] == ["wamid.1", "n1"]
    assert second["next_cursor"] is None


async def test_an_unknown_kind_is_refused(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/findings", params={"kind": "nonsense"})).status_code == 422


async def test_the_timeline_of_a_notification_tells_what_was_found_about_it(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await sending.publish(client)
    made, other = await sending.send(client), await sending.send(client)
    async with database.tenant(tenant_id) as connection:
        for repair in (None, Repair.STARTED):
            found = NewFinding(
                kind=Kind.WORKFLOW_LOST, subject_type="notification", subject_id=str(made), repair=repair
            )
            await findings.record(connection, tenant_id, [found])
    entries = (await client.get(f"/v1/notifications/{made}/timeline")).json()["entries"]
    (entry,) = [entry for entry in entries if entry["kind"] == "finding.workflow_lost"]
    assert entry["detail"] == {"repair": "started", "times": 2}
    assert entry["summary"] == f"{SENTENCES[Kind.WORKFLOW_LOST]} Repair: started."
    others = (await client.get(f"/v1/notifications/{other}/timeline")).json()["entries"]
    assert [entry["kind"] for entry in others] == ["notification.accepted"]
