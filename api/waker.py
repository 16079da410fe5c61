"""Wakes the dispatchers of the outbox after a commit; a lost call costs them a second of latency, never a row."""

from typing import TYPE_CHECKING

from db.outbox import CHANNEL
from db.session import Database

if TYPE_CHECKING:
    import asyncpg


class Waker:
    """Notifies PostgreSQL's listeners, on a connection of its own and once for all commits of the same moment.

    NOTIFY inside the accepting transaction would make all commits of the server wait for each other.
    """

    def __init__(self) -> None:
        self._wanted = False
        self._calling = False
        self._connection: asyncpg.Connection | None = None

    def wants_call(self) -> bool:
        """Notes that rows were committed, and tells whether somebody has to run `call` for them."""
        self._wanted = True
        return not self._calling

    async def call(self, database: Database) -> None:
        """Calls until no commit is left that nobody called for."""
        if self._calling:
            return
        self._calling = True
        try:
            while self._wanted:
                self._wanted = False
                await self._notify(database)
        except BaseException:
            await self.close()
            raise
        finally:
            self._calling = False

    async def close(self) -> None:
        """Closes the connection; the next call opens another one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def _notify(self, database: Database) -> None:
        if self._connection is None or self._connection.is_closed():
            self._connection = await database.listener()
        await self._connection.execute(f"NOTIFY {CHANNEL}", timeout=5)
