"""How many notifications can be accepted over HTTP, and how long does one wait, beside a bare route that stores a row?

Meanwhile the workers are stopped (SIGSTOP): accepting is what is measured, not what follows. What was accepted is due
in years, and is taken out again before they go on, so that no later measurement meets it.
"""

import itertools

import asyncpg
from sqlalchemy import make_url

from bench.beside import compare, paused_workers, post
from bench.figures import Figure
from bench.ground import Ground
from bench.load import session

RATE = 100.0
_DUE = "2199-01-01T00:00:00Z"
_FIRST = 3_000_000


async def measure(place: Ground) -> list[Figure]:
    """Returns requests per second and waits of `POST /v1/notifications` and of the bare route."""
    numbers = itertools.count(_FIRST)
    authorization = place.api.headers["Authorization"]
    async with session(str(place.api.base_url), Authorization=authorization) as http:

        async def accept(number: int) -> None:
            body = {**place.body(number), "send_at": _DUE}
            headers = {"Idempotency-Key": f"{place.run}-accept-{number}"}
            await post(http, "/v1/notifications", 202, json=body, headers=headers)

        with paused_workers(place):
            try:
                return await compare(
                    place, "accepting", accept, rate=RATE, aim="at most 150", numbers=lambda: next(numbers)
                )
            finally:
                await _take_out(place)


async def _take_out(place: Ground) -> None:
    # The superuser, because nobody of ours may take out what was accepted.
    database = make_url(place.postgres.dsn).database
    connection = await asyncpg.connect(place.postgres.superuser_dsn, database=database)
    try:
        await connection.execute("DELETE FROM outbox")
        await connection.execute("DELETE FROM notification WHERE send_at = $1::text::timestamptz", _DUE)
    finally:
        await connection.close()
