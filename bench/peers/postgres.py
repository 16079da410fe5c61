"""What peers on PostgreSQL share: a database of their own, and a table that says what became of each message."""

from urllib.parse import urlsplit

import asyncpg

from bench.peers.base import Peer, Place

_TABLE = """
    CREATE TABLE message (
        id bigint PRIMARY KEY,
        recipient text NOT NULL,
        name text NOT NULL,
        state text NOT NULL,
        provider_id text
    )
"""


class PostgresPeer(Peer):
    """A peer whose messages are rows of the table `message`."""

    def __init__(self) -> None:
        self.dsn = ""
        self.provider = ""
        self._server = ""
        self._database = ""

    async def available(self) -> str | None:
        """Returns None: PostgreSQL is always there."""
        return None

    async def prepare(self, place: Place) -> None:
        """Makes a new database with an empty table."""
        self._server, self._database = place.dsn, "peer_" + "".join(filter(str.isalnum, self.name.lower()))
        # What the last measurement left to write is not paid for by this one.
        await _run(
            self._server,
            f"DROP DATABASE IF EXISTS {self._database} WITH (FORCE)",
            f"CREATE DATABASE {self._database}",
            "CHECKPOINT",
        )
        self.dsn = urlsplit(place.dsn)._replace(path=f"/{self._database}").geturl()
        self.provider = f"http://127.0.0.1:{place.provider_port}"
        await self.run(_TABLE)

    async def run(self, *statements: str) -> None:
        """Runs statements in the peer's database, each for itself."""
        await _run(self.dsn, *statements)

    async def close(self) -> None:
        """Drops the database."""
        if self._server:
            await _run(self._server, f"DROP DATABASE IF EXISTS {self._database} WITH (FORCE)")

    async def sent(self) -> int:
        """Returns how many rows say "sent" and name the provider's id."""
        named = "SELECT recipient FROM message WHERE state = 'sent' AND provider_id IS NOT NULL"
        return len(await self._recipients(named))

    async def doubtful(self) -> list[str]:
        """Returns the recipients of rows that say "sending"."""
        return await self._recipients("SELECT recipient FROM message WHERE state = 'sending'")

    async def _recipients(self, question: str) -> list[str]:
        connection = await asyncpg.connect(self.dsn)
        try:
            found = await connection.fetch(question)
        finally:
            await connection.close()
        return [row["recipient"] for row in found]


async def _run(dsn: str, *statements: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()
