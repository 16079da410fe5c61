"""What a killed worker of ours leaves: the same measurement as for the peers, through our own API and ledger."""

import asyncio
import os
import signal

import asyncpg

from bench import crew
from bench.ground import Ground
from bench.peers.base import Killed
from bench.rates import Journal

_LONGEST = 120.0


async def ours(place: Ground, *, first: int, count: int, page_size: int) -> Killed:
    """Lets `count` notifications wait, kills the worker among them, and lets another take over.

    It returns once each was accepted or is in doubt: by `prefer_silence` nothing in doubt is sent again.
    """
    journal = Journal(place.provider.port)
    await journal.forget()
    settings = {"CARILLON_PAGE_SIZE": str(page_size)}
    ledger = await asyncpg.connect(place.postgres.superuser_dsn, database="carillon")
    try:
        since = await ledger.fetchval("SELECT now()")
        await place.accept(first, count)
        async with crew.workers(place, 1, **settings) as pids, asyncio.timeout(_LONGEST):
            while await journal.count() < count // 2:
                await asyncio.sleep(0.05)
            os.kill(pids["worker 1"], signal.SIGKILL)
            in_flight = await ledger.fetchval(
                "SELECT count(*) FROM attempt WHERE state = 'sending' AND claimed_at >= $1", since
            )
        async with crew.workers(place, 1, **settings), asyncio.timeout(_LONGEST):
            while await ledger.fetchval(_LEFT, since):
                await asyncio.sleep(0.5)
        doubtful = await ledger.fetchval(
            "SELECT count(*) FROM attempt WHERE state = 'unknown' AND claimed_at >= $1", since
        )
        seen = await journal.count()
        return Killed(
            count=count,
            in_flight=in_flight,
            twice=await journal.twice(),
            never=count - seen,
            doubtful=doubtful,
            seconds=None,
        )
    finally:
        await ledger.close()


_LEFT = """
SELECT EXISTS (
    SELECT FROM notification AS n WHERE n.created_at >= $1 AND n.ended_at IS NULL AND NOT EXISTS (
        SELECT FROM message AS m JOIN attempt AS a ON a.tenant_id = m.tenant_id AND a.message_id = m.id
        WHERE m.tenant_id = n.tenant_id AND m.notification_id = n.id AND a.state IN ('unknown', 'accepted')))
"""
