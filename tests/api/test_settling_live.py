"""A person's word reaches the workflow that waits: it tries again, or it ends, and does neither twice."""

from typing import Any
from uuid import UUID

import pytest

from tests.api import sending
from tests.api.stories import Story
from tests.api.test_explain import story, temporal_client

__all__ = ["story", "temporal_client"]
pytestmark = pytest.mark.slow


async def _in_doubt(story: Story) -> UUID:
    """Returns a notification whose workflow waits for evidence of its first attempt."""
    await sending.publish(story.client, sending.EMAIL)
    await story.account("email", public_config={"quarantine_seconds": 3600})
    name = await story.send(to={"email": "drop@example.com"}, on_unknown="prefer_duplicate")
    await story.until(name, lambda found: (found["waits_for"] or {}).get("awaits") == "evidence")
    return name


async def _attempts(story: Story, name: UUID) -> list[dict[str, Any]]:
    messages = (await story.client.get(f"/v1/notifications/{name}")).json()["messages"]
    return [one for message in messages for one in message["attempts"]]


async def test_what_was_not_sent_is_tried_again_at_once(story: Story) -> None:
    name = await _in_doubt(story)
    await story.ask(name, "settle", outcome="not_sent", reason="not in their log")
    await story.until(name, lambda found: [one for one in found["entries"] if one["attempt"] == 2])
    first, second = await _attempts(story, name)
    assert (first["state"], first["settled_by"]) == ("not_sent", "person")
    assert second["possible_duplicate"] is False


async def test_what_was_sent_is_not_tried_again(story: Story) -> None:
    name = await _in_doubt(story)
    await story.ask(name, "settle", outcome="sent", reason="it is in their log")
    found = await story.until(name, lambda found: found if found["waits_for"] is None else None)
    assert found["status"] == "accepted"
    assert [(one["state"], one["settled_by"]) for one in await _attempts(story, name)] == [("accepted", "person")]
