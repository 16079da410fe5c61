"""Everything that is measured, in one run: `make bench`, or `python -m bench [PART ...]`.

Parts: rates, peers, killed, costs, http (accept, callbacks, latency), stored, sleeping, idle. Without a name all of
them run, which takes about an hour. `BENCH_COUNT` is the length of a backlog, and how many series sleep (20000),
`BENCH_ROUNDS` how often each rate is measured (3).
"""

import os
import sys
import tempfile
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

import uvloop

from bench import accepting, callbacks, costs, crew, idle, killing, latency, noise, rates, report, sleeping, stored
from bench.figures import Figure, median_of
from bench.ground import Ground, ground
from bench.peers import measuring

COUNT = int(os.environ.get("BENCH_COUNT", "20000"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
SINGLE, WARM_UP = max(COUNT // 8, 200), 300
RATES = "messages per second, one worker process"
BARE = "bare workflow with one activity"
OURS, PAGES = "one workflow each", "pages under backlog"


class Numbers:
    """Recipients that nobody had yet."""

    def __init__(self) -> None:
        self._next = 1

    def take(self, count: int) -> int:
        """Returns the first of `count` further ones."""
        first, self._next = self._next, self._next + count
        return first


async def _rates(place: Ground, numbers: Numbers) -> list[Figure]:
    measured: dict[str, list[rates.Drained]] = {BARE: [], OURS: [], PAGES: []}
    for number in range(ROUNDS):
        measured[BARE].append(await rates.bare(place, SINGLE, WARM_UP))
        first = numbers.take(SINGLE + WARM_UP)
        measured[OURS].append(await rates.ours(place, SINGLE, WARM_UP, first=first, page_size=0))
        first = numbers.take(COUNT + WARM_UP)
        measured[PAGES].append(await rates.ours(place, COUNT, WARM_UP, first=first, page_size=50))
        print(f"round {number + 1}: " + ", ".join(f"{name} {found[-1].rate:.0f}/s" for name, found in measured.items()))
        await crew.rest(5)
    aims = {OURS: "≥ 2× bare", PAGES: "≥ 15× bare"}
    found = [
        median_of(
            RATES, name, "/s", [one.rate for one in many], beside=BARE if name != BARE else None, aim=aims.get(name)
        )
        for name, many in measured.items()
    ]
    for name in (OURS, PAGES):
        found += costs.of_processor(name, measured[name][-1])
    return found


async def _peers(place: Ground, _: Numbers) -> list[Figure]:
    found, notes = await measuring.of_peers(place, RATES, count=COUNT, warm_up=WARM_UP, rounds=ROUNDS)
    for note in notes:
        print(note)
    return found


async def _killed(place: Ground, numbers: Numbers) -> list[Figure]:
    count = measuring.KILLED_COUNT
    left = await killing.ours(place, first=numbers.take(count), count=count, page_size=50)
    return [*measuring.told("ours, in pages", left), *await measuring.kill_peers(place)]


async def _costs(place: Ground, numbers: Numbers) -> list[Figure]:
    return await costs.per_notification(place, first=numbers.take(100), count=100, rate=5)


async def _http() -> list[Figure]:
    async with ground(workers=1) as place:
        return [*await accepting.measure(place), *await callbacks.measure(place), *await latency.measure(place)]


async def _stored(place: Ground, numbers: Numbers) -> list[Figure]:
    few, many = [], []
    count = COUNT // 4
    for _ in range(ROUNDS):
        first = numbers.take(count + WARM_UP)
        few.append((await rates.ours(place, count, WARM_UP, first=first, page_size=50)).rate)
    rows = await stored.multiply(place.postgres.superuser_dsn, "carillon")
    for _ in range(ROUNDS):
        first = numbers.take(count + WARM_UP)
        many.append((await rates.ours(place, count, WARM_UP, first=first, page_size=50)).rate)
    group = "ten times the rows"
    before = "milliseconds per notification"
    return [
        median_of(group, before, "ms", [1000 / rate for rate in few]),
        median_of(
            group,
            f"with {rows:,} notifications stored",
            "ms",
            [1000 / rate for rate in many],
            beside=before,
            aim="≤ 1.1×",
        ),
    ]


async def _sleeping(place: Ground, _: Numbers) -> list[Figure]:
    return await sleeping.measure(place, COUNT)


PARTS: dict[str, Callable[[Ground, Numbers], Awaitable[list[Figure]]]] = {
    "costs": _costs,
    "rates": _rates,
    "peers": _peers,
    "killed": _killed,
    "stored": _stored,
    "sleeping": _sleeping,
}


async def main(wanted: Sequence[str]) -> int:
    """Runs the parts, reports what was measured, and returns how many parts failed."""
    figures = noise.measure("before")
    failed = [name async for name in _measured(wanted, figures)]
    figures += noise.measure("after")
    figures.sort(key=lambda figure: figure.group)
    report.show(figures)
    file = report.write(figures, name="latest" if not wanted else "-".join(wanted))
    print(f"written: {file}")
    if any(figure.group == RATES for figure in figures):
        print(f"drawn: {report.plot(figures, group=RATES, name='rates')}")
    if failed:
        print(f"not measured: {', '.join(failed)}")
    return len(failed)


async def _measured(wanted: Sequence[str], figures: list[Figure]) -> AsyncIterator[str]:
    """Adds the figures of each part and yields the names of those that failed: an hour's work must not go with one."""
    if not wanted or "idle" in wanted:
        with tempfile.TemporaryDirectory() as home:
            if not await _adds(figures, "idle", lambda: idle.measure(Path(home))):
                yield "idle"
    if (not wanted or "http" in wanted) and not await _adds(figures, "http", _http):
        yield "http"
    chosen = [name for name in PARTS if not wanted or name in wanted]
    if chosen:
        async with ground(workers=0) as place:
            numbers = Numbers()
            for name in chosen:
                if not await _adds(figures, name, partial(PARTS[name], place, numbers)):
                    yield name


async def _adds(figures: list[Figure], name: str, measure: Callable[[], Awaitable[list[Figure]]]) -> bool:
    print(f"measuring: {name}", flush=True)
    try:
        figures += await measure()
    except Exception:  # noqa: BLE001 - whatever it is, the other parts can still be measured
        traceback.print_exc()
        return False
    return True


if __name__ == "__main__":
    sys.exit(1 if uvloop.run(main(sys.argv[1:])) else 0)
