"""Runs a transaction again while the database is away for a moment; longer absences go to Temporal's retries."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from db.errors import is_unavailable

T = TypeVar("T")

_PAUSES = (0.05, 0.2, 0.5)
LONGEST = 5.0
"""Seconds for a transaction with all its repetitions."""


async def persist(transaction: Callable[[], Awaitable[T]]) -> T:
    """Returns what `transaction` returns; it must be safe to run again after a commit whose answer was lost.

    Raises:
        TimeoutError: It took too long in all.
    """
    async with asyncio.timeout(LONGEST):
        for pause in _PAUSES:
            try:
                return await transaction()
            except Exception as error:
                if not is_unavailable(error):
                    raise
            await asyncio.sleep(pause)
        return await transaction()
