"""Measures every peer that can run here and prints a table: `COUNT=3000 python -m bench.peers [part of a name]`."""

import asyncio
import os
import shutil
import sys
import tempfile
from pathlib import Path

from bench.ground import durable_postgres
from bench.peers.base import Killed, Place, killed, throughput
from bench.peers.every import every
from bench.processes import running
from stack.ports import any_free

COUNT = int(os.environ.get("COUNT", "3000"))
KILLED = int(os.environ.get("KILLED", "2000"))


async def measure(only: str) -> None:
    """Measures the peers whose names contain a text."""
    directory = _directory()
    port = any_free()
    try:
        async with durable_postgres(directory) as postgres, running("-m", "bench.provider", str(port)):
            await _until_open(port)
            place = Place(dsn=postgres.superuser_dsn, provider_port=port, directory=directory)
            for peer in every():
                if only not in peer.name:
                    continue
                if reason := await peer.available():
                    print(f"{peer.name:<34} not measured: {reason}")
                    continue
                rate = await throughput(peer, place, count=COUNT) if COUNT else 0.0
                print(f"{peer.name:<34} {rate:7.0f} messages/s", end="", flush=True)
                print(_told(await killed(peer, place, count=KILLED)) if KILLED else "", flush=True)
    finally:
        await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True)


def _directory() -> Path:
    """Returns a new directory that the server's own user may enter."""
    made = Path(tempfile.mkdtemp(prefix="carillon-peers-"))
    made.chmod(0o755)
    return made


def _told(found: Killed) -> str:
    again = "nothing was sent again" if found.seconds is None else f"last sent again after {found.seconds:.1f} s"
    return (
        f"; of {found.count}, {found.in_flight} in flight at a kill: "
        f"{found.twice} twice, {found.never} never, {found.doubtful} in doubt, {again}"
    )


async def _until_open(port: int) -> None:
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise SystemExit("The stand-in provider does not come up.")


if __name__ == "__main__":
    asyncio.run(measure(" ".join(sys.argv[1:])))
