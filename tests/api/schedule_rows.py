"""Rows of the tenant matrix for schedules; `matrix_rows.py` says how."""

from tests.api import flowing, scheduling
from tests.api.matrix_rows import Call, Row, World


async def _made(world: World) -> Call:
    await flowing.publish(world.owner)
    return Call(json=scheduling.body(), foreign=422)  # who has no such flow is told so


async def _one(world: World) -> Call:
    return Call(path={"schedule_id": (await scheduling.make(world.owner))["id"]})


async def _listed(world: World) -> Call:
    made = await scheduling.make(world.owner)
    return Call(foreign=200, secret=(made["id"], "+919876543210"))


async def _replaced(world: World) -> Call:
    return Call(path=(await _one(world)).path, json=scheduling.body(note="another"))


async def _previewed(world: World) -> Call:
    await flowing.publish(world.owner)
    series_id = await flowing.start(world.owner)
    return Call(json={"spec": scheduling.DAILY, "action": scheduling.EACH}, foreign=200, secret=(series_id,))


SCHEDULE_ROWS: dict[str, Row] = {
    "create_schedule": _made,
    "list_schedules": _listed,
    "get_schedule": _one,
    "replace_schedule": _replaced,
    "delete_schedule": _one,
    "preview_schedule": _previewed,
    "pause_schedule": _one,
    "resume_schedule": _one,
    "trigger_schedule": _one,
    "list_schedule_runs": _one,
}
