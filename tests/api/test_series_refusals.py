"""Every word that one series may be told, told to many; those that cannot are listed with the reason."""

from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import insert, select

from activities.operations import Operations
from db import operation_series
from db.care_tables import operation
from db.care_tables import operation_series as members
from db.series_tables import series
from db.session import Database
from domain.operations import OperationInput
from tests import factories
from tests.activities.series_clock import Clock
from tests.api import flowing, sending
from tests.api.conftest import KeyFactory
from tests.api.test_series_operations import carry_out, operate, statuses

DUE = """
name: due
steps:
- {wait: {until: due_at}, id: until_due}
- {send: hello, id: told}
- {wait: P9D, id: after}
"""
AT = "2027-06-20T09:00:00Z"


@pytest.fixture
async def three(client: httpx.AsyncClient, database: Database, tenant_id: UUID) -> list[str]:
    """Two series that wait for a date, and one of another flow that has none."""
    await sending.publish(client)
    await flowing.publish(client)
    await flowing.publish(client, DUE, "due")
    made = [await flowing.start(client, flow="due", key=f"k{one}", anchors={"due_at": AT}) for one in range(2)]
    made.append(await flowing.start(client, key="other"))
    for one in made:
        await Clock(database, tenant_id, UUID(one)).look()
    return made


async def became(client: httpx.AsyncClient, operation: dict[str, Any], **query: Any) -> dict[str, str | None]:
    """Returns the series of an operation with why each was refused, the one that began first at first."""
    answer = await client.get(f"/v1/operations/{operation['id']}/series", params=query)
    assert answer.status_code == 200, answer.text
    return {row["id"]: row["reason"] or row["state"] for row in reversed(answer.json()["data"])}


async def test_dates_are_shifted_where_there_are_any(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID, three: list[str]
) -> None:
    moved = await operate(client, kind="move", anchors={"due_at": {"shift": "+2d"}}, reason="a holiday")
    assert moved["order"] == {"anchors": {"due_at": {"shift": "+2d"}}}
    assert await became(client, moved) == dict.fromkeys(three, "open")
    assert await carry_out(database, tenant_id, moved) == 2
    shown = (await client.get(f"/v1/operations/{moved['id']}")).json()
    assert (shown["state"], shown["total"], shown["done"], shown["refused"]) == ("done", 3, 2, 1)
    assert await became(client, moved) == {three[0]: "done", three[1]: "done", three[2]: "no_such_date"}
    assert await became(client, moved, state="refused") == {three[2]: "no_such_date"}
    assert await became(client, moved, reason="over") == {}
    clock = Clock(database, tenant_id, UUID(three[0]))
    await clock.look()
    assert str((await clock.row()).next_at) == "2027-06-22 09:00:00+00:00"
    line = (await client.get(f"/v1/series/{three[0]}/timeline")).json()["data"][1]
    assert (line["kind"], line["detail"]["reason"]) == ("changed", "a holiday")


async def test_dates_are_set_for_all(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID, three: list[str]
) -> None:
    at = "2027-07-01T09:00:00Z"
    moved = await operate(client, kind="move", anchors={"due_at": at}, filter={"flow": "due"})
    assert await carry_out(database, tenant_id, moved) == 2
    assert [(await client.get(f"/v1/series/{one}")).json()["anchors"]["due_at"] for one in three[:2]] == [at] * 2


async def test_what_they_wait_for_is_skipped_and_taken_again(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID, three: list[str]
) -> None:
    clock = Clock(database, tenant_id, UUID(three[1]))
    skipped = await operate(client, kind="skip", filter={"step": "until_due"})
    assert await carry_out(database, tenant_id, skipped) == 2
    await clock.look()
    assert [line[1:] for line in await clock.transcript()][-3:] == [
        ("skipped", "until_due"), ("sent", "told"), ("waiting", "after"),
    ]  # fmt: skip
    again = await operate(client, kind="run_again", step="told")
    assert again["order"] == {"step": "told"}
    assert await carry_out(database, tenant_id, again) == 2
    assert await became(client, again, state="refused") == {three[2]: "no_such_step"}
    await clock.look()
    assert len(await clock.transcript("sent")) == 2


async def test_who_comes_to_the_step_later_is_left_alone_and_who_left_it_is_told(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID, three: list[str]
) -> None:
    late = await flowing.start(client, flow="due", key="k9", anchors={"due_at": AT})
    await client.post(f"/v1/series/{three[0]}/skip")
    gone = Clock(database, tenant_id, UUID(three[0]))
    await gone.look()
    stopped = await operate(client, kind="pause", filter={"step": "until_due"})
    assert list(await became(client, stopped)) == [three[1]]
    await Clock(database, tenant_id, UUID(late)).look()  # now it stands at the step, too
    await client.post(f"/v1/series/{three[1]}/skip")  # and the one that was counted has moved on
    assert await carry_out(database, tenant_id, stopped) == 0
    assert await became(client, stopped) == {three[1]: "moved_on"}
    assert await statuses(client, [*three, late]) == ["running"] * 4


async def test_who_is_over_when_its_turn_comes_is_told(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID, three: list[str]
) -> None:
    paused = await operate(client, kind="pause", filter={"flow": "due"}, rate=1)
    await client.post(f"/v1/series/{three[1]}/stop")
    assert await carry_out(database, tenant_id, paused) == 1
    assert await became(client, paused) == {three[0]: "done", three[1]: "over"}
    page = (await client.get(f"/v1/operations/{paused['id']}/series", params={"limit": 1})).json()
    assert page["data"][0]["sentence"] == "It was over when its turn came."
    following = {"limit": 1, "cursor": page["next_cursor"]}
    rest = (await client.get(f"/v1/operations/{paused['id']}/series", params=following)).json()
    assert ([row["id"] for row in rest["data"]], rest["next_cursor"]) == ([three[0]], None)


async def test_a_step_whose_answer_got_lost_takes_nobody_twice(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID, three: list[str]
) -> None:
    again = await operate(client, kind="run_again", step="until_due", filter={"flow": "due"}, rate=1)
    order = OperationInput(tenant_id=str(tenant_id), operation_id=again["id"])
    for _ in range(5):
        await Operations(database).step(order)
    clock = Clock(database, tenant_id, UUID(three[0]))
    assert [kind for _, kind, _ in await clock.transcript("taken_again")] == ["taken_again"]


@pytest.mark.parametrize(("at_once", "batch"), [(1, 1), (2, 2), (2, 1), (3, 2)])
async def test_more_than_one_batch_may_hold_are_kept_and_taken_once_each(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID, three: list[str], at_once: int, batch: int
) -> None:
    fields = {"subject": "series", "kind": "pause", "rate": 1, "total": 3, "actor": "key:test"}
    made = await factories.insert(database, tenant_id, operation, **fields)
    meant = select(series.c.id).where(series.c.tenant_id == tenant_id)
    async with database.tenant(tenant_id) as connection:
        kept = await operation_series.keep(connection, tenant_id, made, meant, at_once=at_once, batch=batch)
        ids = await operation_series.following(connection, tenant_id, made, after=None, limit=2)
        rest = await operation_series.following(connection, tenant_id, made, after=ids[-1], limit=2)
    assert (kept, [str(one) for one in (*ids, *rest)]) == (3, three)
    shown = {"id": str(made)}
    assert list(await became(client, shown)) == three
    order = OperationInput(tenant_id=str(tenant_id), operation_id=str(made))
    for number in range(1, 4):
        await Operations(database).step(order)
        assert await became(client, shown) == dict(zip(three, ["done"] * number + ["open"] * (3 - number), strict=True))


async def test_one_that_a_version_before_kept_by_rows_is_carried_out(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID, three: list[str]
) -> None:
    fields = {"subject": "series", "kind": "pause", "rate": 1, "total": 3, "actor": "key:test"}
    made = await factories.insert(database, tenant_id, operation, **fields)
    rows = [{"tenant_id": tenant_id, "operation_id": made, "series_id": UUID(one)} for one in three]
    async with database.tenant(tenant_id) as connection:
        await connection.execute(insert(members), rows)
    order = OperationInput(tenant_id=str(tenant_id), operation_id=str(made))
    await Operations(database).step(order)
    assert list((await became(client, {"id": str(made)})).values()) == ["done", "open", "open"]
    while not (await Operations(database).step(order)).state.is_over:
        pass
    assert set((await became(client, {"id": str(made)})).values()) == {"done"}


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({"kind": "run_again"}, ["/step"]),
        ({"kind": "skip", "step": "told"}, ["/step"]),
        ({"kind": "move"}, ["/anchors"]),
        ({"kind": "pause", "anchors": {"due_at": {"shift": "+2d"}}}, ["/anchors"]),
    ],
)
async def test_an_order_that_is_not_whole_is_refused_before_it_counts(
    client: httpx.AsyncClient, body: dict[str, Any], pointers: list[str]
) -> None:
    answer = await client.post("/v1/series/operations", params={"dry_run": "true"}, json=body)
    assert (answer.status_code, [one["pointer"] for one in answer.json()["errors"]]) == (422, pointers)


async def test_whoever_may_create_it_may_follow_and_stop_it(
    client: httpx.AsyncClient, open_client: Any, make_key: KeyFactory, tenant_id: UUID, three: list[str]
) -> None:
    made = await operate(client, kind="pause")
    path = f"/v1/operations/{made['id']}"
    mailer = open_client(await make_key(tenant_id, scopes=["notifications:send", "notifications:read"]))
    steerer = open_client(await make_key(tenant_id, scopes=["series:write", "series:read"]))
    refused = [await mailer.get(path), await mailer.post(f"{path}/stop"), await steerer.get("/v1/operations")]
    assert [answer.json().get("required_scope") for answer in refused] == [
        "series:read", "series:write", "notifications:read",
    ]  # fmt: skip
    assert (await mailer.get("/v1/operations")).json()["data"] == []
    listed = (await steerer.get("/v1/operations", params={"subject": "series"})).json()["data"]
    assert [one["id"] for one in listed] == [made["id"]]
    assert (await steerer.get(path)).json()["state"] == "pending"
    assert (await steerer.post(f"{path}/stop")).json()["state"] == "stopped"


async def test_operations_are_found_by_kind_and_state(client: httpx.AsyncClient, three: list[str]) -> None:
    kept, other = await operate(client, kind="pause"), await operate(client, kind="skip")
    for query, found in (({"kind": "pause"}, [kept]), ({"state": "pending"}, [other, kept]), ({"state": "done"}, [])):
        rows = (await client.get("/v1/operations", params=query)).json()["data"]
        assert [row["id"] for row in rows] == [one["id"] for one in found]
