"""Bugs in what runs beside the sending: the dispatcher, and whoever sweeps up."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from activities.reconciliation import Reconciliation
from db import outbox
from tests.chaos.planted.registry import WORKER, bug, swap
from tests.chaos.report import Kind


@bug(WORKER, finds={Kind.LOST})
def done_before_the_start() -> None:
    """A row of the outbox is removed when it is taken, not when Temporal has the workflow."""

    def removing(lease: Any) -> Any:
        async def leased(connection: AsyncConnection, **asked: Any) -> Any:
            entries = await lease(connection, **asked)
            if entries:
                await outbox.done(connection, entries)
            return entries

        return leased

    swap(outbox, "lease", removing)


@bug(WORKER, finds={Kind.RECEIPT_LOST})
def sweeper_off() -> None:
    """Nobody looks again for the messages of receipts that came too early."""

    async def nothing(_self: Reconciliation) -> int:
        return 0

    swap(Reconciliation, "adopt", lambda _: nothing)
