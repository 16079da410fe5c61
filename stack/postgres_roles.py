"""Makes the application's role and database in a fresh PostgreSQL server."""

from pathlib import Path

from stack.problems import StackError

SUPERUSER = "postgres"
ROLE = "carillon"
DATABASE = "carillon"


async def ensure_database(superuser_dsn: str, password: str, data: Path) -> None:
    """Creates the role and its database unless they are there.

    The role is no superuser, so row level security holds for it too; it may create roles and databases, since the
    migrations make the one that the application runs as, and tests copy databases.

    Raises:
        StackError: the files in `data` were made with other secrets.
    """
    import asyncpg  # noqa: PLC0415 - loaded here, so that commands that need no database start fast

    try:
        connection = await asyncpg.connect(superuser_dsn, timeout=10)
    except asyncpg.InvalidPasswordError as problem:
        message = (
            f"The database in {data} was made with other secrets; restore secrets.json, or move that directory away."
        )
        raise StackError(message) from problem
    try:
        if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", ROLE):
            await connection.execute(f"CREATE ROLE {ROLE} LOGIN CREATEDB CREATEROLE NOSUPERUSER NOBYPASSRLS")
        await connection.execute(f"ALTER ROLE {ROLE} PASSWORD '{password}'")
        if connection.get_server_version().major >= 16:  # noqa: PLR2004 - the first version with this setting
            await connection.execute(f"ALTER ROLE {ROLE} SET createrole_self_grant = 'set, inherit'")
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
            await connection.execute(f"CREATE DATABASE {DATABASE} OWNER {ROLE}")
    finally:
        await connection.close()
