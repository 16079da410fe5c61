"""Rows of the tenant matrix for flows, series and events; `matrix_rows.py` says how."""

from typing import Any

from tests.api import flowing
from tests.api.matrix_rows import Call, Row, World, fixed, made

_BATCH = {"Content-Type": "application/cloudevents-batch+json"}


async def _flow(world: World) -> Call:
    await flowing.push(world.owner)
    return Call(path={"name": "reminder"})


async def _pushed(world: World) -> Call:
    return Call(path=(await _flow(world)).path, json={"definition": flowing.REMINDER}, foreign=200)


async def _listed(world: World) -> Call:
    await _flow(world)
    return Call(foreign=200, secret=("reminder",))


async def _changed(world: World) -> Call:
    await flowing.publish(world.owner)
    return Call(path={"name": "reminder"}, json={"status": "paused"})


async def _version(world: World) -> Call:
    return Call(path={**(await _flow(world)).path, "number": "1"})


async def _published(world: World) -> Call:
    return Call(path=(await _flow(world)).path, json={"version": 1})


async def _started(world: World) -> Call:
    await flowing.publish(world.owner)
    return Call(json=flowing.BODY)


async def _series(world: World) -> Call:
    await flowing.publish(world.owner)
    return Call(path={"series_id": await flowing.start(world.owner)})


async def _taken_up(world: World) -> Call:
    found = await _series(world)
    operation = await made(world.owner, "POST", "/v1/series/operations", json={"kind": "pause", "expected": 1})
    return Call(path={"operation_id": operation["id"]}, secret=(found.path["series_id"],))


async def _listed_series(world: World) -> Call:
    found = await _series(world)
    return Call(foreign=200, secret=(found.path["series_id"], "+919876543210"))


def _of_series(**body: Any) -> Row:
    async def row(world: World) -> Call:
        return Call(path=(await _series(world)).path, json=body or None)

    return row


async def _key(world: World) -> Call:
    await _series(world)
    return Call(json={"flow": "reminder", "key": "order-1"})


async def _operated(world: World) -> Call:
    await _series(world)
    return Call(json={"kind": "pause"}, query={"dry_run": "true"}, foreign=200, secret=("order-1", "+919876543210"))


async def _event(world: World) -> Call:
    await flowing.publish(world.owner)
    await made(world.owner, "POST", "/v1/events", json=[flowing.event("secret.happened")], headers=_BATCH)
    return Call(foreign=200, secret=("secret.happened",))


async def _tested(world: World) -> Call:
    await flowing.publish(world.owner)
    return Call(json=flowing.event(), foreign=200, secret=("reminder",))


async def _calendar(world: World) -> Call:
    await made(world.owner, "PUT", "/v1/calendars/india", json={"days": ["08-15"], "description": "our secret days"})
    return Call(path={"name": "india"}, secret=("secret days",))


async def _calendar_put(world: World) -> Call:
    call = await _calendar(world)
    return Call(path=call.path, json={"days": []}, foreign=201, secret=call.secret)


async def _calendars(world: World) -> Call:
    return Call(foreign=200, secret=(await _calendar(world)).secret)


async def _described(world: World) -> Call:
    await made(world.owner, "PUT", "/v1/event-types/secret.happened", json={"description": "a secret word"})
    return Call(path={"type": "secret.happened"})


async def _put_type(world: World) -> Call:
    path = (await _described(world)).path
    return Call(path=path, json={"description": "mine"}, foreign=201, secret=("a secret word",))


async def _listed_types(world: World) -> Call:
    await _described(world)
    return Call(foreign=200, secret=("secret.happened", "a secret word"))


FLOW_ROWS: dict[str, Row] = {
    "list_operation_series": _taken_up,
    "put_calendar": _calendar_put,
    "list_calendars": _calendars,
    "get_calendar": _calendar,
    "delete_calendar": _calendar,
    "push_flow": _pushed,
    "list_flows": _listed,
    "get_flow": _flow,
    "change_flow": _changed,
    "list_flow_versions": _flow,
    "get_flow_version": _version,
    "publish_flow": _published,
    "start_series": _started,
    "list_series": _listed_series,
    "get_series": _series,
    "get_series_timeline": _series,
    "get_series_upcoming": _series,
    "change_series": _of_series(data={"name": "Ravi"}),
    "stop_series": _series,
    "stop_series_by_key": _key,
    "operate_series": _operated,
    "pause_series": _series,
    "resume_series": _series,
    "skip_step": _series,
    "run_step_again": _of_series(step="a_day"),
    "send_events": fixed(json=flowing.event("some.thing"), foreign=202),
    "test_event": _tested,
    "list_events": _event,
    "put_event_type": _put_type,
    "list_event_types": _listed_types,
    "get_event_type": _described,
    "delete_event_type": _described,
    "get_webhook_secrets": fixed(foreign=200),
}
