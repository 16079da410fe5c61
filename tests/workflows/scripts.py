"""Scripted activities under the real wire names, for workflows of notifications on a real Temporal server."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from temporalio import activity
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import UnsandboxedWorkflowRunner, Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from activities.delivery import DeliveryPage
from activities.resolution import ResolutionPage
from domain.notifications import (
    AttemptRecord,
    Decision,
    Delivered,
    DeliveryOrder,
    Ending,
    Hop,
    NotificationInput,
    Outcome,
    ParkOrder,
    Plan,
)
from domain.reasons import Reason
from domain.recipients import Channel
from domain.status import Status
from tests.workflows.keeping import keep
from workflows.notification import NotificationWorkflow

WHATSAPP = Hop(index=0, channel=Channel.WHATSAPP, provider="meta", account_id="a", address_id=None, locale="en")
AWAITED = replace(WHATSAPP, success=Status.DELIVERED, within=3600.0)
HASTY = replace(WHATSAPP, success=Status.DELIVERED, within=0.3)
EMAIL = replace(WHATSAPP, index=1, channel=Channel.EMAIL, provider="smtp")


def told(outcome: Outcome, status: Status, reason: Reason | None = None) -> Delivered:
    return Delivered(outcome=outcome, status=status, at=datetime.now(UTC), reason=reason, message_id="m")


ACCEPTED = told(Outcome.ACCEPTED, Status.ACCEPTED)
REFUSED = told(Outcome.REFUSED, Status.REJECTED, Reason.INVALID_ADDRESS)
THROTTLED = replace(told(Outcome.NOT_SENT, Status.QUEUED, Reason.THROTTLED), retry_after=0.0)
UNKNOWN = told(Outcome.UNKNOWN, Status.UNKNOWN, Reason.OUTCOME_UNKNOWN)


@dataclass
class Script:
    """The activities of one test: what they answer, and what they were asked."""

    plan: Plan
    answers: list[Delivered]
    read: list[Status | None] = field(default_factory=list)
    orders: list[DeliveryOrder] = field(default_factory=list)
    endings: list[Ending] = field(default_factory=list)
    recorded: list[AttemptRecord] = field(default_factory=list)
    parked: list[ParkOrder] = field(default_factory=list)
    unparked: list[Decision] = field(default_factory=list)
    plans: list[Plan] = field(default_factory=list)
    ended: bool = False
    told: list[Delivered] = field(default_factory=list)

    @activity.defn(name="resolution.resolve")
    async def resolve(self, page: ResolutionPage) -> list[Plan]:
        return [self.plans.pop(0) if self.plans else self.plan for _ in page.notification_ids]

    @activity.defn(name="delivery.deliver")
    async def deliver(self, page: DeliveryPage) -> list[Delivered]:
        self.orders += page.orders
        answer = self.answers.pop(0)
        closed = answer.outcome is Outcome.ACCEPTED and page.orders[0].closes and not answer.follow_up
        closed = closed and answer.unrecorded is None
        self.told.append(_told_now(answer, closed=closed))
        return [self.told[-1]]

    @activity.defn(name="delivery.record")
    async def record(self, record: AttemptRecord) -> Delivered:
        self.recorded.append(record)
        return replace(ACCEPTED, closed=record.closes)

    @activity.defn(name="records.end")
    async def end(self, ending: Ending) -> Status:
        self.endings.append(ending)
        return ending.status

    @activity.defn(name="records.statuses")
    async def statuses(self, tenant_id: str, notification_id: str) -> list[Status | None]:
        return self.read

    @activity.defn(name="parking.park")
    async def park(self, order: ParkOrder) -> bool:
        self.parked.append(order)
        return not self.ended

    @activity.defn(name="parking.unpark")
    async def unpark(self, tenant_id: str, notification_id: str, decided: tuple[Decision, ...]) -> None:
        self.unparked += decided


def _told_now(answer: Delivered, *, closed: bool) -> Delivered:
    """Returns the answer as of this moment: what it promises is as far away as when it was written."""
    now = datetime.now(UTC)
    until = now + (answer.until - answer.at) if answer.until else None
    return replace(answer, at=now, until=until, reserved_for=until if answer.reserved_for else None, closed=closed)


@asynccontextmanager
async def running(
    client: Client, script: Script, *, cache: int = 100, sandboxed: bool = True, **times: datetime | None
) -> AsyncIterator[WorkflowHandle[NotificationWorkflow, str]]:
    queue = f"test-{uuid.uuid4()}"
    activities: Sequence[Callable[..., object]] = [
        script.resolve, script.deliver, script.record, script.end, script.statuses,
        script.park, script.unpark,
    ]  # fmt: skip
    worker = Worker(
        client,
        task_queue=queue,
        workflows=[NotificationWorkflow],
        activities=activities,
        workflow_runner=SandboxedWorkflowRunner() if sandboxed else UnsandboxedWorkflowRunner(),
        max_cached_workflows=cache,
        workflow_failure_exception_types=[Exception],
    )
    async with worker:
        order = NotificationInput(tenant_id="t", notification_id="n", **times)
        workflow_id = f"test/{uuid.uuid4()}"
        handle = await client.start_workflow("notification", order, id=workflow_id, task_queue=queue, result_type=str)
        yield handle
        await keep(handle, "notification")


async def ordered(script: Script, count: int) -> None:
    """Waits until that many attempts were ordered."""
    async with asyncio.timeout(20):
        while len(script.orders) < count:
            await asyncio.sleep(0.01)


async def parked(script: Script, count: int = 1) -> None:
    """Waits until the notification was parked that many times."""
    async with asyncio.timeout(20):
        while len(script.parked) < count:
            await asyncio.sleep(0.01)
