"""Schedules whose calendar changes: their clocks are told, and what was a day off when it passed is not made up for."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice, takewhile
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from activities.schedule_runs import MOST_PASSED, unmade_since
from db import schedule_runs, schedules
from db.schedules import StoredSchedule
from domain.schedules import ScheduleStatus, Spec, instants

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
    """Returns what changes of a schedule besides its instants, or None where it stays over."""
    match ScheduleStatus(row.status):
        case ScheduleStatus.PAUSED:
            return {}
        case ScheduleStatus.ENDED:
            is_due = next(instants(row.when(), now), None) is not None
            return {"status": ScheduleStatus.ACTIVE.value, "counts_from": now} if is_due else None
        case ScheduleStatus.ACTIVE:
            return {"counts_from": await _begin(connection, former, row, now)}


async def _begin(connection: AsyncConnection, former: StoredSchedule, row: StoredSchedule, now: datetime) -> datetime:
    """Returns from when on instants count: from now, or from before the first that has no run yet.

    Of those between that one and now, some were days off until now. They are told as missed, so nobody makes them.
    """
    told = await schedule_runs.last_before(connection, former.tenant_id, former.id, now)
    lately = now - timedelta(seconds=former.catch_up) - former.when().jitter
    owed = await unmade_since(connection, former, min(told or former.counts_from, lately), now)
    if not owed:
        return max(former.counts_from, now)
    begin = max(former.counts_from, owed[0] - _MOMENT)
    known = _passed(former.when(), begin, now)
    fresh = [one for one in _passed(row.when(), begin, now) if one not in set(known)]
    await schedule_runs.miss(connection, row.tenant_id, row.id, fresh, _DAY_OFF)
    return begin


def _passed(spec: Spec, begin: datetime, now: datetime) -> list[datetime]:
    return list(islice(takewhile(lambda one: one <= now, instants(spec, begin)), MOST_PASSED))
