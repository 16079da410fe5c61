"""What starts by events: for whom, and once for however many come at once."""

from datetime import UTC, datetime
from uuid import UUID

import httpx

from db.session import Database
from tests.activities.series_clock import Clock
from tests.api import flowing, sending


async def test_a_thousand_events_of_one_instant_are_one_digest(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    text = """
name: digest
on: comment.created
to: {phone: event.data.phone}
key: event.data.thread
steps:
- {digest: comment.created, window: PT10M, most: 5000, id: comments}
- {send: hello, data: {name: string(outcomes.comments.count)}}
"""
    await sending.publish(client)
    await flowing.publish(client, text, "digest")
    data, at = {"phone": "+919876543210", "thread": "t", "name": "x"}, "2026-06-01T04:30:00.001Z"
    told = await flowing.tell(client, *(flowing.event("comment.created", data=data, time=at) for _ in range(1000)))
    series_id = next(one["series_id"] for effects in told for one in effects["effects"] if one["result"] == "started")
    clock = Clock(database, tenant_id, UUID(series_id), now=datetime.now(UTC))
    assert (await clock.until()).ended == "completed"
    (sent,) = await clock.sent()
    assert sent["data"]["name"] == "1000"


async def test_a_condition_for_starting_sees_whom_it_would_be_for(client: httpx.AsyncClient) -> None:
    text = flowing.REMINDER.replace("{phone: event.data.phone}", "{recipient: event.data.customer}").replace(
        'match: event.type == "order.placed"', "match: has(recipient.attributes.vip) && recipient.attributes.vip"
    )
    await flowing.publish(client, text)
    for name, vip in (("asha", True), ("ravi", False)):
        await client.put(f"/v1/recipients/{name}", json={"attributes": {"vip": vip}})
    told = await flowing.tell(
        client, *(flowing.event(data={"order": who, "customer": who}) for who in ("asha", "ravi", "nobody"))
    )
    assert [one["effects"][0]["result"] for one in told] == ["started", "not_meant", "not_meant"]


LATER = """
name: reminder
on: order.placed
to: {phone: event.data.phone}
key: event.data.order
steps:
- wait: P1D
- wait_for: event:order.seen
"""


async def test_a_series_hears_four_mebibytes_and_says_when_it_is_full(client: httpx.AsyncClient) -> None:
    await flowing.publish(client, LATER)
    await flowing.tell(client, flowing.event())
    large = {"order": "order-1", "note": "x" * 900_000}
    told = []
    for _ in range(6):
        (one,) = (await client.post("/v1/events", json=flowing.event("order.seen", data=large))).json()["results"]
        told += [(effect["result"], effect["detail"]) for effect in one["effects"]]
    assert [result for result, _ in told] == ["fed"] * 4 + ["not_heard"] * 2
    assert "4 MiB" in told[-1][1]
    (small,) = await flowing.tell(client, flowing.event("order.seen"))
    assert [effect["result"] for effect in small["effects"]] == ["fed"]
