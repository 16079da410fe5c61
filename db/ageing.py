"""Rows that are of no use any more after some time, removed a bounded number at once."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Until when the rows of a table are of use: `moment` lies not longer ago than `keep`."""

    table: str
    moment: str
    keep: timedelta


# A key that was cancelled before its notification came stays closed for as long as keys live at least; a bucket that
# is free again says no more than none; a day's count is asked for on that day in any zone.
RULES = (
    Rule(table="tombstone", moment="created_at", keep=timedelta(days=30)),
    Rule(table="rate_bucket", moment="next_at", keep=timedelta(hours=1)),
    Rule(table="day_count", moment="day", keep=timedelta(days=3)),
)


_REMOVE = """
DELETE FROM {table} WHERE ctid IN (
    SELECT ctid FROM {table} WHERE {moment} < now() - CAST(:keep AS interval) LIMIT :limit
) AND {moment} < now() - CAST(:keep AS interval)
"""


async def remove(connection: AsyncConnection, rule: Rule, *, limit: int) -> int:
    """Removes up to `limit` rows that a rule calls too old, and returns how many."""
    # Rows that somebody writes at the moment are passed over; they are younger by then.
    statement = text(_REMOVE.format(table=rule.table, moment=rule.moment))
    return (await connection.execute(statement, {"keep": rule.keep, "limit": limit})).rowcount
