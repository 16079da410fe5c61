"""Bulkheads: how many deliveries are on their way in this process, so that one slow account leaves room for others."""

import asyncio
import math
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

import prometheus_client
from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

_ON_THEIR_WAY = prometheus_client.Gauge("carillon_deliveries_on_their_way", "Attempts between claim and record")
_STARTED = prometheus_client.Gauge("carillon_first_attempts_running", "Started workflows before their first outcome")
_REFUSED = prometheus_client.Counter("carillon_bulkhead_refusals_total", "Attempts put off: all places taken", ["by"])

# A workflow task that was lost is handed out again after as many seconds, to whichever process.
_FORGOTTEN_AFTER = 10.0
IN_A_PAGE = 0.1
"""What a member of a page costs beside an attempt with a workflow of its own."""
_NO_OUTCOME = frozenset({"resolution.resolve"})


class Bulkheads:
    """Places for attempts, `total` in all and at most a `share` of them for one account; nobody waits long for one.

    It also counts the workflows that this process started and that have no first outcome yet, because those are
    attempts to come. Their planning, claiming and recording is this process's own work: `hands` of them at once; what
    merely waits for a provider's answer needs no hand, and a member of a page a tenth of one.
    """

    def __init__(self, total: int, share: float = 0.4, hands: int | None = None) -> None:
        self._total = total
        self._hands = hands or total
        self._at_provider = 0.0
        self._most = max(1, int(total * share))
        self._narrow: dict[str, int] = {}
        self._on_their_way: Counter[str] = Counter()
        self._started: dict[str, tuple[float, int]] = {}
        self._on_room: list[Callable[[], None]] = []
        self._waiting: deque[tuple[str, asyncio.Future[None]]] = deque()

    @property
    def room(self) -> int:
        """How many more deliveries this process may take on."""
        self._forget()
        return max(0, self._total - max(self._on_their_way.total(), self._first_attempts))

    @property
    def free_hands(self) -> int:
        """How many more workflows this process may start at this moment."""
        work = sum(attempts if attempts == 1 else attempts * IN_A_PAGE for _, attempts in self._started.values())
        return max(0, math.ceil(self._hands - max(0.0, work - self._at_provider)))

    @property
    def _first_attempts(self) -> int:
        return sum(attempts for _, attempts in self._started.values())

    @property
    def most_of_one(self) -> int:
        """How many attempts of one account may be on their way."""
        return self._most

    def enter(self, account_id: object) -> bool:
        """Takes a place for an attempt of this account, or tells that there is none; who got one must `leave`."""
        name = str(account_id)
        if self._on_their_way[name] >= self._narrow.get(name, self._most):
            return self._refuse("account")
        if self._on_their_way.total() >= self._total:
            return self._refuse("process")
        self._on_their_way[name] += 1
        _ON_THEIR_WAY.inc()
        return True

    async def enter_soon(self, account_id: object, *, within: float, most: int | None = None) -> bool:
        """Takes a place for an attempt, and waits for one as many seconds; tells whether there was one.

        Where answers come quickly, a place is free long before a timer of the workflow would ring. Who got one must
        `leave`. An account whose provider takes fewer at once has at most `most` places.
        """
        name = str(account_id)
        if most is not None:
            self._narrow[name] = min(self._most, most)
        if self._has_place(name):
            return self.enter(name)
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((name, place))
        try:
            await asyncio.wait([place], timeout=within)
        except asyncio.CancelledError:
            if place.done():
                self.leave(name)
            raise
        finally:
            place.cancel()
        return not place.cancelled() or self._refuse("account")

    def leave(self, account_id: object) -> None:
        """Gives the place of an attempt back, to whoever has waited for one the longest and may have it."""
        name = str(account_id)
        self._on_their_way[name] -= 1
        if self._on_their_way[name] <= 0:
            del self._on_their_way[name]
        _ON_THEIR_WAY.dec()
        self._pass_on()
        self._tell()

    @contextmanager
    def at_provider(self, *, in_page: bool = False) -> Iterator[None]:
        """Counts an attempt as waiting for its answer during the block."""
        share = IN_A_PAGE if in_page else 1.0
        self._at_provider += share
        self._tell()
        try:
            yield
        finally:
            self._at_provider -= share

    def started(self, workflow_id: str, attempts: int = 1) -> None:
        """Notes a workflow whose first attempts are to come."""
        self._started[workflow_id] = monotonic(), attempts
        _STARTED.set(self._first_attempts)

    def ended(self, workflow_id: str) -> None:
        """Notes that a workflow's first attempt has an outcome, or that there will be none."""
        if self._started.pop(workflow_id, None) is not None:
            _STARTED.set(self._first_attempts)
            self._tell()

    def on_room(self, told: Callable[[], None]) -> None:
        """Calls `told` whenever a place became free."""
        self._on_room.append(told)

    def _has_place(self, name: str) -> bool:
        return (
            self._on_their_way[name] < self._narrow.get(name, self._most) and self._on_their_way.total() < self._total
        )

    def _pass_on(self) -> None:
        self._waiting = deque((name, place) for name, place in self._waiting if not place.done())
        for name, place in self._waiting:
            if self._has_place(name) and self.enter(name):
                place.set_result(None)

    def _refuse(self, by: str) -> bool:
        _REFUSED.labels(by).inc()
        return False

    def _forget(self) -> None:
        """Drops those whose outcome never showed here: another process took them over. The oldest stand first."""
        oldest = monotonic() - _FORGOTTEN_AFTER
        while self._started and next(iter(self._started.values()))[0] < oldest:
            del self._started[next(iter(self._started))]
        _STARTED.set(self._first_attempts)

    def _tell(self) -> None:
        for told in self._on_room:
            told()


class FirstOutcomes(Interceptor):
    """Tells the bulkheads which workflows have come past their first attempt."""

    def __init__(self, bulkheads: Bulkheads) -> None:
        self._bulkheads = bulkheads

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - Temporal's name
        """Wraps every activity."""
        return _FirstOutcome(next, self._bulkheads)


class _FirstOutcome(ActivityInboundInterceptor):
    def __init__(self, following: ActivityInboundInterceptor, bulkheads: Bulkheads) -> None:
        super().__init__(following)
        self._bulkheads = bulkheads

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - Temporal's name
        """Runs the activity; whatever comes after the plan is an outcome, or leads to none."""
        try:
            return await super().execute_activity(input)
        finally:
            info = activity.info()
            if info.workflow_id is not None and info.activity_type not in _NO_OUTCOME:
                self._bulkheads.ended(info.workflow_id)
