"""Whether the database is there and has the schema that the code expects."""

from sqlalchemy import text

from db.session import Database


async def schema_revision(database: Database) -> str | None:
    """Returns the revision that the database was migrated to.

    The table belongs to Alembic and to the role that logs in, so the role of the transaction is put off for this read.
    """
    async with database.system() as connection:
        await connection.execute(text("SELECT set_config('role', 'none', true)"))
        if (await connection.execute(text("SELECT to_regclass('alembic_version')"))).scalar_one() is None:
            return None
        found: str | None = (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar()
        return found
