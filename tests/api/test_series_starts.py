"""A request to start a series that is repeated with its key: it gets the first answer, whatever that was."""

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
from sqlalchemy import delete, func, select

from db.series_tables import series, series_tombstone
from db.session import Database
from tests.api import flowing

NAMED = {"Idempotency-Key": "start-1"}


async def ask(client: httpx.AsyncClient, headers: dict[str, str] = NAMED, **changes: Any) -> httpx.Response:
    return await client.post("/v1/series", json=flowing.BODY | changes, headers=headers)


async def stop(client: httpx.AsyncClient, series_id: str) -> None:
    assert (await client.post(f"/v1/series/{series_id}/stop")).is_success


async def began(database: Database, tenant_id: UUID) -> int:
    async with database.tenant(tenant_id) as connection:
        count: int = (await connection.execute(select(func.count()).select_from(series))).scalar_one()
        return count


def is_replayed(answer: httpx.Response, first: httpx.Response) -> bool:
    assert answer.status_code == 200, answer.text
    assert answer.json() == first.json()
    return bool(answer.headers.get("Idempotency-Replayed") == "true")


async def test_a_start_is_answered_the_same_also_when_its_series_is_over(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await flowing.publish(client)
    first = await ask(client)
    assert (first.status_code, first.json()["result"]) == (201, "started")
    assert "Idempotency-Replayed" not in first.headers
    await stop(client, first.json()["id"])
    again = await ask(client)
    assert is_replayed(again, first)
    assert again.headers["Location"] == first.headers["Location"]
    assert await began(database, tenant_id) == 1


async def test_one_that_was_reused_begins_nothing_when_it_is_repeated_later(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await flowing.publish(client)
    running = await flowing.start(client)
    first = await ask(client)
    assert first.json() == {"result": "reused", "id": running, "replaced": None}
    await stop(client, running)
    assert is_replayed(await ask(client), first)
    assert await began(database, tenant_id) == 1


async def test_one_that_replaced_replaces_nothing_when_it_is_repeated(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await flowing.publish(client)
    running = await flowing.start(client)
    first = await ask(client, again="replace")
    assert (first.json()["result"], first.json()["replaced"]) == ("started", running)
    third = await ask(client, {}, again="replace")
    assert third.json()["replaced"] == first.json()["id"]
    assert is_replayed(await ask(client, again="replace"), first)
    assert (await client.get(f"/v1/series/{third.json()['id']}")).json()["status"] == "running"
    assert await began(database, tenant_id) == 3


async def test_one_that_was_ignored_stays_ignored(client: httpx.AsyncClient) -> None:
    await flowing.publish(client)
    over = await flowing.start(client)
    await stop(client, over)
    first = await ask(client, again="ignore")
    assert first.json() == {"result": "ignored", "id": over, "replaced": None}
    assert await flowing.start(client) != over
    assert is_replayed(await ask(client, again="ignore"), first)


async def test_one_that_a_stop_came_before_stays_unstarted(client: httpx.AsyncClient, database: Database) -> None:
    await flowing.publish(client)
    buried = await client.post("/v1/series/stop", json={"flow": "reminder", "key": "order-1"})
    assert buried.json()["result"] == "stopped_before_start"
    first = await ask(client)
    assert first.json() == {"result": "stopped_before_start", "id": None, "replaced": None}
    async with database.system() as connection:  # its week is over
        await connection.execute(delete(series_tombstone))
    assert is_replayed(await ask(client), first)
    assert (await ask(client, {"Idempotency-Key": "start-2"})).status_code == 201


async def test_the_answer_holds_while_the_flow_is_paused(client: httpx.AsyncClient) -> None:
    await flowing.publish(client)
    first = await ask(client)
    await client.patch("/v1/flows/reminder", json={"status": "paused"})
    assert is_replayed(await ask(client), first)
    assert (await ask(client, {})).status_code == 409


@pytest.mark.parametrize("again", ["reuse", "replace", "ignore"])
async def test_another_start_with_the_key_is_refused_whatever_the_first_came_to(
    client: httpx.AsyncClient, again: str
) -> None:
    await flowing.publish(client)
    await flowing.start(client)
    assert (await ask(client, again=again)).is_success
    other = await ask(client, again=again, data={"name": "Ravi"})
    assert (other.status_code, other.json()["type"].rpartition(":")[2]) == (422, "idempotency-mismatch")


async def test_a_refusal_is_not_kept(client: httpx.AsyncClient) -> None:
    await flowing.publish(client)
    assert (await ask(client, to={"recipient": "nobody"})).status_code == 422
    assert (await ask(client)).status_code == 201


async def test_a_key_belongs_to_its_tenant(client: httpx.AsyncClient, other_client: httpx.AsyncClient) -> None:
    for one in (client, other_client):
        await flowing.publish(one)
        assert (await ask(one)).status_code == 201


async def test_many_at_once_replace_once(client: httpx.AsyncClient, database: Database, tenant_id: UUID) -> None:
    await flowing.publish(client)
    running = await flowing.start(client)
    answers = await asyncio.gather(*(ask(client, again="replace") for _ in range(12)))
    assert sorted(answer.status_code for answer in answers) == [*[200] * 11, 201]
    assert {(answer.json()["result"], answer.json()["replaced"]) for answer in answers} == {("started", running)}
    assert await began(database, tenant_id) == 2


async def test_what_began_before_answers_were_kept_is_told_by_its_series(client: httpx.AsyncClient, dsn: str) -> None:
    await flowing.publish(client)
    first = await ask(client)
    connection = await asyncpg.connect(dsn)
    try:
        assert await connection.execute("DELETE FROM series_start") == "DELETE 1"
    finally:
        await connection.close()
    assert is_replayed(await ask(client), first)
    assert (await ask(client, data={})).status_code == 422
