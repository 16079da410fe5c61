"""How a series begins: once for its key, after what was said of that key before, in the caller's transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from db import events, outbox, series
from db.series import Entry, NewSeries
from db.series_hearing import NewHearing, hear, woken
from domain import keys
from domain.flow_events import every_step
from domain.flow_program import Program, compiled
from domain.flow_steps import Again, Awaited, Flow, Until, Wait
from domain.flow_waking import awaited_at
from domain.notifications import LANES, Lane
from domain.series import trigger_of

PATIENCE = 2.0
"""Seconds to wait for another start or stop of the same key."""
TOMBSTONE_DAYS = 7
"""How long a stop that came first keeps its key from being started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """What became of a start.

    Attributes:
        result: `started`, `reused` where one runs already, `ignored` where the key was used before, or
            `stopped_before_start`.
        replaced: The series that was stopped for this one.
    """

    result: str
    series_id: UUID | None
    replaced: UUID | None = None


async def begin(
    connection: AsyncConnection, tenant_id: UUID, new: NewSeries, *, flow: Flow, again: Again, now: datetime
) -> Begun:
    """Begins a series of a flow, unless its key says otherwise."""
    replaced = None
    if new.key is not None:
        await series.lock_key(connection, tenant_id, new.flow_id, new.key, patience=PATIENCE)
        if await series.buried(connection, tenant_id, new.flow_id, new.key, days=TOMBSTONE_DAYS):
            return Begun(result="stopped_before_start", series_id=None)
        former = await series.latest_of_key(connection, tenant_id, new.flow_id, new.key)
        if former is not None and former.ended_at is not None and again is Again.IGNORE:
            return Begun(result="ignored", series_id=former.id)
        if former is not None and former.ended_at is None:
            if again is not Again.REPLACE:
                return Begun(result="reused", series_id=former.id)
            await stop_locked(connection, tenant_id, former.id, reason="replaced", detail=None, now=now)
            replaced = former.id
    made = await series.create(connection, tenant_id, new)
    await series.note(connection, tenant_id, made, 0, [Entry(kind="started", at=now, detail={"flow": flow.name})])
    await series.change(connection, tenant_id, made, entries=1, started_at=now, wakes=wakes_at(compiled(flow), 0))
    await outbox.add_starts(connection, tenant_id, [_start(tenant_id, made, flow.name, new)])
    return Begun(result="started", series_id=made, replaced=replaced)


async def catch_up(connection: AsyncConnection, tenant_id: UUID, series_id: UUID, flow_id: UUID, key: str) -> int:
    """Lets a new series hear the events of its key that came before it, and returns how many they were.

    They waited for the next series of this key, so no later one hears them.
    """
    early = await events.take_early(connection, tenant_id, flow_id, key)
    news = [
        NewHearing(
            series_id=series_id,
            cause=f"event/{row.id}",
            kind="event",
            name=row.type,
            at=row.occurred_at,
            data=events.as_object(row.data),
        )
        for row in early
    ]
    await hear(connection, tenant_id, news)
    return len(news)


async def stop_locked(
    connection: AsyncConnection, tenant_id: UUID, series_id: UUID, *, reason: str, detail: str | None, now: datetime
) -> bool:
    """Stops a series for good, and tells whether it still ran."""
    row = await series.get(connection, tenant_id, series_id, lock=True)
    if row is None or row.ended_at is not None:
        return False
    told = {"status": "stopped", "reason": reason, "detail": detail}
    entries = await series.note(
        connection, tenant_id, series_id, row.entries, [Entry(kind="ended", at=now, step=row.step, detail=told)]
    )
    await series.end(connection, tenant_id, series_id, status="stopped", reason=reason, detail=detail)
    await series.change(connection, tenant_id, series_id, entries=entries)
    await outbox.add_signals(connection, tenant_id, [woken(series_id, "stopped")])
    return True


def wakes_of(flow: Flow, awaited: Sequence[Awaited] = ()) -> list[dict[str, str | None]]:
    """Returns what a series of a flow is to be woken by: what it waits for, and what ends it wherever it is."""
    named = [{"kind": one.kind, "name": one.name} for one in (*awaited, *flow.stop_when)]
    return [*named, {"kind": "*", "name": None}] if flow.stop_if is not None else named


def wakes_at(program: Program, place: int) -> list[dict[str, str | None]]:
    """Returns what a series is to be woken by that stands somewhere and has not looked there yet."""
    return wakes_of(program.flow, awaited_at(program, place))


def missing_anchors(flow: Flow, given: Mapping[str, Any]) -> Sequence[str]:
    """Returns the dates that waits of a flow count from and that are not given."""
    moments = [step.moment for step in every_step(flow.steps) if isinstance(step, Wait)]
    named = {moment.anchor for moment in moments if isinstance(moment, Until) and moment.anchor is not None}
    return sorted(named - given.keys())


def _start(tenant_id: UUID, series_id: UUID, flow: str, new: NewSeries) -> tuple[str, int, Mapping[str, Any]]:
    payload = {
        "workflow": "series",
        "input": {"tenant_id": str(tenant_id), "series_id": str(series_id)},
        "resource": f"{new.resource_type}/{new.resource_id}" if new.resource_type else None,
        "trigger": trigger_of(new.event),
        "summary": f"{flow}: {new.resource_type}/{new.resource_id}" if new.resource_type else flow,
    }
    return keys.series_workflow(str(series_id)), LANES[Lane.TRANSACTIONAL], payload
