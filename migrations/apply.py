"""Brings a database to the newest schema; safe to run from several processes at once."""

import asyncio
import io
from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from db.session import async_dsn

# Any constant: two processes that migrate the same database take turns.
_ADVISORY_LOCK = 7_261_993_104


def upgrade(dsn: str, revision: str = "head") -> None:
    """Applies every missing migration up to `revision`."""
    asyncio.run(upgrade_async(dsn, revision))


async def upgrade_async(dsn: str, revision: str = "head") -> None:
    """Applies every missing migration up to `revision`, inside a running event loop."""
    await _run(dsn, lambda connection: _command(connection, "upgrade", revision))


async def downgrade_async(dsn: str, revision: str) -> None:
    """Takes migrations back down to `revision`; for tests of the migrations themselves."""
    await _run(dsn, lambda connection: _command(connection, "downgrade", revision))


async def check_async(dsn: str) -> None:
    """Raises when the tables of the code differ from the migrated database."""
    await _run(dsn, lambda connection: _command(connection, "check"))


async def current_async(dsn: str) -> str | None:
    """Returns the revision that the database is at."""
    found: list[str | None] = []
    await _run(dsn, lambda connection: found.append(MigrationContext.configure(connection).get_current_revision()))
    return found[0]


def newest() -> str:
    """Returns the revision that this code expects."""
    head = ScriptDirectory.from_config(configuration()).get_current_head()
    return head or ""


def sql() -> str:
    """Returns the SQL of all migrations, for linters and for those who apply SQL by hand."""
    config = configuration()
    config.output_buffer = io.StringIO()
    command.upgrade(config, "head", sql=True)
    return config.output_buffer.getvalue()


def configuration() -> Config:
    """Returns Alembic's configuration; there is no ini file."""
    config = Config(stdout=io.StringIO())
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    return config


async def _run(dsn: str, work: Callable[[Connection], object]) -> None:
    engine = create_async_engine(async_dsn(dsn))
    try:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _ADVISORY_LOCK})
            await connection.commit()
            try:
                await connection.run_sync(work)
                await connection.commit()
            finally:
                await connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _ADVISORY_LOCK})
    finally:
        await engine.dispose()


def _command(connection: Connection, name: str, *arguments: str) -> None:
    config = configuration()
    config.attributes["connection"] = connection
    getattr(command, name)(config, *arguments)
