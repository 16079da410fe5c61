"""One notification: plan it, send it, wait for its receipt where the plan has a choice left, fall back, end."""

from dataclasses import replace
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import SearchAttributeKey

with workflow.unsafe.imports_passed_through():
    from activities.delivery import Delivery, DeliveryPage
    from activities.records import Records
    from activities.resolution import Resolution, ResolutionPage
    from domain.notifications import (
        AttemptRecord,
        Decision,
        Delivered,
        DeliveryOrder,
        Ending,
        NotificationInput,
        Outcome,
        Plan,
    )
    from domain.reasons import Reason
    from domain.routing import Finish, NextHop, Progress, Send, Wait, decide
    from domain.status import Status, advance
    from workflows.options import DATABASE_TIMEOUT, DELIVERY_TIMEOUT, PATIENT

STATUS = SearchAttributeKey.for_keyword("CarillonStatus")


@workflow.defn(name="notification")
class NotificationWorkflow:
    """Delivers one notification. Signals only change what it knows; `run` alone acts."""

    @workflow.init
    def __init__(self, order: NotificationInput) -> None:
        self._order = order
        self._progress = Progress()
        self._heard = 0
        self._decisions: list[Decision] = []
        self._sequence = 0
        self._visible_status: str | None = None
        self._closed = False

    @workflow.run
    async def run(self, order: NotificationInput) -> str:  # noqa: ARG002 - the SDK gives it to `__init__` too
        """Returns the status that the notification ends with."""
        await self._until_due()
        plan = await self._resolve()
        while not isinstance(step := self._decide(plan), Finish):
            await self._do(plan, step)
        return await self._end(step)

    @workflow.signal(name="receipt")
    def receipt(self, hop: int, status: Status) -> None:
        """Takes a receipt's news about the message of a hop."""
        self._hear(hop, status)

    @workflow.signal(name="cancel")
    def cancel(self) -> None:
        """Takes a cancellation; what the database says of it counts, this only wakes the workflow."""
        self._progress = replace(self._progress, cancelled=True)
        self._heard += 1

    def _decide(self, plan: Plan) -> Send | Wait | NextHop | Finish:
        return decide(plan, self._progress, workflow.now(), self._order.expires_at)

    async def _until_due(self) -> None:
        due = self._order.send_at
        if due is None or due <= workflow.now():
            return
        self._note("delayed", Reason.SCHEDULED, until=due)
        self._show(Status.QUEUED, f"waits until {due.isoformat()}")
        expires_at = self._order.expires_at
        await self._sleep_until(min(due, expires_at) if expires_at else due, until_heard=False)

    async def _resolve(self) -> Plan:
        page = ResolutionPage(tenant_id=self._order.tenant_id, notification_ids=(self._order.notification_id,))
        plans = await workflow.execute_local_activity_method(
            Resolution.resolve,
            page,
            start_to_close_timeout=DATABASE_TIMEOUT,
            retry_policy=PATIENT,
            summary="make the plan",
        )
        plan = plans[0]
        for skipped in plan.skipped:
            self._note("skipped", skipped.reason, channel=skipped.channel.value)
        return plan

    async def _do(self, plan: Plan, step: Send | Wait | NextHop) -> None:
        match step:
            case Send():
                await self._send(step)
            case Wait():
                await self._wait(step)
            case NextHop():
                following = plan.hops[step.hop.index + 1]
                self._note("fallback", step.reason, hop=step.hop.index, channel=following.channel.value)
                self._progress = replace(self._progress, current=step.hop.index + 1)

    async def _send(self, step: Send) -> None:
        delivered = await self._deliver(step)
        if delivered.unrecorded is not None:
            recorded = await self._record(delivered.unrecorded)
            delivered = replace(recorded, follow_up=delivered.follow_up)
        self._remember(step, delivered)
        self._closed = delivered.closed

    async def _deliver(self, step: Send) -> Delivered:
        order = DeliveryOrder(
            tenant_id=self._order.tenant_id,
            notification_id=self._order.notification_id,
            hop=step.hop,
            number=step.number,
            part=step.part,
            possible_duplicate=step.possible_duplicate,
            closes=step.closes,
            awaits_doubt=step.awaits_doubt,
            decisions=self._take_decisions(),
        )
        results = await workflow.execute_local_activity_method(
            Delivery.deliver,
            DeliveryPage(tenant_id=order.tenant_id, orders=(order,)),
            start_to_close_timeout=DELIVERY_TIMEOUT,
            retry_policy=PATIENT,
            summary=f"{step.hop.channel.value} by {step.hop.provider}, attempt {step.number}",
        )
        return results[0]

    async def _record(self, record: AttemptRecord) -> Delivered:
        return await workflow.execute_activity_method(
            Delivery.record,
            record,
            start_to_close_timeout=DATABASE_TIMEOUT,
            retry_policy=PATIENT,
            summary="record what the database could not take",
        )

    def _remember(self, step: Send, delivered: Delivered) -> None:
        index = step.hop.index
        state = self._progress.hop(index)
        if step.part == 1:
            changed = replace(state, follow_up=delivered, follow_up_attempts=step.number)
        else:
            changed = replace(
                state,
                attempts=step.number,
                last=delivered,
                status=advance(state.status, delivered.status),
                doubtful=state.doubtful or delivered.outcome is Outcome.UNKNOWN,
            )
        self._progress = self._progress.with_hop(index, changed)

    async def _wait(self, step: Wait) -> None:
        state = self._progress.hop(step.hop.index)
        if step.reason is Reason.RETRY_LATER:
            self._note("retry", step.reason, hop=step.hop.index, until=step.until)
        self._show(state.status, f"{step.reason.value} until {step.until.isoformat()}")
        woken = await self._sleep_until(step.until)
        if not woken and (step.reason is not Reason.RETRY_LATER or state.doubtful):
            await self._read_statuses()

    async def _read_statuses(self) -> None:
        """Reads where the messages stand: a signal that got lost costs time, never truth."""
        found = await workflow.execute_local_activity_method(
            Records.statuses,
            args=[self._order.tenant_id, self._order.notification_id],
            start_to_close_timeout=DATABASE_TIMEOUT,
            retry_policy=PATIENT,
            summary="read what receipts said",
        )
        for hop, status in enumerate(found):
            if status is not None:
                self._hear(hop, status)

    async def _end(self, step: Finish) -> str:
        status = step.status
        if not self._closed:
            ending = Ending(
                tenant_id=self._order.tenant_id,
                notification_id=self._order.notification_id,
                status=step.status,
                reason=step.reason,
                decisions=self._take_decisions(),
            )
            status = await workflow.execute_local_activity_method(
                Records.end,
                ending,
                start_to_close_timeout=DATABASE_TIMEOUT,
                retry_policy=PATIENT,
                summary=f"end as {step.status.value}",
            )
        if self._visible_status is not None:
            self._show(status, "ended")
        return status.value

    def _hear(self, hop: int, status: Status) -> None:
        state = self._progress.hop(hop)
        self._progress = self._progress.with_hop(hop, replace(state, status=advance(state.status, status)))
        self._heard += 1

    async def _sleep_until(self, until: datetime, *, until_heard: bool = True) -> bool:
        """Sleeps, and tells whether something was heard before the time was over."""
        pause = max(until - workflow.now(), timedelta(0))
        before = self._heard
        try:
            await workflow.wait_condition(
                lambda: self._progress.cancelled or (until_heard and self._heard != before), timeout=pause
            )
        except TimeoutError:
            return False
        return True

    def _note(
        self,
        kind: str,
        reason: Reason,
        *,
        hop: int | None = None,
        until: datetime | None = None,
        channel: str | None = None,
    ) -> None:
        self._sequence += 1
        noted = Decision(sequence=self._sequence, kind=kind, reason=reason, hop=hop, until=until, channel=channel)
        self._decisions.append(noted)

    def _take_decisions(self) -> tuple[Decision, ...]:
        taken, self._decisions = tuple(self._decisions), []
        return taken

    def _show(self, status: Status, details: str) -> None:
        """Makes a waiting notification readable in the Temporal UI; one that never waits costs nothing."""
        workflow.set_current_details(details)
        if self._visible_status != status.value:
            self._visible_status = status.value
            workflow.upsert_search_attributes([STATUS.value_set(status.value)])
