"""Instants at which a schedule was due and that have no run: the whole time is searched, however often it is due."""

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice, takewhile

from sqlalchemy.ext.asyncio import AsyncConnection

from db import schedule_runs
from db.schedules import StoredSchedule
from domain.schedules import Spec, instants

_AT_ONCE = 5_000
"""Instants that are computed, and asked for, at a time; a month has nine times as many minutes."""


async def unmade_of(
    connection: AsyncConnection, row: StoredSchedule, now: datetime, *, most: int | None = None
) -> list[datetime]:
    """Returns the first of the instants that passed while a run may still be made for them, and that have none."""
    return await unmade_since(connection, row, now - timedelta(seconds=row.catch_up), now, most=most)


async def unmade_since(
    connection: AsyncConnection, row: StoredSchedule, moment: datetime, now: datetime, *, most: int | None = None
) -> list[datetime]:
    """Returns the first of the instants between two moments that have no run, all of them where `most` is None."""
    unmade: list[datetime] = []
    passing = _passing(row.when(), max(row.counts_from, moment), now)
    while (most is None or len(unmade) < most) and (passed := await asyncio.to_thread(_next, passing)):
        made = await schedule_runs.made(connection, row.tenant_id, row.id, passed)
        unmade += [one for one in passed if one not in made]
    return unmade[:most]


async def passed(spec: Spec, begin: datetime, now: datetime) -> list[datetime]:
    """Returns the instants at which a spec was due between two moments."""
    return await asyncio.to_thread(lambda: list(_passing(spec, begin, now)))


def _passing(spec: Spec, begin: datetime, now: datetime) -> Iterator[datetime]:
    return takewhile(lambda one: one <= now, instants(spec, begin))


def _next(passing: Iterator[datetime]) -> list[datetime]:
    return list(islice(passing, _AT_ONCE))
