"""Ten times the rows already stored: what is there must not make what comes dearer.

Every notification with its messages, attempts and decisions is copied nine times, with ids and keys of its own, as if
it had been sent before.
"""

import asyncpg

COPIES = 9
_TABLES = ("notification", "message", "attempt", "decision")
_OWN = {
    "id": "md5({column}::text || '/{copy}')::uuid",
    "notification_id": "md5({column}::text || '/{copy}')::uuid",
    "message_id": "md5({column}::text || '/{copy}')::uuid",
    "idempotency_key": "{column} || '/{copy}'",
    "provider_message_id": "{column} || '/{copy}'",
    "provider_id": "{column} || '/{copy}'",
    "reference": "md5({column} || '/{copy}')",
}


async def multiply(superuser_dsn: str, database: str) -> int:
    """Copies what is stored nine times and returns how many notifications there are then."""
    connection = await asyncpg.connect(superuser_dsn, database=database)
    try:
        await connection.execute("SET session_replication_role = replica")  # each copy is as whole as its original
        for table in _TABLES:
            await connection.execute(f"CREATE TEMP TABLE original_{table} AS TABLE {table}")
            columns = [row["column_name"] for row in await connection.fetch(_COLUMNS, table)]
            for copy in range(COPIES):
                quoted = [f'"{name}"' for name in columns]
                values = [_OWN.get(name, "{column}").format(column=f'"{name}"', copy=copy) for name in columns]
                await connection.execute(
                    f"INSERT INTO {table} ({', '.join(quoted)}) SELECT {', '.join(values)} FROM original_{table}"  # noqa: S608 - names from the catalogue and from here
                )
        await connection.execute("ANALYZE")
        found: int = await connection.fetchval("SELECT count(*) FROM notification")
        return found
    finally:
        await connection.close()


_COLUMNS = """
SELECT column_name FROM information_schema.columns
WHERE table_schema = 'public' AND table_name = $1 AND is_generated = 'NEVER' ORDER BY ordinal_position
"""
