"""Series that sleep: what so many of them hold in memory and on disk, and how late those wake that are due."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from bench import crew
from bench.figures import Figure, percentile
from bench.ground import Ground, until
from bench.processes import megabytes

GROUP = "series that sleep"
_AT_ONCE = 16
_SHORTEST, _SPREAD = timedelta(seconds=30), timedelta(seconds=60)
_FLOW = "name: sleeper\nsteps:\n- {wait: {until: due_at}, id: due}\n- {stop: woken}"
_LATE = """
SELECT extract(epoch FROM ended_at - CAST(anchors ->> 'due_at' AS timestamptz)) * 1000 AS late
FROM series WHERE ended_at IS NOT NULL
"""


async def measure(place: Ground, count: int) -> list[Figure]:
    """Lets `count` series sleep for a day, then some more for a minute, and looks how late these wake."""
    (await place.api.put("/v1/flows/sleeper", json={"definition": _FLOW})).raise_for_status()
    (await place.api.post("/v1/flows/sleeper/publish", json={"version": 1})).raise_for_status()
    connection = await asyncpg.connect(place.postgres.superuser_dsn, database="carillon")
    try:
        async with crew.workers(place, 1) as workers:
            watched = {**crew.servers(place), **workers}
            await crew.rest(5)
            before, disk = megabytes(watched), await _disk(connection)
            began = asyncio.get_running_loop().time()
            tomorrow = datetime.now(UTC) + timedelta(days=1)
            await _start(place, "night", [tomorrow] * count)
            await _asleep(connection, count, within=120 + count / 5)
            took = asyncio.get_running_loop().time() - began
            await crew.rest(10)
            after, more = megabytes(watched), await _disk(connection)
            late = await _wake(place, connection, count)
    finally:
        await connection.close()
    grown = {name: after[name] - before[name] for name in watched}
    return [
        Figure(group=GROUP, name=f"{count:,} series put to sleep", unit="/s", value=count / took),
        *(
            Figure(group=GROUP, name=f"memory of {name}, for each thousand", unit="MB", value=value / count * 1000)
            for name, value in grown.items()
        ),
        Figure(group=GROUP, name="disk, for each thousand", unit="MB", value=(more - disk) / count / 1000),
        Figure(group=GROUP, name="woken too late by, half of them", unit="ms", value=percentile(late, 0.5)),
        Figure(group=GROUP, name="woken too late by, 99 of 100", unit="ms", value=percentile(late, 0.99)),
    ]


async def _wake(place: Ground, connection: Any, count: int) -> list[float]:
    """Starts some series whose instants come soon, and returns how many milliseconds after them each ended."""
    few = max(min(count // 20, 1000), 20)
    soon = datetime.now(UTC) + _SHORTEST + timedelta(seconds=few / 10)
    await _start(place, "soon", [soon + _SPREAD * (number / few) for number in range(few)])

    async def all_woke() -> bool:
        return bool(await connection.fetchval("SELECT count(*) FROM series WHERE ended_at IS NOT NULL") >= few)

    await until(all_woke, within=300 + few / 5)
    return [float(row["late"]) for row in await connection.fetch(_LATE)]


async def _start(place: Ground, name: str, instants: list[datetime]) -> None:
    places = asyncio.Semaphore(_AT_ONCE)

    async def one(number: int, due_at: datetime) -> None:
        body = {
            "flow": "sleeper",
            "to": {"phone": f"+1555{number:07d}"},
            "key": f"{place.run}-{name}-{number}",
            "anchors": {"due_at": due_at.isoformat()},
        }
        async with places:
            (await place.api.post("/v1/series", json=body)).raise_for_status()

    await asyncio.gather(*(one(number, due_at) for number, due_at in enumerate(instants)))


async def _asleep(connection: Any, count: int, *, within: float) -> None:
    async def resting() -> bool:
        asked = "SELECT count(*) FROM series WHERE step = 'due' AND next_at IS NOT NULL"
        return bool(await connection.fetchval(asked) >= count and not await connection.fetchval(_UNSTARTED))

    await until(resting, within=within)


_UNSTARTED = "SELECT count(*) FROM outbox"


async def _disk(connection: Any) -> int:
    """Returns the bytes that all databases take, Temporal's and ours."""
    await connection.execute("CHECKPOINT")
    found: int = await connection.fetchval("SELECT sum(pg_database_size(oid))::bigint FROM pg_database")
    return found
