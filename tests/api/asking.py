"""Two series that ask the same person, whose answer may mean either."""

from uuid import UUID

import httpx

from db.session import Database
from tests.activities.series_clock import Clock
from tests.api import flowing, sending

ASKING = """
name: asking
steps:
- {send: hello, id: asked}
- {wait_for: reply, id: answer}
"""


async def ask_twice(api: httpx.AsyncClient, database: Database, tenant_id: UUID) -> list[str]:
    """Returns two series that wait for an answer of the same person."""
    await sending.publish(api)
    await flowing.publish(api, ASKING, "asking")
    made = [await flowing.start(api, flow="asking", key=key) for key in ("1", "2")]
    for name in made:
        await Clock(database, tenant_id, UUID(name)).look()
    return made
