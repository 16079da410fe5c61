"""One installation that lives through many scenarios: its API and its worker change their bugs while they run."""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from tests.chaos.disk import small_disk
from tests.chaos.installation import API, POSTGRES, Installation
from tests.chaos.mail_relay import MailRelay
from tests.chaos.plan import Plan
from tests.chaos.planted import BUGS, WORKER
from tests.chaos.planted.orders import Order, followed, give
from tests.chaos.recorder import Recorder

_BACK_WITHIN = 120.0
_POLL = 0.02
_LAZY = ("ALTER SYSTEM SET wal_writer_delay = '10s'", "SELECT pg_reload_conf()")
_DILIGENT = ("ALTER SYSTEM RESET wal_writer_delay", "SELECT pg_reload_conf()")
_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'carillon' AND wait_event_type = 'Lock'"
_LEDGER = ("outbox", "decision", "receipt", "inbound_message", "callback", "attempt", "message", "notification")


class Workshop(Installation):
    """An installation of one API and one worker that take orders."""

    def __init__(self, directory: Path, disk: Path, *, bounce_relay: int) -> None:
        self.directory = directory
        self._number = 0
        self._bug: str | None = None
        for role in (API, WORKER):
            give(self._orders(role), Order())
        super().__init__(Plan(seed=0, workers=1), directory, disk, bounce_relay=bounce_relay)

    async def become(self, bug: str | None, armed: Mapping[str, str], *, stops: bool = False) -> None:
        """Returns once API and worker have a bug, or none, and the crash points of their roles are armed."""
        if bug is not None:
            await self.execute(*(change.make for change in BUGS[bug].database))
        self._bug = bug
        self._number += 1
        for role in (API, WORKER):
            order = Order(number=self._number, bug=bug, armed=armed.get(role, ""), stops=stops)
            give(self._orders(role), order)
        async with asyncio.timeout(_BACK_WITHIN):
            while any(followed(self._orders(role)) != self._number for role in (API, WORKER)):
                await asyncio.sleep(_POLL)

    async def mend(self) -> None:
        """Takes back what the last bug changed in the database; whatever was sent so far is forgotten."""
        changes = BUGS[self._bug].database if self._bug is not None else ()
        mended = [change.mend for change in changes if change.mend]
        if mended:
            emptied = [f"DELETE FROM {name}" for name in _LEDGER]  # noqa: S608 - names of our own
            await self.execute("SET session_replication_role = replica", *emptied, *mended)

    async def forget(self) -> None:
        """Kills PostgreSQL and returns once everything is back."""
        self.kill(POSTGRES)
        await self.whole()

    async def whole(self) -> None:
        """Returns once every part is there."""
        if not await self.heal(_BACK_WITHIN):
            raise TimeoutError(f"not every part was there within {_BACK_WITHIN:.0f} s")

    async def reached(self, times: int) -> None:
        """Returns once so many crash points were reached in all."""
        async with asyncio.timeout(_BACK_WITHIN):
            while len(self.crash_points) < times:
                await asyncio.sleep(_POLL)

    async def locked(self) -> bool:
        """Tells whether somebody waits for a lock of the database."""
        connection = await asyncpg.connect(self.truth_dsn, timeout=10)
        try:
            waiting: int = await connection.fetchval(_WAITING)
        finally:
            await connection.close()
        return waiting > 0

    @asynccontextmanager
    async def lazy_database(self) -> AsyncIterator[None]:
        """Lets PostgreSQL write what nobody waits for as late as it may, within the block; all connect anew."""
        await self.execute(*_LAZY)
        self.proxy.cut()
        try:
            yield
        finally:
            await self.execute(*_DILIGENT)

    async def execute(self, *statements: str) -> None:
        """Executes statements as a superuser."""
        if not statements:
            return
        connection = await asyncpg.connect(self.truth_dsn, timeout=10)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    def _command(self, role: str) -> list[str]:
        if role in {API, WORKER}:
            return [sys.executable, "-m", "tests.chaos.planted", f"@{self._orders(role)}", role]
        return super()._command(role)

    def _environment(self, name: str) -> dict[str, str]:
        """Housekeeping stays away: it would mend what a bug did before anybody has looked."""
        return {**super()._environment(name), "CARILLON_HOUSEKEEPING_SECONDS": "3600"}

    def _orders(self, role: str) -> Path:
        return self.directory / f"{role}.orders"


@asynccontextmanager
async def workshop() -> AsyncIterator[Workshop]:
    """Yields a workshop that is up, in a directory of its own."""
    with tempfile.TemporaryDirectory(prefix="carillon-planted-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        await asyncio.to_thread(directory.chmod, 0o755)  # the database's user has to pass
        recorder = Recorder(directory / "bounces.jsonl")
        relay = MailRelay(recorder)
        await relay.start()
        with small_disk(directory / "disk") as disk:
            made = Workshop(directory, disk.path, bounce_relay=relay.port)
            try:
                await made.start()
                yield made
            finally:
                await made.stop()
                await relay.stop()
                recorder.close()
