"""Every peer beside ours, in the same run on the same servers: how fast, and what a killed worker leaves."""

from bench.figures import Figure, median_of
from bench.ground import Ground
from bench.peers.base import Killed, Place, killed, throughput
from bench.peers.every import every

KILLED_GROUP = "what a killed worker leaves"
KILLED_COUNT = 600


async def of_peers(
    place: Ground, group: str, *, count: int, warm_up: int, rounds: int
) -> tuple[list[Figure], list[str]]:
    """Returns the rate of every peer that can run here, and why others cannot."""
    where, figures, notes = _place(place), [], []
    for peer in every():
        if reason := await peer.available():
            notes.append(f"{peer.name}: not measured, {reason}")
            continue
        rates = [await throughput(peer, where, count=count, warm_up=warm_up) for _ in range(rounds)]
        print(f"{peer.name}: {', '.join(f'{rate:.0f}/s' for rate in rates)}", flush=True)
        figures.append(median_of(group, peer.name, "/s", rates))
    return figures, notes


async def kill_peers(place: Ground) -> list[Figure]:
    """Returns what became of messages whose worker was killed among them, for every peer."""
    figures = []
    for peer in every():
        if await peer.available() is None:
            figures += told(peer.name, await killed(peer, _place(place), count=KILLED_COUNT))
    return figures


def told(name: str, found: Killed) -> list[Figure]:
    """Returns the figures of one kill."""
    parts = {
        "in flight": found.in_flight,
        "sent twice": found.twice,
        "never sent": found.never,
        "in doubt": found.doubtful,
        "seconds until the last was sent again": found.seconds,
    }
    return [
        Figure(group=KILLED_GROUP, name=f"{name}: {part}", unit="", value=float(value))
        for part, value in parts.items()
        if value is not None
    ]


def _place(place: Ground) -> Place:
    return Place(
        dsn=place.postgres.superuser_dsn, provider_port=place.provider.port, directory=place.postgres.cluster.directory
    )
