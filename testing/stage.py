"""Temporal as a play needs it: a worker and its dispatcher, a way to move the clock, and to know when all is still."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import asyncpg
from temporalio.api.enums.v1 import EventType, IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment

from db.outbox import CHANNEL
from domain import keys
from outbox import Dispatcher
from stack.search_attributes import SEARCH_ATTRIBUTES
from testing.ground import Ground
from testing.interceptors import PlayInterceptor, Watch
from worker import compose
from workflows.client import data_converter

_STILL_WITHIN = 30.0
_POLL = 0.01
# A timer of the server begins a moment after the workflow asked for it; so much later than its instant it has rung.
_LATE = timedelta(seconds=1)
_BUSY = frozenset(
    {
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
        EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
        EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED,
        EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
        EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED,
        EventType.EVENT_TYPE_TIMER_FIRED,
    }
)
_OVER = frozenset(
    {
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT,
    }
)
_KINDS = {
    "Keyword": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    "KeywordList": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Where the workflows of a play run.

    Attributes:
        eye: A connection that sees every row: the play's own database has one superuser, who looks on.
        skips: Whether the server itself skips time, so that notifications wait on the play's clock, too.
    """

    ground: Ground
    watch: Watch
    eye: asyncpg.Connection
    client: Client
    skips: bool
    sleep: Callable[[timedelta], Awaitable[None]]

    async def go_to(self, instant: datetime) -> None:
        """Lets it be an instant, and returns when all that is due by then was done."""
        self.watch.clock.stand_at(instant)
        for _ in range(30):
            self.watch.resting.clear()  # time moves on in each turn, so a timer of any of them may ring
            await self._let_pass(instant)
            await self.still()
            if not await self._is_behind(instant):
                return
        raise TimeoutError(f"what was due at {instant} was not done; is the machine overloaded?")

    async def still(self) -> None:
        """Waits until nothing is handed over any more, and every workflow rests.

        Raises:
            TimeoutError: Something goes on and on.
        """
        async with asyncio.timeout(_STILL_WITHIN):
            while not await self._is_still():  # noqa: ASYNC110 - other processes are looked at
                await asyncio.sleep(_POLL)

    async def messages_wait(self) -> bool:
        """Tells whether a message goes on by itself some time: one that tries again, by the clock that is skipped."""
        waiting = "SELECT FROM notification WHERE ended_at IS NULL AND parked_at IS NULL"
        return self.skips and bool(await self.eye.fetchval(f"SELECT EXISTS ({waiting})"))

    async def _let_pass(self, instant: datetime) -> None:
        if self.watch.shown is not None:
            away = instant + _LATE - await self.watch.shown()
            await self.sleep(max(away, _LATE / 10))
            return
        for name in await self._running():
            await self.client.get_workflow_handle(keys.series_workflow(str(name))).signal("woken")

    async def _is_still(self) -> bool:
        before = self.watch.changes
        if self.watch.under_way or await self._waiting():  # what is done here is known without asking a server
            return False
        for name in sorted(self.watch.open - self.watch.resting):
            if not await self._rests(name):
                return False
        return not await self._waiting() and self.watch.changes == before

    async def _rests(self, name: str) -> bool:
        before = self.watch.changes
        try:
            history = await self.client.get_workflow_handle(name).fetch_history()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return False
            raise
        last = history.events[-1].event_type
        if last in _OVER:
            self.watch.open.discard(name)
        elif last not in _BUSY and self.watch.changes == before:
            self.watch.resting.add(name)
        return last not in _BUSY

    async def _waiting(self) -> int:
        """Returns how many rows wait to be handed over, and has the dispatcher look at once where there are any."""
        count: int = await self.eye.fetchval("SELECT count(*) FROM outbox")
        if count:
            await self.eye.execute(f"NOTIFY {CHANNEL}")
        return count

    async def _running(self) -> list[uuid.UUID]:
        rows = await self.eye.fetch("SELECT id FROM series WHERE ended_at IS NULL ORDER BY id")
        return [row["id"] for row in rows]

    async def _is_behind(self, instant: datetime) -> bool:
        """Tells whether a series has not looked yet although it was due."""
        due = "SELECT FROM series WHERE ended_at IS NULL AND status = 'running' AND next_at <= $1"
        return bool(await self.eye.fetchval(f"SELECT EXISTS ({due})", instant))


@asynccontextmanager
async def skipping(ground: Ground, watch: Watch, program: Path) -> AsyncIterator[Stage]:
    """Yields a stage on Temporal's test server, which skips the time in which nothing happens."""
    async with await WorkflowEnvironment.start_time_skipping(
        data_converter=data_converter(ground.key_ring),
        interceptors=[PlayInterceptor(watch)],
        test_server_existing_path=str(program),
    ) as environment:
        watch.shown = environment.get_current_time
        away = watch.clock.start - await environment.get_current_time()
        if away < timedelta(0):
            raise ValueError(f"{watch.clock.start} is over; a play begins in the future")
        await _register(environment.client)
        await environment.sleep(away)
        async with _at_work(ground, environment.client) as eye:
            yield Stage(
                ground=ground, watch=watch, eye=eye, client=environment.client, skips=True, sleep=environment.sleep
            )


@asynccontextmanager
async def jumping(ground: Ground, watch: Watch, address: str) -> AsyncIterator[Stage]:
    """Yields a stage on Temporal's dev server, whose time is the machine's: series are woken when the play jumps."""
    client = await Client.connect(
        address, data_converter=data_converter(ground.key_ring), interceptors=[PlayInterceptor(watch)]
    )
    async with _at_work(ground, client) as eye:
        yield Stage(ground=ground, watch=watch, eye=eye, client=client, skips=False, sleep=_no_sleep)


async def _register(client: Client) -> None:
    """Makes the search attributes of the product known to a server that has none."""
    kinds = {name: _KINDS[kind] for name, kind in SEARCH_ATTRIBUTES.items()}
    await client.operator_service.add_search_attributes(AddSearchAttributesRequest(search_attributes=kinds))


async def _no_sleep(_: timedelta) -> None:
    """Lets no time pass: the play's clock jumps."""


@asynccontextmanager
async def _at_work(ground: Ground, client: Client) -> AsyncIterator[asyncpg.Connection]:
    """Runs the worker as the product composes it, and its dispatcher; yields a connection to look on."""
    queue = f"play-{uuid.uuid4()}"
    hosts = frozenset({"127.0.0.1", "localhost"})
    composed = compose(
        client, ground.database, ground.key_ring, task_queue=queue, allowed_hosts=hosts, calls=ground.services
    )
    async with composed as worker, worker:
        dispatching = asyncio.create_task(Dispatcher(ground.database, client, task_queue=queue).run())
        eye = await ground.database.listener()
        try:
            yield eye
        finally:
            await eye.close()
            dispatching.cancel()
            await asyncio.wait([dispatching])
