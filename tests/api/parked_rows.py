"""Rows of the tenant matrix for what is parked and operations over it; `matrix_rows.py` says how."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import update

from db.delivery_tables import notification
from tests.api import sending
from tests.api.matrix_rows import Call, Row, World, made


async def _parked(world: World) -> Call:
    await sending.publish(world.owner)
    name = await sending.send(world.owner)
    parked = {"parked_at": datetime.now(UTC), "parked_cause": "misconfigured", "parked_account_id": UUID(int=7)}
    async with world.database.tenant(world.tenant_id) as connection:
        await connection.execute(update(notification).where(notification.c.id == name).values(**parked))
    return Call(path={"notification_id": str(name)})


async def _dropped(world: World) -> Call:
    return Call(path=(await _parked(world)).path, json={"reason": "too late"})


async def _counted(world: World) -> Call:
    await _parked(world)
    return Call(foreign=200, secret=("hello", str(UUID(int=7))))


async def _listed(world: World) -> Call:
    call = await _parked(world)
    return Call(foreign=200, secret=(call.path["notification_id"], "+919876543210"))


async def _previewed(world: World) -> Call:
    call = await _parked(world)
    secret = (call.path["notification_id"], "+919876543210")
    return Call(json={}, query={"dry_run": "true"}, foreign=200, secret=secret)


async def _previewed_drop(world: World) -> Call:
    call = await _previewed(world)
    return Call(json={"reason": "too late"}, query=call.query, foreign=200, secret=call.secret)


async def _operation(world: World) -> Call:
    await _parked(world)
    operation = await made(world.owner, "POST", "/v1/parked/resume", json={"expected": 1})
    return Call(path={"operation_id": operation["id"]})


async def _listed_operation(world: World) -> Call:
    call = await _operation(world)
    return Call(foreign=200, secret=(call.path["operation_id"],))


PARKED_ROWS: dict[str, Row] = {
    "count_parked": _counted,
    "list_parked": _listed,
    "resume_parked": _previewed,
    "drop_parked": _previewed_drop,
    "resume_notification": _parked,
    "drop_notification": _dropped,
    "list_operations": _listed_operation,
    "get_operation": _operation,
    "stop_operation": _operation,
}
