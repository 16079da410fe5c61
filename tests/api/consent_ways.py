"""The ways on which notifications meet what their recipients chose; `ways.py` has the others."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from tests.api import sending
from tests.api.stories import EMAIL, Story


async def _about(story: Story, **topic: Any) -> dict[str, str]:
    """Publishes a template about a topic, and returns a recipient who has a mailbox."""
    body = {"titles": {"en": "News"}, **topic}
    assert (await story.client.put("/v1/topics/news", json=body)).is_success
    await sending.publish(story.client, sending.EMAIL, topic="news")
    addresses = [{"kind": kind, "value": value} for kind, value in EMAIL.items()]
    assert (await story.client.put("/v1/recipients/asha", json={"addresses": addresses})).is_success
    await story.account("email")
    return {"recipient": "asha"}


async def opted_out(story: Story) -> UUID:
    to = await _about(story)
    choice = {"topic": "news", "channel": "email", "state": "denied"}
    answer = await story.client.put("/v1/recipients/asha/consents", json={"choices": [choice]})
    assert answer.is_success, answer.text
    return await story.send(to=to, channels=["email"])


async def no_consent(story: Story) -> UUID:
    to = await _about(story, default="opted_out")
    return await story.send(to=to, channels=["email"])


async def channel_not_in_topic(story: Story) -> UUID:
    to = await _about(story, channels=["whatsapp"])
    return await story.send(to=to, channels=["email"])


async def frequency_cap(story: Story) -> UUID:
    to = await _about(story, caps=[{"most": 1, "per": "1d"}])
    first = await story.send(to=to, channels=["email"])
    await story.until(first, lambda found: found["status"] == "accepted")
    return await story.send(to=to, channels=["email"])


async def delayed(story: Story, per: str, *, lasts: timedelta | None = None) -> UUID:
    """A person gets one message about a topic within some time, and this one comes right after another."""
    to = await _about(story, caps=[{"most": 1, "per": per, "then": "delay"}])
    first = await story.send(to=to, channels=["email"])
    await story.until(first, lambda found: found["status"] == "accepted")
    expiry: dict[str, Any] = {"expires_at": (datetime.now(UTC) + lasts).isoformat()} if lasts is not None else {}
    return await story.send(to=to, channels=["email"], **expiry)


async def left_alone(story: Story) -> UUID:
    """A series sends it in time, an account keeps it from going out, and then it is a holiday."""
    await _holidays(story)
    to = await _about(story)
    await story.suspend("email")
    flow = "name: reminder\nquiet_hours: {holidays: off}\nsteps:\n- {send: hello, id: first, channels: [email]}\n"
    assert (await story.client.put("/v1/flows/reminder", json={"definition": flow})).is_success
    assert (await story.client.post("/v1/flows/reminder/publish", json={"version": 1})).is_success
    asked = {"flow": "reminder", "to": to, "data": {"name": "Asha"}}
    series = (await story.client.post("/v1/series", json=asked)).json()["id"]
    await story.work()
    name = await _sent_by(story, series)
    await story.parked(name)
    today = datetime.now(UTC)
    await _holidays(story, *(f"{today + timedelta(days=days):%Y-%m-%d}" for days in (-1, 0, 1)))
    assert (await story.client.post(f"/v1/accounts/{story.accounts['email']}/resume")).is_success
    await story.ask(name, "resume")
    await story.until(name, lambda found: found["waits_for"]["awaits"] not in {"somebody", "the_next_step"})
    return name


async def _holidays(story: Story, *days: str) -> None:
    assert (await story.client.put("/v1/calendars/off", json={"days": list(days)})).is_success


async def _sent_by(story: Story, series: str) -> UUID:
    async with asyncio.timeout(20):
        while True:
            found = (await story.client.get("/v1/notifications", params={"series_id": series})).json()["data"]
            if found:
                return UUID(found[0]["id"])
            await asyncio.sleep(0.05)
