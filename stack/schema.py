"""Tells cheaply whether a database has the newest schema; a doubt counts as no, and the migrations decide."""

import re
from pathlib import Path

from stack.probes import plain

_VERSIONS = Path(__file__).resolve().parent.parent / "migrations" / "versions"
_REVISION = re.compile(r"^revision\b[^=\n]*= *[\"'](\w+)[\"']", re.MULTILINE)
_DOWN_REVISION = re.compile(r"^down_revision\b[^=\n]*= *[\"'](\w+)[\"']", re.MULTILINE)


async def is_newest(dsn: str) -> bool:
    """Tells whether the database is surely at the last migration of this code.

    Loading the migrations takes two seconds of every start, reading their heads two milliseconds.
    """
    import asyncpg  # noqa: PLC0415 - loaded here, so that commands that need no database start fast

    newest = last_revision(_VERSIONS)
    if newest is None:
        return False
    connection = await asyncpg.connect(plain(dsn), timeout=10)
    try:
        if await connection.fetchval("SELECT to_regclass('alembic_version')") is None:
            return False
        rows = await connection.fetch("SELECT version_num FROM alembic_version")
    finally:
        await connection.close()
    return [row["version_num"] for row in rows] == [newest]


def last_revision(versions: Path) -> str | None:
    """Returns the one revision that no other builds on, None when that cannot be told."""
    texts = [file.read_text(encoding="utf-8") for file in versions.glob("*.py")]
    revisions = {name for text in texts for name in _REVISION.findall(text)}
    heads = revisions - {name for text in texts for name in _DOWN_REVISION.findall(text)}
    return heads.pop() if len(heads) == 1 and len(revisions) == len(texts) else None
