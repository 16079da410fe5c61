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

from db.errors import is_away

log = structlog.get_logger(__name__)

Item = TypeVar("Item")
Told = TypeVar("Told")

LARGEST = 50
"""Items of a group, or what they weigh."""


@dataclass(slots=True)
class _Line(Generic[Item, Told]):
    waiting: "deque[tuple[Item, asyncio.Future[Told]]]" = field(default_factory=deque)
    writers: int = 0


class Groups(Generic[Item, Told]):
    """Writes items of one tenant that come together in one transaction.

    `write` stores a tenant's items, all or none, and returns what to tell about each. Where it fails for a reason of
    its own, not because the database is away, each item is written alone: one that cannot be stored must not keep the
    others. With several `writers` a group that waits for a lock does not hold up all others. A group that is not full
    waits for as many seconds as `company` says of its first item. Nobody waits for longer than `patience` seconds,
    where there is one; `weight` says for how many an item counts.
    """

    def __init__(
        self,
        write: Callable[[UUID, Sequence[Item]], Awaitable[Sequence[Told]]],
        *,
        name: str,
        writers: int = 1,
        company: Callable[[Item], float] = lambda _: 0.0,
        weight: Callable[[Item], int] = lambda _: 1,
        patience: float | None = None,
    ) -> None:
        self._write = write
        self._name = name
        self._most = writers
        self._company = company
        self._weight = weight
        self._patience = patience
        self._lines: dict[UUID, _Line[Item, Told]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def put(self, tenant_id: UUID, item: Item) -> Told:
        """Writes an item and returns what there is to tell; raises what kept the database from taking it.

        Who gives up before its group is written is left out; later, nothing is taken back.

        Raises:
            TimeoutError: It took longer than anybody should wait; whether it is written is not known.
        """
        told: asyncio.Future[Told] = asyncio.get_running_loop().create_future()
        line = self._lines.setdefault(tenant_id, _Line())
        line.waiting.append((item, told))
        if line.writers < self._most:
            line.writers += 1
            writer = asyncio.create_task(self._write_all(tenant_id, line))
            self._tasks.add(writer)
            writer.add_done_callback(self._tasks.discard)
        async with asyncio.timeout(self._patience):
            return await told

    async def _write_all(self, tenant_id: UUID, line: _Line[Item, Told]) -> None:
        try:
            while line.waiting:
                company = self._company(line.waiting[0][0])
                if company and len(line.waiting) < LARGEST:
                    await asyncio.sleep(company)
                if group := self._next(line):
                    await self._write_group(tenant_id, group)
        finally:
            line.writers -= 1
            if not line.writers and not line.waiting:
                self._lines.pop(tenant_id, None)

    def _next(self, line: _Line[Item, Told]) -> "list[tuple[Item, asyncio.Future[Told]]]":
        """Takes the front of a line, without those who gave up; what is too heavy for company goes alone."""
        group: list[tuple[Item, asyncio.Future[Told]]] = []
        left = LARGEST
        while line.waiting:
            item, told = line.waiting[0]
            if not told.done():
                left -= self._weight(item)
                if group and left < 0:
                    break
                group.append((item, told))
            line.waiting.popleft()
        return group

    async def _write_group(self, tenant_id: UUID, group: "Sequence[tuple[Item, asyncio.Future[Told]]]") -> None:
        error = await self._try(tenant_id, group)
        if error is None:
            return
        if len(group) == 1 or is_away(error):
            _raise(group, error)
            return
        log.warning("group.one_by_one", what=self._name, count=len(group), error=type(error).__name__)
        for place, one in enumerate(group):
            error = await self._try(tenant_id, [one])
            if error is not None:
                _raise(group[place:] if is_away(error) else [one], error)
                if is_away(error):
                    return

    async def _try(self, tenant_id: UUID, group: "Sequence[tuple[Item, asyncio.Future[Told]]]") -> Exception | None:
        """Writes a group and tells its answers, or returns what kept it from being written."""
        try:
            found = await self._write(tenant_id, [item for item, _ in group])
            answers = list(zip(group, found, strict=True))
        except Exception as error:  # noqa: BLE001 - whoever waits judges it
            return error
        for (_, told), answer in answers:
            if not told.done():  # whoever waited may be gone
                told.set_result(answer)
        return None


def _raise(group: "Sequence[tuple[Item, asyncio.Future[Told]]]", error: Exception) -> None:
    for _, told in group:
        if not told.done():
            told.set_exception(error)
