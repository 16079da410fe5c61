"""Rows that are of no use any more after some time, removed a bounded number at once."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Until when the rows of a table are of use: `moment` lies not longer ago than `keep`, or `stays` holds."""

    table: str
    moment: str
    keep: timedelta
    stays: str = "false"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """How long rows are kept that count for some time; never shorter than they count.

    Attributes:
        early_events: Events that wait for the series of their key, for a day.
        series_tombstones: Stops that came before their series, and count for a week.
        runs: Runs of schedules that are over; the newest one by its clock stays of each that is not ended.
    """

    early_events: timedelta = timedelta(days=1)
    series_tombstones: timedelta = timedelta(days=7)
    runs: timedelta = timedelta(days=90)


# A key that was cancelled before its notification came stays closed for as long as keys live at least; a bucket that
# is free again says no more than none; a day's count is asked for on that day in any zone.
RULES = (
    Rule(table="tombstone", moment="created_at", keep=timedelta(days=30)),
    Rule(table="rate_bucket", moment="next_at", keep=timedelta(hours=1)),
    Rule(table="day_count", moment="day", keep=timedelta(days=3)),
)

# What was missed since is told from a schedule's newest run on; without any, all of it would be told once more.
# A schedule that is ended misses nothing, so none of its runs is read again and again.
_NEWEST_RUN = """
    cause = 'clock' AND EXISTS (
        SELECT FROM schedule AS going
        WHERE going.tenant_id = schedule_run.tenant_id AND going.id = schedule_run.schedule_id
          AND going.status <> 'ended'
    ) AND scheduled_at = (
        SELECT max(newest.scheduled_at) FROM schedule_run AS newest
        WHERE newest.tenant_id = schedule_run.tenant_id AND newest.schedule_id = schedule_run.schedule_id
          AND newest.cause = 'clock'
    )
"""

_REMOVE = """
DELETE FROM {table} WHERE ctid IN (
    SELECT ctid FROM {table} WHERE {moment} < now() - CAST(:keep AS interval) AND NOT ({stays}) LIMIT :limit
) AND {moment} < now() - CAST(:keep AS interval)
"""


def rules(keeping: Keeping) -> tuple[Rule, ...]:
    """Returns the rules of all tables."""
    return (
        *RULES,
        Rule(table="early_event", moment="created_at", keep=keeping.early_events),
        Rule(table="series_tombstone", moment="created_at", keep=keeping.series_tombstones),
        Rule(table="schedule_run", moment="ended_at", keep=keeping.runs, stays=_NEWEST_RUN),
    )


async def remove(connection: AsyncConnection, rule: Rule, *, limit: int) -> int:
    """Removes up to `limit` rows that a rule calls too old, and returns how many."""
    # Rows that somebody writes at the moment are passed over; they are younger by then.
    statement = text(_REMOVE.format(table=rule.table, moment=rule.moment, stays=rule.stays))
    return (await connection.execute(statement, {"keep": rule.keep, "limit": limit})).rowcount
