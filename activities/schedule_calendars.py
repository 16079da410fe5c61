"""Schedules whose calendar changes: their clocks are told, and what was a day off when it passed is not made up for."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from activities.unmade_runs import passed, unmade_since
from db import schedule_runs, schedules
from db.schedules import StoredSchedule
from domain.schedules import ScheduleStatus, Spec, calendars_of, instants

_MOMENT = timedelta(microseconds=1)
_DAY_OFF = "a calendar left it out when it was due"


async def turn(connection: AsyncConnection, before: Sequence[StoredSchedule], now: datetime) -> int:
    """Leaves word for the clocks of locked schedules, given as they stood before, and returns how many changed."""
    changed = 0
    for former in before:
        row = await schedules.get(connection, former.tenant_id, former.id)
        if row is None or row.calendars == former.calendars:
            continue
        values = await _values(connection, former, row, now)
        if values is not None:
            await schedules.change(connection, row, **values)
            changed += 1
    return changed


async def _values(
    connection: AsyncConnection, former: StoredSchedule, row: StoredSchedule, now: datetime
) -> Mapping[str, Any] | None:
    """Returns what changes of a schedule besides its instants, or None where it stays over.

    One that is over goes on as soon as it has runs again, unless another of its calendars is not there.
    """
    match ScheduleStatus(row.status):
        case ScheduleStatus.PAUSED:
            return {}
        case ScheduleStatus.ENDED:
            goes_on = row.calendars.keys() >= {*calendars_of(row.spec)} and await asyncio.to_thread(
                _is_due, row.when(), now
            )
            return {"status": ScheduleStatus.ACTIVE.value, "counts_from": now} if goes_on else None
        case ScheduleStatus.ACTIVE:
            return {"counts_from": await _begin(connection, former, row, now)}


async def _begin(connection: AsyncConnection, former: StoredSchedule, row: StoredSchedule, now: datetime) -> datetime:
    """Returns from when on instants count: from now, or from before the first that has no run yet.

    Of those between that one and now, some were days off until now. They are told as missed, so nobody makes them.
    """
    told = await schedule_runs.last_before(connection, former.tenant_id, former.id, now)
    lately = now - timedelta(seconds=former.catch_up) - former.when().jitter
    owed = await unmade_since(connection, former, min(told or former.counts_from, lately), now, most=1)
    if not owed:
        return max(former.counts_from, now)
    begin = max(former.counts_from, owed[0] - _MOMENT)
    known = set(await passed(former.when(), begin, now))
    fresh = [one for one in await passed(row.when(), begin, now) if one not in known]
    await schedule_runs.miss(connection, row.tenant_id, row.id, fresh, _DAY_OFF)
    return begin


def _is_due(spec: Spec, now: datetime) -> bool:
    return next(instants(spec, now), None) is not None
