"""Schemas of event types that are kept ready: those that were used last, and not more than memory has room for."""

from uuid import UUID

from activities.event_schemas import EventSchemas
from db import event_types
from db.event_types import TypeSettings
from db.session import Database


async def test_schemas_with_many_patterns_leave_room_for_few(database: Database, tenant_id: UUID) -> None:
    schemas, sizes = EventSchemas(), []
    async with database.tenant(tenant_id) as connection:
        for number in range(8):
            schema = {"patternProperties": {f"^{number}-{one}$": True for one in range(90)}}
            said = TypeSettings(description="", schema=schema, mode="enforce", examples=[])
            await event_types.put(connection, tenant_id, f"type.{number}", said)
            rule = await event_types.rule(connection, tenant_id, f"type.{number}")
            assert (await schemas.judged(connection, tenant_id, rule, {})).faults == ()
            sizes.append(schemas.size)
    assert sizes == [1, 2, 3, 4, 5, 5, 5, 5]
