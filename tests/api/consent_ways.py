"""The ways on which notifications meet what their recipients chose; `ways.py` has the others."""

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
