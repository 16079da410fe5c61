"""An event of a schedule is judged by the schema of its type, like any other."""

from uuid import UUID

from sqlalchemy import select

from db import event_types
from db.event_types import TypeSettings
from db.series_tables import event
from db.session import Database
from tests.activities.test_schedules import make, run, told


async def test_a_run_whose_event_does_not_fit_fails_and_says_why(database: Database, tenant_id: UUID) -> None:
    said = TypeSettings(description="", schema={"required": ["to"]}, mode="enforce", examples=[])
    async with database.tenant(tenant_id) as connection:
        await event_types.put(connection, tenant_id, "day.began", said)
    row = await make(database, tenant_id, {"event": {"type": "day.began", "data": {}}}, flow=None)
    await run(database, row)
    [one] = await told(database, row)
    assert one.status == "failed"
    assert one.error is not None
    assert "/data/to: this is missing" in one.error
    async with database.tenant(tenant_id) as connection:
        found = await event_types.get(connection, tenant_id, "day.began")
        assert (await connection.execute(select(event.c.id))).all() == []
    assert found is not None
    assert (found.refused, found.came) == (1, 0)
