"""What lets the product's workflows and activities live by the clock of a play, and what the play learns from them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from temporalio import activity
from temporalio.client import Interceptor as ClientInterceptor
from temporalio.client import OutboundInterceptor, SignalWorkflowInput, StartWorkflowInput, WorkflowHandle
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput
from temporalio.worker import Interceptor as WorkerInterceptor

from activities import clock
from activities.delivery import DeliveryPage
from domain.notifications import Delivered, DeliveryOrder, NotificationInput, Outcome
from domain.series import Pause
from testing.clock import PlayClock


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
        handed_over: How many workflows were started or signalled.
        open: The workflows that were started and did not end yet, as far as was looked.
        due: Until when notifications wait by themselves.
        made: The attempts, in the order in which they were made.
    """

    clock: PlayClock
    shown: Callable[[], Awaitable[datetime]] | None = None
    handed_over: int = 0
    open: set[str] = field(default_factory=set)
    due: dict[str, datetime] = field(default_factory=dict)
    made: list[Made] = field(default_factory=list)

    def started(self, workflow_id: str, order: Any) -> Any:
        """Takes the start of a workflow, and returns the input that it is started with."""
        self.handed_over += 1
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

    async def instant(self) -> datetime:
        """Returns the instant at which an activity is."""
        return self.clock.instant if self.shown is None else self.clock.exact(await self.shown())

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


class _HandingOver(OutboundInterceptor):
    def __init__(self, following: OutboundInterceptor, watch: Watch) -> None:
        super().__init__(following)
        self._watch = watch

    async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:  # noqa: A002 - Temporal's name
        input.args = [self._watch.started(input.id, one) for one in input.args]
        return await super().start_workflow(input)

    async def signal_workflow(self, input: SignalWorkflowInput) -> None:  # noqa: A002 - Temporal's name
        self._watch.handed_over += 1
        await super().signal_workflow(input)


class _Doing(ActivityInboundInterceptor):
    def __init__(self, following: ActivityInboundInterceptor, watch: Watch) -> None:
        super().__init__(following)
        self._watch = watch

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - Temporal's name
        watch = self._watch
        page = next((one for one in input.args if isinstance(one, DeliveryPage)), None)
        for order in page.orders if page else ():
            for decision in order.decisions:
                watch.clock.expect(decision.until)
        at = await watch.instant()
        if activity.info().activity_type.startswith("series."):  # they are told the instant by their workflow
            input.args = [at if isinstance(one, datetime) else one for one in input.args]
        with clock.standing_at(at):
            came = await super().execute_activity(input)
        if isinstance(came, Pause):
            watch.clock.expect(came.until)
        elif page is not None:
            watch.delivered(page, came, at)
        return came
