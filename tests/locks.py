"""Waiting until somebody waits: what a test of two transactions that meet has to see before it goes on."""

import asyncio
from typing import Any

from sqlalchemy import text

from db.session import Database

_WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")


async def waits_for_a_lock(database: Database, *, unless: asyncio.Task[Any] | None = None) -> None:
    """Returns as soon as somebody waits for a lock in this database, or a task is done that did not need to."""
    async with asyncio.timeout(10):
        while (
            unless is None or not unless.done()
        ):  # each look is a transaction of its own, because one sees the same statistics all along
            async with database.system() as connection:
                await connection.execute(text("SELECT set_config('role', 'none', true)"))
                if (await connection.execute(_WAITING)).scalar_one():
                    return
            await asyncio.sleep(0.01)
