"""Hands committed rows to Temporal: starts, signals, clocks; fair between tenants, at the pace the workers take.

It runs inside the worker's process and uses the worker's client, because only then can the server hand the first task
of a started workflow straight back (eager start). A crash anywhere loses nothing: a lease runs out and another
dispatcher takes the row; what was started already is found started.
"""

import asyncio
import contextlib
import sys
from collections.abc import Collection
from dataclasses import replace
from time import monotonic
from uuid import UUID

import structlog
from prometheus_client import Counter, Histogram
from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio.client import Client
from temporalio.common import (
    Priority,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from activities.bulkheads import Bulkheads
from activities.schedule_clocks import ScheduleClocks
from crashpoints import crash_here
from db import outbox, pages
from db.errors import FAILURES, is_unavailable
from db.outbox import Entry
from db.session import Database
from domain import keys
from domain.notifications import LANES, Lane
from domain.pages import SMALLEST_PAGE
from workflows import starting

log = structlog.get_logger(__name__)

_HANDED_OVER = Counter("carillon_outbox_handed_over_total", "Outbox rows handed to Temporal", ["kind", "result"])
_LEASED = Histogram("carillon_outbox_lease_rows", "Rows taken by one lease", buckets=(0, 1, 2, 5, 10, 20, 50, 100))

_POLL_SECONDS = 1.0
_AWAY = {RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.RESOURCE_EXHAUSTED}
_AWAY_SECONDS = 2.0
_LONGEST_PAUSE = 600.0
_CRAMPED_SECONDS = 0.5
_PACE = 0.02
"""Seconds from one turn to the next: each costs two transactions, however few rows it moves."""
_SERIES = keys.series_workflow("")
# Where a series stands is in the database: another workflow under its id goes on from there, or ends at once.
_REUSE = {"series": WorkflowIDReusePolicy.ALLOW_DUPLICATE}


class Dispatcher:
    """Takes rows of the outbox and hands them over, `in_flight` at a time.

    With `bulkheads` it starts no more than this process has room for; what does not fit stays in the outbox, in its
    tenant's line, where whoever is more urgent still overtakes it. Signals always pass. With a `page_size`, the fronts
    of long lines start as pages of that size as soon as it falls behind.
    """

    def __init__(
        self,
        database: Database,
        client: Client,
        *,
        task_queue: str,
        in_flight: int = 20,
        bulkheads: Bulkheads | None = None,
        page_size: int = 0,
    ) -> None:
        self._page_size = page_size
        self._behind = False
        self._cramped_since: float | None = None
        self._database = database
        self._client = client
        self._task_queue = task_queue
        self._clocks = ScheduleClocks(database, client, task_queue=task_queue)
        self._in_flight = in_flight
        self._bulkheads = bulkheads or Bulkheads(sys.maxsize)
        self._awake = asyncio.Event()
        self._bulkheads.on_room(self._awake.set)
        self._served = outbox.turns({}, [])
        self._finished: list[Entry] = []
        self._running: set[asyncio.Task[None]] = set()
        self._database_answers = True
        self._temporal_answers = True

    @property
    def healthy(self) -> bool:
        """Tells whether both neighbours answered when they were last asked."""
        return self._database_answers and self._temporal_answers

    async def run(self) -> None:
        """Dispatches until cancelled; rows that are being handed over are finished first."""
        listener = asyncio.create_task(self._listen())
        try:
            while True:
                began = monotonic()
                if not await self._turn():
                    await self._pause()
                # After a rest it takes what comes at once; under load what ends meanwhile is moved on together.
                await asyncio.sleep(max(0.0, _PACE - (monotonic() - began)))
        finally:
            listener.cancel()
            await asyncio.gather(*self._running, listener, return_exceptions=True)
            with contextlib.suppress(Exception):  # the lease runs out by itself; what was started is found started
                await self._mark()

    async def _turn(self) -> bool:
        """Marks what was handed over, takes what is free, and tells whether there was anything to do."""
        try:
            await self._mark()
            entries = await self._lease(self._in_flight - len(self._running))
        except FAILURES as error:
            if self._database_answers:
                log.warning("outbox.database_away", error=type(error).__name__, away=is_unavailable(error))
            self._database_answers = False
            return False
        self._database_answers = True
        for entry in entries:
            task = asyncio.create_task(self._hand_over(entry))
            self._running.add(task)
            task.add_done_callback(self._ended)
        return bool(entries)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._awake.set()

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_POLL_SECONDS):
                await self._awake.wait()
        self._awake.clear()

    async def _lease(self, count: int) -> list[Entry]:
        if count <= 0:
            return []
        room, hands = self._bulkheads.room, self._bulkheads.free_hands
        free = min(count, room, hands)
        count, highest = (free, outbox.LAST_LANE) if free else (count, outbox.SIGNALS)
        paged: Collection[UUID] = ()
        async with self._database.system() as connection:
            if self._behind and free:
                waits = self._is_worth_waiting(room)
                highest = LANES[Lane.CRITICAL] if waits else highest
                # Pages, not the rows behind them, are what a long line starts.
                paged = () if waits else await self._form_pages(connection, room)
            entries = await outbox.lease(connection, count=count, served=self._served, highest=highest, paged=paged)
        if highest == outbox.LAST_LANE:
            self._behind = (len(entries) == count or bool(paged)) and self._page_size > 0
        self._served = outbox.turns(self._served, entries)
        for entry in entries:  # before it is asked how much room is left the next time
            if entry.kind == "start" and (attempts := starting.attempts_at_once(entry.payload)):
                self._bulkheads.started(entry.workflow_id, attempts)
        if entries:
            crash_here("after_lease")
        _LEASED.observe(len(entries))
        return entries

    def _is_worth_waiting(self, room: int) -> bool:
        """Tells whether to leave the few places that are free until there are enough of them for a page, a moment long.

        One by one they would be taken by single starts, and no page would ever find room.
        """
        if room >= self._page_size:
            self._cramped_since = None
            return False
        self._cramped_since = self._cramped_since or monotonic()
        return monotonic() - self._cramped_since < _CRAMPED_SECONDS

    async def _form_pages(self, connection: AsyncConnection, room: int) -> Collection[UUID]:
        """Lets the front of each long line start as one page; what is urgent never waits in one."""
        size = min(self._page_size, room)
        least = min(SMALLEST_PAGE, self._page_size)
        if size < least:
            return ()
        lane = LANES[Lane.TRANSACTIONAL]
        formed = await pages.form(connection, lane=lane, size=size, least=least, most=room // size)
        if formed:
            crash_here("before_page_commit")
        return formed

    async def _mark(self) -> None:
        finished, self._finished = self._finished, []
        if not finished:
            return
        try:
            async with self._database.system() as connection:
                await outbox.done(connection, finished)
                crash_here("before_mark_commit")
        except BaseException:
            self._finished = finished + self._finished
            raise
        crash_here("after_mark")

    async def _hand_over(self, entry: Entry) -> None:
        try:
            result = await self._carry(entry)
        except Exception as error:  # noqa: BLE001 - the row stays, is looked at again, and harms no other row
            await self._postpone(entry, error)
            return
        crash_here("after_start_before_mark")
        self._temporal_answers = True
        _HANDED_OVER.labels(entry.kind, result).inc()
        self._finished.append(entry)

    async def _carry(self, entry: Entry) -> str:
        if entry.kind == "schedule":
            return await self._clocks.bring_up(entry.tenant_id, UUID(entry.payload["schedule_id"]))
        return await (self._start(entry) if entry.kind == "start" else self._signal(entry))

    async def _postpone(self, entry: Entry, error: Exception) -> None:
        """Gives a row back, for longer each time; while Temporal is away, all of them just wait for it."""
        _HANDED_OVER.labels(entry.kind, "postponed").inc()
        if isinstance(error, RPCError) and error.status in _AWAY:
            if self._temporal_answers:
                log.warning("outbox.temporal_away", error=error.status.name)
            self._temporal_answers = False
            pause = _AWAY_SECONDS
        else:
            log.error("outbox.not_handed_over", workflow_id=entry.workflow_id, kind=entry.kind, error=repr(error))
            pause = min(2.0**entry.leases, _LONGEST_PAUSE)
        with contextlib.suppress(Exception):  # the lease runs out by itself
            async with self._database.system() as connection:
                await outbox.release(connection, [entry], seconds=pause)

    async def _start(self, entry: Entry) -> str:
        result = "failed"
        try:
            result = await self._start_workflow(entry)
        finally:
            if result != "started":
                self._bulkheads.ended(entry.workflow_id)
        return result

    async def _start_workflow(self, entry: Entry) -> str:
        payload = entry.payload
        try:
            await self._client.start_workflow(
                payload["workflow"],
                starting.INPUTS[payload["workflow"]](payload["input"]),
                id=entry.workflow_id,
                task_queue=self._task_queue,
                id_reuse_policy=_REUSE.get(payload["workflow"], WorkflowIDReusePolicy.REJECT_DUPLICATE),
                search_attributes=starting.search_attributes(entry.tenant_id, payload),
                static_summary=starting.summary(payload),
                priority=Priority(priority_key=entry.lane + 1, fairness_key=str(entry.tenant_id)),
                request_eager_start=True,
            )
        except WorkflowAlreadyStartedError:
            return "already started"
        return "started"

    async def _signal(self, entry: Entry) -> str:
        handle = self._client.get_workflow_handle(entry.workflow_id)
        try:
            await handle.signal(entry.payload["signal"], args=entry.payload["arguments"])
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return await self._revive(entry) if entry.workflow_id.startswith(_SERIES) else "nobody waits"
        return "signalled"

    async def _revive(self, entry: Entry) -> str:
        """Gives a series whose workflow is gone another one: it goes on from where the database has it."""
        order = {"tenant_id": str(entry.tenant_id), "series_id": entry.workflow_id.removeprefix(_SERIES)}
        payload = {"workflow": "series", "input": order, "summary": "woken"}
        return await self._start_workflow(replace(entry, lane=LANES[Lane.TRANSACTIONAL], payload=payload))

    async def _listen(self) -> None:
        """Wakes the dispatcher when somebody commits rows; without it, it looks once a second."""
        while True:
            with contextlib.suppress(Exception):  # a lost connection is made anew; polling goes on meanwhile
                connection = await self._database.listener()
                try:
                    lost = asyncio.Event()
                    connection.add_termination_listener(lambda *_, lost=lost: lost.set())
                    await connection.add_listener(outbox.CHANNEL, lambda *_: self._awake.set())
                    await lost.wait()
                finally:
                    await connection.close(timeout=1)
            await asyncio.sleep(_POLL_SECONDS)
