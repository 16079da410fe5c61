"""Writes in groups: what comes while a commit is on its way goes into the next one.

One that comes alone never waits for company, and under load groups form by themselves.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from uuid import UUID

import structlog

from db.errors import is_unavailable

log = structlog.get_logger(__name__)

Item = TypeVar("Item")
Told = TypeVar("Told")

LARGEST = 50


@dataclass(slots=True)
class _Line(Generic[Item, Told]):
    waiting: "deque[tuple[Item, asyncio.Future[Told]]]" = field(default_factory=deque)
    writers: int = 0


class Groups(Generic[Item, Told]):
    """Writes items of one tenant that come together in one transaction.

    `write` stores a tenant's items, all or none, and returns what to tell about each. Where it fails for a reason of
    its own, not because the database is away, each item is written alone: one that cannot be stored must not keep the
    others. With several `writers` a group that waits for a lock does not hold up all others. A group that is not full
    waits for as many seconds as `company` says of its first item.
    """

    def __init__(
        self,
        write: Callable[[UUID, Sequence[Item]], Awaitable[Sequence[Told]]],
        *,
        name: str,
        writers: int = 1,
        company: Callable[[Item], float] = lambda _: 0.0,
    ) -> None:
        self._write = write
        self._name = name
        self._most = writers
        self._company = company
        self._lines: dict[UUID, _Line[Item, Told]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def put(self, tenant_id: UUID, item: Item) -> Told:
        """Writes an item and returns what there is to tell; raises what kept the database from taking it.

        Who gives up waiting takes nothing back.
        """
        told: asyncio.Future[Told] = asyncio.get_running_loop().create_future()
        line = self._lines.setdefault(tenant_id, _Line())
        line.waiting.append((item, told))
        if line.writers < self._most:
            line.writers += 1
            writer = asyncio.create_task(self._write_all(tenant_id, line))
            self._tasks.add(writer)
            writer.add_done_callback(self._tasks.discard)
        return await told

    async def _write_all(self, tenant_id: UUID, line: _Line[Item, Told]) -> None:
        try:
            while line.waiting:
                company = self._company(line.waiting[0][0])
                if company and len(line.waiting) < LARGEST:
                    await asyncio.sleep(company)
                group = [line.waiting.popleft() for _ in range(min(len(line.waiting), LARGEST))]
                if group:
                    await self._write_group(tenant_id, group)
        finally:
            line.writers -= 1
            if not line.writers and not line.waiting:
                self._lines.pop(tenant_id, None)

    async def _write_group(self, tenant_id: UUID, group: "Sequence[tuple[Item, asyncio.Future[Told]]]") -> None:
        try:
            found = await self._write(tenant_id, [item for item, _ in group])
        except Exception as error:  # noqa: BLE001 - whoever waits judges it
            if len(group) == 1 or is_unavailable(error):
                for _, told in group:
                    _raise(told, error)
                return
            log.warning("group.one_by_one", what=self._name, count=len(group), error=type(error).__name__)
            for one in group:
                await self._write_group(tenant_id, [one])
            return
        for (_, told), answer in zip(group, found, strict=True):
            if not told.done():  # whoever waited may be gone
                told.set_result(answer)


def _raise(told: "asyncio.Future[Told]", error: Exception) -> None:
    if not told.done():
        told.set_exception(error)
