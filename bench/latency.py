"""How long does it take from the instant at which a notification should be accepted until the provider sees it?

At a light, steady rate with an open loop: a request that comes late because of us counts from when it was due. The
provider notes what it saw by the monotonic clock, which all processes of a machine share.
"""

import itertools
import os
from collections.abc import Iterator

from bench.beside import post
from bench.figures import Figure, median_of, percentile
from bench.ground import Ground
from bench.load import open_loop, session

RATES = {5.0: (None, None), 20.0: ("at most 40", "at most 100"), 50.0: (None, None)}
SECONDS = float(os.environ.get("HTTP_LATENCY_SECONDS", "20"))
_FIRST = 5_000_000


async def measure(place: Ground) -> list[Figure]:
    """Returns the waits from the instant of a request to the provider's door."""
    numbers = itertools.count(_FIRST)
    await _run(place, numbers, rate=20, seconds=3)
    figures = []
    for rate, (aim_50, aim_99) in RATES.items():
        waits = await _run(place, numbers, rate=rate, seconds=SECONDS)
        name = f"accept to provider at {rate:.0f}/s"
        figures += [
            median_of("latency", f"{name}, p50", "ms", [percentile(waits, 0.50)], aim=aim_50),
            median_of("latency", f"{name}, p99", "ms", [percentile(waits, 0.99)], aim=aim_99),
        ]
    return figures


async def _run(place: Ground, numbers: Iterator[int], *, rate: float, seconds: float) -> list[float]:
    await place.provider.forget()
    mine = list(itertools.islice(numbers, int(rate * seconds)))
    async with session(str(place.api.base_url), Authorization=place.api.headers["Authorization"]) as http:

        async def accept(index: int) -> None:
            headers = {"Idempotency-Key": f"{place.run}-latency-{mine[index]}"}
            await post(http, "/v1/notifications", 202, json=place.body(mine[index]), headers=headers)

        load = await open_loop(accept, rate=rate, seconds=seconds)
    if load.failures:
        raise SystemExit(f"{load.failures} notifications were not accepted.")
    await place.provider.wait(len(mine), within=60)
    times = await place.provider.times()
    due = {place.body(number)["to"]["phone"]: load.began + index / rate for index, number in enumerate(mine)}
    return [(times[to] - at) * 1000 for to, at in due.items()]
