"""Series over HTTP, as the database has them: started once for their key, found, steered, stopped."""

import asyncio
from collections import Counter
from typing import Any
from uuid import UUID

import httpx
import pytest

from db.session import Database
from tests.activities.series_clock import Clock
from tests.api import flowing, sending

INVOICE = """
name: reminder
steps:
- wait: {until: due_at, offset: -P7D}
  id: week_before
- {send: hello, id: soon}
- wait: {until: due_at}
  id: due
- {send: hello, id: today}
"""
DUE = "2027-06-20T09:00:00Z"


async def _look(database: Database, tenant_id: UUID, series_id: str) -> Clock:
    from datetime import UTC, datetime  # noqa: PLC0415 - the time of this look

    clock = Clock(database, tenant_id, UUID(series_id), now=datetime.now(UTC))
    await clock.look()
    return clock


async def test_a_series_starts_and_says_where_it_stands(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await sending.publish(client)
    await flowing.publish(client)
    answer = await client.post("/v1/series", json=flowing.BODY | {"resource": {"type": "order", "id": "1"}})
    assert answer.status_code == 201
    assert answer.json()["result"] == "started"
    location = answer.headers["Location"]
    await _look(database, tenant_id, answer.json()["id"])
    series = (await client.get(location)).json()
    assert (series["flow"], series["version"], series["key"]) == ("reminder", 1, "order-1")
    assert (series["status"], series["step"], series["awaits"]) == ("running", "a_day", ["event:order.paid"])
    assert series["next_at"] is not None
    assert series["outcomes"]["first"]["template_version"] == 1
    lines = (await client.get(f"{location}/timeline")).json()["data"]
    assert [line["kind"] for line in lines] == ["waiting", "sent", "started"]
    upcoming = (await client.get(f"{location}/upcoming")).json()["entries"]
    assert [(entry["kind"], entry["step"]) for entry in upcoming] == [
        ("wait", "a_day"), ("do", "second"), ("done", None),
    ]  # fmt: skip
    sent = (await client.get("/v1/notifications", params={"series_id": series["id"]})).json()["data"]
    assert [one["template"] for one in sent] == ["hello"]


@pytest.mark.parametrize(
    ("again", "results"),
    [
        (None, ["started", "reused", "started"]),
        ("reuse", ["started", "reused", "started"]),
        ("replace", ["started", "started", "started"]),
        ("ignore", ["started", "reused", "ignored"]),
    ],
)
async def test_a_second_start_of_its_key(client: httpx.AsyncClient, again: str | None, results: list[str]) -> None:
    await flowing.publish(client)
    body = flowing.BODY | ({"again": again} if again else {})
    first = (await client.post("/v1/series", json=body)).json()
    second = await client.post("/v1/series", json=body)
    await client.post("/v1/series/stop", json={"flow": "reminder", "key": "order-1"})
    third = (await client.post("/v1/series", json=body)).json()
    assert [first["result"], second.json()["result"], third["result"]] == results
    assert second.json()["replaced"] == (first["id"] if again == "replace" else None)
    if again == "replace":
        assert (await client.get(f"/v1/series/{first['id']}")).json()["reason"] == "replaced"


async def test_a_hundred_starts_of_one_key_at_once_begin_one_series(client: httpx.AsyncClient) -> None:
    await flowing.publish(client)
    answers = await asyncio.gather(*(client.post("/v1/series", json=flowing.BODY) for _ in range(100)))
    assert Counter(answer.json()["result"] for answer in answers) == {"started": 1, "reused": 99}
    assert len((await client.get("/v1/series")).json()["data"]) == 1


async def test_a_start_that_is_repeated_gets_the_first_answer(client: httpx.AsyncClient) -> None:
    await flowing.publish(client)
    named = {"Idempotency-Key": "start-1"}
    body = {name: value for name, value in flowing.BODY.items() if name != "key"}
    body["data"] = {**body["data"], "order": "1"}
    body["event"] = {"data": {"order": "7"}, "type": "order.placed"}
    first, again = [await client.post("/v1/series", json=body, headers=named) for _ in range(2)]
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    other = await client.post("/v1/series", json=body | {"data": {}}, headers=named)
    assert other.json()["type"].endswith("idempotency-mismatch")
    assert (await client.get(f"/v1/series/{first.json()['id']}")).json()["key"] == "7"


@pytest.mark.parametrize(
    ("changes", "status", "pointer"),
    [
        ({"flow": "none"}, 404, None),
        ({"to": {"recipient": "nobody"}}, 422, "/to/recipient"),
        ({"key": None}, 422, "/key"),
        ({"anchors": {"due_at": "tomorrow"}}, 422, "/anchors/due_at"),
    ],
    ids=["no such flow", "no such recipient", "a key that cannot be made", "a date that is none"],
)
async def test_a_start_that_cannot_be_is_refused(
    client: httpx.AsyncClient, changes: dict[str, Any], status: int, pointer: str | None
) -> None:
    await flowing.publish(client)
    answer = await client.post("/v1/series", json=flowing.BODY | changes)
    assert answer.status_code == status, answer.text
    if pointer:
        assert answer.json()["errors"][0]["pointer"] == pointer


async def test_a_flow_that_is_no_more_active_starts_nothing(client: httpx.AsyncClient) -> None:
    await flowing.push(client)
    assert (await client.post("/v1/series", json=flowing.BODY)).json()["state"] == "draft"
    await flowing.publish(client)
    await client.patch("/v1/flows/reminder", json={"status": "paused"})
    assert (await client.post("/v1/series", json=flowing.BODY)).json()["state"] == "paused"


async def test_dates_that_the_flow_counts_from_are_asked_for(client: httpx.AsyncClient) -> None:
    await flowing.publish(client, INVOICE)
    answer = await client.post("/v1/series", json=flowing.BODY)
    assert answer.json()["errors"] == [{"pointer": "/anchors/due_at", "detail": "the flow counts from 'due_at'"}]


async def test_moving_a_date_moves_the_next_instant(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await flowing.publish(client, INVOICE)
    made = await flowing.start(client, anchors={"due_at": DUE})
    await _look(database, tenant_id, made)
    assert (await client.get(f"/v1/series/{made}")).json()["next_at"] == "2027-06-13T09:00:00Z"
    changed = await client.patch(
        f"/v1/series/{made}", json={"anchors": {"due_at": "2027-07-20T09:00:00Z"}, "data": {"name": "Ravi"}}
    )
    assert changed.json()["anchors"] == {"due_at": "2027-07-20T09:00:00Z"}
    assert changed.json()["data"] == {"name": "Ravi"}
    await _look(database, tenant_id, made)
    assert (await client.get(f"/v1/series/{made}")).json()["next_at"] == "2027-07-13T09:00:00Z"
    strange = await client.patch(f"/v1/series/{made}", json={"anchors": {"other": DUE}})
    assert strange.json()["errors"][0]["pointer"] == "/anchors/other"
    found = (await client.get("/v1/series", params={"next_before": "2027-07-14T00:00:00Z"})).json()["data"]
    assert [one["id"] for one in found] == [made]


async def test_pause_resume_skip_and_again(client: httpx.AsyncClient, database: Database, tenant_id: UUID) -> None:
    await sending.publish(client)
    await flowing.publish(client)
    made = await flowing.start(client)
    await _look(database, tenant_id, made)

    async def post(action: str, **body: Any) -> dict[str, Any]:
        answer = await client.post(f"/v1/series/{made}/{action}", json=body or None)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    assert (await post("pause"))["status"] == "paused"
    assert (await post("pause"))["status"] == "paused"
    assert (await post("resume"))["status"] == "running"
    assert (await post("skip"))["step"] == "second"
    assert (await post("run-again", step="a_day"))["step"] == "a_day"
    assert (await client.post(f"/v1/series/{made}/run-again", json={"step": "none"})).status_code == 422
    clock = await _look(database, tenant_id, made)
    assert clock.pause.until is not None
    kinds = [line["kind"] for line in (await client.get(f"/v1/series/{made}/timeline")).json()["data"]]
    assert kinds == ["waiting", "taken_again", "skipped", "resumed", "paused", "waiting", "sent", "started"]
    assert (await client.post(f"/v1/series/{made}/stop")).json()["result"] == "stopped"
    for action in ("pause", "resume", "skip"):
        refused = await client.post(f"/v1/series/{made}/{action}")
        assert (refused.status_code, refused.json()["state"]) == (409, "stopped")


async def test_a_step_is_steered_only_while_it_is_the_one_that_was_read(client: httpx.AsyncClient) -> None:
    await flowing.publish(client)
    made = await flowing.start(client)
    path = f"/v1/series/{made}"
    read = {"If-Match": (await client.get(path)).headers["etag"]}
    assert (await client.post(f"{path}/run-again", json={"step": "a_day"}, headers=read)).status_code == 200
    for action, body in (("skip", {}), ("run-again", {"step": "first"})):
        refused = await client.post(f"{path}/{action}", json=body, headers=read)
        assert refused.status_code == 412
    assert (await client.get(path)).json()["step"] == "a_day"
    read = {"If-Match": (await client.get(path)).headers["etag"]}
    assert (await client.post(f"{path}/skip", headers=read)).json()["step"] == "second"


async def test_stopping_takes_back_what_was_not_sent_yet(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await sending.publish(client)
    await flowing.publish(client)
    made = await flowing.start(client)
    clock = await _look(database, tenant_id, made)
    (message,) = await clock.sent()
    stopped = (await client.post(f"/v1/series/{made}/stop", json={"reason": "they paid"})).json()
    assert stopped == {"result": "stopped", "id": made, "cancelled": [str(message["id"])], "under_way": []}
    again = (await client.post(f"/v1/series/{made}/stop")).json()
    assert again["result"] == "ended"
    assert (await client.get(f"/v1/notifications/{message['id']}")).json()["status"] == "cancelled"
    series = (await client.get(f"/v1/series/{made}")).json()
    assert (series["status"], series["reason"], series["detail"]) == ("stopped", "stopped", "they paid")
    assert clock.pause.ended is None
    assert (await clock.look()).ended == "stopped"


async def test_a_stop_that_comes_first_keeps_its_key_from_beginning(client: httpx.AsyncClient) -> None:
    await flowing.publish(client)
    stop = {"flow": "reminder", "key": "order-1", "reason": "cancelled in the shop"}
    for _ in range(2):
        assert (await client.post("/v1/series/stop", json=stop)).json()["result"] == "stopped_before_start"
    started = await client.post("/v1/series", json=flowing.BODY)
    assert (started.status_code, started.json()) == (
        200, {"result": "stopped_before_start", "id": None, "replaced": None},
    )  # fmt: skip
    assert (await client.post("/v1/series", json=flowing.BODY | {"key": "order-2"})).status_code == 201


async def test_starts_and_stops_of_one_key_in_any_order_leave_nothing_running(client: httpx.AsyncClient) -> None:
    await flowing.publish(client)

    async def pair(number: int) -> list[str]:
        key = f"order-{number}"
        asked = [
            client.post("/v1/series", json=flowing.BODY | {"key": key}),
            client.post("/v1/series/stop", json={"flow": "reminder", "key": key}),
        ]
        answers = await asyncio.gather(*(asked if number % 2 else reversed(asked)))
        return [answer.json()["result"] for answer in answers]

    results = await asyncio.gather(*(pair(number) for number in range(50)))
    assert {frozenset(one) for one in results} <= {
        frozenset({"started", "stopped"}), frozenset({"stopped_before_start"}),
    }  # fmt: skip
    assert (await client.get("/v1/series", params={"status": "running"})).json()["data"] == []


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        ({"flow": "reminder"}, 2), ({"flow": "none"}, 0), ({"key": "order-1"}, 1), ({"status": "parked"}, 0),
        ({"to": "+919876543210"}, 2), ({"version": 1}, 2), ({"resource_id": "x"}, 0), ({"cause": "stopped"}, 0),
    ],
    ids=str,
)  # fmt: skip
async def test_series_are_found_by_what_they_are(client: httpx.AsyncClient, wanted: dict[str, Any], count: int) -> None:
    await flowing.publish(client)
    for number in (1, 2):
        await flowing.start(client, key=f"order-{number}")
    assert len((await client.get("/v1/series", params=wanted)).json()["data"]) == count


async def test_a_recipient_that_is_deleted_leaves_its_series(client: httpx.AsyncClient) -> None:
    await client.put("/v1/recipients/asha", json={"addresses": [{"kind": "phone", "value": "+919876543210"}]})
    await flowing.publish(client)
    made = await flowing.start(client, to={"recipient": "asha"})
    assert (await client.delete("/v1/recipients/asha")).status_code == 204
    assert (await client.get(f"/v1/series/{made}")).json()["to"] == "asha"


async def test_one_that_is_not_there_is_not_found(client: httpx.AsyncClient) -> None:
    for path in ("", "/timeline", "/upcoming"):
        assert (await client.get(f"/v1/series/{UUID(int=7)}{path}")).status_code == 404
    assert (await client.post(f"/v1/series/{UUID(int=7)}/stop")).status_code == 404
