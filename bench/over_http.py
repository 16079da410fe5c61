"""What the API takes over HTTP, beside a bare route, and how soon it goes out: run `python -m bench.over_http`.

Arguments choose from `accepting`, `callbacks` and `latency`; all three by default.
"""

import asyncio
import sys
from collections.abc import Iterable

from bench import accepting, callbacks, latency
from bench.figures import Figure
from bench.ground import Ground, ground

_PARTS = {"accepting": accepting.measure, "callbacks": callbacks.measure, "latency": latency.measure}


async def main(names: Iterable[str]) -> None:
    """Runs the chosen parts, one after the other on the same ground, and prints what they found."""
    async with ground(workers=1) as place:
        await _lift_limits(place)
        for name in names:
            for figure in await _PARTS[name](place):
                print(_line(figure), flush=True)


async def _lift_limits(place: Ground) -> None:
    """Lets the account send as fast as it can: what is measured is the machine, not Meta's own limits."""
    limits = {"rate": 100_000, "burst": 100_000, "pair_seconds": 0.001}
    for account in (await place.api.get("/v1/accounts")).raise_for_status().json()["data"]:
        (await place.api.patch(f"/v1/accounts/{account['id']}", json={"limits": limits})).raise_for_status()


def _line(figure: Figure) -> str:
    rounds = f"({min(figure.rounds):.2f} to {max(figure.rounds):.2f})" if len(figure.rounds) > 1 else ""
    aim = f"aim: {figure.aim}" if figure.aim else ""
    number = f"{figure.value:10.2f} {figure.unit:8}"
    return f"{figure.group:10} {figure.name:34} {number} {rounds:24} {aim}".rstrip()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:] or _PARTS))
