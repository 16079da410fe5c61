"""Starts a process of the product with one bug planted."""

import asyncio
import sys
from pathlib import Path

import asyncpg

import cli
from settings import Settings
from tests.chaos.planted import BUGS, Bug
from tests.chaos.planted.orders import follow

_USAGE = """usage: python -m tests.chaos.planted <bug> worker|api
       python -m tests.chaos.planted @<file with orders> worker|api"""
_FEWEST = 3


def main() -> None:
    """Plants the bug that the command line names where it belongs, and goes on as the command without it."""
    name = sys.argv[1] if len(sys.argv) >= _FEWEST else ""
    if name not in BUGS and not name.startswith("@"):
        listed = "\n".join(f"  {bug.name:<32} {bug.sentence}" for bug in BUGS.values())
        sys.exit(f"{_USAGE}\n{listed}")
    role = sys.argv[2]
    if name.startswith("@"):
        follow(Path(name[1:]), role)
    elif role in BUGS[name].processes:
        asyncio.run(_change_database(BUGS[name]))
        BUGS[name].plant()
        sys.stderr.write(f"planted {name}: {BUGS[name].sentence}\n")
    sys.argv = ["carillon", *sys.argv[2:]]
    cli.main()


async def _change_database(bug: Bug) -> None:
    if not bug.database:
        return
    connection = await asyncpg.connect(Settings().database_url.get_secret_value(), timeout=10)
    try:
        for change in bug.database:
            await connection.execute(change.make)
    finally:
        await connection.close()


if __name__ == "__main__":
    main()
