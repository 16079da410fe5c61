"""What tests of schedules need: bodies, and one that is made."""

from typing import Any

import httpx

from tests.api import flowing

DAILY: dict[str, Any] = {"cron": "0 9 * * *", "zone": "Asia/Kolkata"}
ONE: dict[str, Any] = {"start": {"flow": "reminder", "to": {"phone": "+919876543210"}}}
EACH: dict[str, Any] = {
    "query": {"flow": "reminder", "status": "running"},
    "start": {"flow": "reminder", "key": "item.key + '/' + schedule.date"},
}
EVENT: dict[str, Any] = {"event": {"type": "day.began", "data": {"order": "order-9", "phone": "+919876543210"}}}


def body(**changes: Any) -> dict[str, Any]:
    """Returns the body of a schedule."""
    return {"name": "daily", "spec": DAILY, "action": ONE} | changes


async def make(client: httpx.AsyncClient, **changes: Any) -> dict[str, Any]:
    """Makes a schedule of a published flow, and returns it."""
    await flowing.publish(client)
    answer = await client.post("/v1/schedules", json=body(**changes))
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made
