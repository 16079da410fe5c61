"""Opens a play: its ground, its stage, and what a test says to it."""

from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from datetime import datetime
from pathlib import Path

from testing import ground, skipping_server
from testing import stage as stages
from testing.clock import PlayClock
from testing.flows import Flows
from testing.interceptors import Watch
from testing.loop import LoopThread
from testing.servers import Servers


@contextmanager
def opened_play(loop: LoopThread, servers: Servers, *, start: datetime, zone: str, stage: str) -> Iterator[Flows]:
    """Yields a play on a stage (`skipping`, `jumping`, or `auto`), and takes it down afterwards.

    Raises:
        LookupError: Time is to be skipped, and the server that does it cannot be had.
    """
    program, down = _program(stage), AsyncExitStack()

    async def up() -> Flows:
        clock = PlayClock(start)
        watch, stood_on = Watch(clock=clock), await down.enter_async_context(ground.opened(servers, clock))
        staged = (
            stages.jumping(stood_on, watch, await servers.temporal())
            if program is None
            else stages.skipping(stood_on, watch, program)
        )
        return Flows(loop, await down.enter_async_context(staged), zone)

    try:
        yield loop.run(up())
    finally:
        loop.run(down.aclose())


def _program(stage: str) -> Path | None:
    """Returns the server that skips time, None where plays are to jump."""
    if stage == "jumping":
        return None
    found = skipping_server.locate()
    if found is None and stage == "skipping":
        raise LookupError("Temporal's test server needs Java and, once, Maven; leave --carillon-stage out.")
    return found
