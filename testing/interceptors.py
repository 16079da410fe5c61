"""What lets the product's workflows and activities live by the clock of a play, and what the play learns from them."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.api.common.v1 import Payload
from temporalio.client import Interceptor as ClientInterceptor
from temporalio.client import OutboundInterceptor, SignalWorkflowInput, StartWorkflowInput, WorkflowHandle
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    StartLocalActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)
from temporalio.worker import Interceptor as WorkerInterceptor

from activities import clock
from activities.delivery import DeliveryPage
from domain.notifications import Delivered, DeliveryOrder, NotificationInput, Outcome
from domain.series import Pause
from testing.clock import PlayClock

_TOLD = "carillon-play-time"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One attempt that was asked for, and what came of it."""

    order: DeliveryOrder
    came: Delivered
    at: datetime


@dataclass(slots=True, kw_only=True)
class Watch:
    """What a play sees of the workflows of its series.

    Attributes:
        shown: Reads the clock of the server that skips time; without one, the play's own instant counts everywhere.
        under_way: How many starts, signals and activities are being done.
        changes: How many of them began or ended so far.
        open: The workflows that were started and did not end yet, as far as was looked.
        resting: Those of them that were seen resting, and that nothing was heard of since.
        due: Until when notifications wait by themselves.
        made: The attempts, in the order in which they were made.
    """

    clock: PlayClock
    shown: Callable[[], Awaitable[datetime]] | None = None
    under_way: int = 0
    changes: int = 0
    open: set[str] = field(default_factory=set)
    resting: set[str] = field(default_factory=set)
    due: dict[str, datetime] = field(default_factory=dict)
    made: list[Made] = field(default_factory=list)

    def started(self, workflow_id: str, order: Any) -> Any:
        """Takes the start of a workflow, and returns the input that it is started with."""
        self.open.add(workflow_id)
        if not isinstance(order, NotificationInput):
            return order
        if order.send_at is not None:
            self.due[order.notification_id] = order.send_at
        if self.shown is None:  # on a server without skipping nobody waits for years: the play tells the instant
            return replace(order, send_at=None, expires_at=None)
        self.clock.expect(order.send_at)
        self.clock.expect(order.expires_at)
        return order

    @contextmanager
    def doing(self, workflow_id: str) -> Iterator[None]:
        """Keeps in mind that something is being done to a workflow, or by it."""
        self.under_way += 1
        self.changes += 1
        try:
            yield
        finally:
            self.resting.discard(workflow_id)
            self.under_way -= 1
            self.changes += 1

    async def instant(self, told: datetime | None) -> datetime:
        """Returns the instant at which an activity is, by what its workflow told where it did, else by the server."""
        if self.shown is None:
            return self.clock.instant
        return self.clock.exact(told or await self.shown())

    def delivered(self, page: DeliveryPage, came: list[Delivered], at: datetime) -> None:
        """Takes what came of attempts, and until when somebody waits for more."""
        for order, one in zip(page.orders, came, strict=True):
            due = max(at, self.due.get(order.notification_id, at))
            self.made.append(Made(order=order, came=one, at=due))
            self.clock.expect(one.until)
            if one.outcome is Outcome.ACCEPTED and order.hop.within is not None:
                self.clock.expect(one.at + timedelta(seconds=order.hop.within))


class PlayInterceptor(ClientInterceptor, WorkerInterceptor):
    """Shows a play what the dispatcher hands over and what activities do, and gives these the play's time."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:  # noqa: A002 - Temporal's name
        """Wraps what the client is asked."""
        return _HandingOver(next, self._watch)

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - Temporal's name
        """Wraps every activity."""
        return _Doing(next, self._watch)

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:  # noqa: A002, ARG002 - Temporal's signature
        """Wraps every workflow."""
        return _Timing


class _HandingOver(OutboundInterceptor):
    def __init__(self, following: OutboundInterceptor, watch: Watch) -> None:
        super().__init__(following)
        self._watch = watch

    async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:  # noqa: A002 - Temporal's name
        with self._watch.doing(input.id):
            input.args = [self._watch.started(input.id, one) for one in input.args]
            return await super().start_workflow(input)

    async def signal_workflow(self, input: SignalWorkflowInput) -> None:  # noqa: A002 - Temporal's name
        with self._watch.doing(input.id):
            await super().signal_workflow(input)


class _Timing(WorkflowInboundInterceptor):
    """Lets the local activities of a workflow know what time it is there, so that they need not ask the server."""

    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_Telling(outbound))


class _Telling(WorkflowOutboundInterceptor):
    def start_local_activity(self, input: StartLocalActivityInput) -> workflow.ActivityHandle[Any]:  # noqa: A002 - Temporal's name
        told = Payload(data=workflow.now().isoformat().encode())
        input.headers = {**input.headers, _TOLD: told}
        return super().start_local_activity(input)


class _Doing(ActivityInboundInterceptor):
    def __init__(self, following: ActivityInboundInterceptor, watch: Watch) -> None:
        super().__init__(following)
        self._watch = watch

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - Temporal's name
        with self._watch.doing(activity.info().workflow_id or ""):
            return await self._execute(input)

    async def _execute(self, asked: ExecuteActivityInput) -> Any:
        watch = self._watch
        page = next((one for one in asked.args if isinstance(one, DeliveryPage)), None)
        for order in page.orders if page else ():
            for decision in order.decisions:
                watch.clock.expect(decision.until)
        at = await watch.instant(_told_time(asked))
        if activity.info().activity_type.startswith("series."):  # they are told the instant by their workflow
            asked.args = [at if isinstance(one, datetime) else one for one in asked.args]
        with clock.standing_at(at):
            came = await super().execute_activity(asked)
        if isinstance(came, Pause):
            watch.clock.expect(came.until)
        elif page is not None:
            watch.delivered(page, came, at)
        return came


def _told_time(asked: ExecuteActivityInput) -> datetime | None:
    """Returns the time at which a workflow asked for a local activity; a later attempt is made later."""
    told = asked.headers.get(_TOLD)
    return None if told is None or activity.info().attempt > 1 else datetime.fromisoformat(told.data.decode())
