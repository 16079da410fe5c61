"""What a timeline keeps of somebody who was deleted."""

from typing import Any
from uuid import UUID

from db import recipients, series_lists
from db.session import Database
from db.tables import recipient
from tests import factories
from tests.activities.series_clock import started

FLOW = """
name: asks
steps:
- branch:
  - {when: "recipient.attributes.state == 'ill' && data.name == 'Asha'", steps: [{stop: ill}]}
"""


async def test_what_conditions_saw_of_a_recipient_goes_with_it(database: Database, tenant_id: UUID) -> None:
    person = await factories.insert(
        database, tenant_id, recipient, external_id="asha", name="Asha", attributes={"state": "ill"}
    )
    clock = await started(database, tenant_id, FLOW, to="asha", to_kind="recipient", receiver_id=person, zone=None)
    await clock.until()

    async def judged() -> list[Any]:
        async with database.tenant(tenant_id) as connection:
            lines = await series_lists.timeline(connection, tenant_id, clock.series_id, limit=9, before=None)
        return [dict(line.detail) for line in lines if line.kind == "branch"]

    assert (await judged())[0]["judged"][0]["saw"]["recipient.attributes.state"] == "ill"
    async with database.tenant(tenant_id) as connection:
        await recipients.erase(connection, tenant_id, person)
    assert await judged() == [{"case": 0, "when": "recipient.attributes.state == 'ill' && data.name == 'Asha'"}]
