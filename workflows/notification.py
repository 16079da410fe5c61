"""One notification: plan it, send it, wait for its receipt where the plan has a choice left, fall back, end."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import SearchAttributeKey

with workflow.unsafe.imports_passed_through():
    from domain.notifications import (
        Delivered,
        DeliveryOrder,
        Ending,
        Outcome,
        ParkOrder,
        Plan,
    )
    from domain.progress import Carried, NotificationRun, Progress, renewed
    from domain.reasons import Reason
    from domain.routing import decide
    from domain.status import Status
    from domain.steps import Finish, NextHop, Park, Send, Step, Wait
    from workflows import calls
    from workflows.notes import Notes

STATUS = SearchAttributeKey.for_keyword("CarillonStatus")

# What a message's receipts can end; the other waits are for a turn.
_AWAITED = frozenset({Reason.NOT_CONFIRMED_IN_TIME, Reason.OUTCOME_UNKNOWN})
_UNTRIED = frozenset({Outcome.HELD, Outcome.STOPPED})


@workflow.defn(name="notification")
class NotificationWorkflow:
    """Delivers one notification. Signals only change what it knows; `run` alone acts."""

    @workflow.init
    def __init__(self, order: NotificationRun) -> None:
        self._order = order
        carried = order.carried
        self._plan = carried.plan if carried else Plan(hops=())
        self._progress = carried.progress if carried else Progress()
        self._heard = 0
        self._resumptions = 0
        self._notes = Notes(carried.decisions, carried.sequence) if carried else Notes()
        self._visible_status = carried.visible_status if carried else None
        self._closed = False

    @workflow.run
    async def run(self, order: NotificationRun) -> str:
        """Returns the status that the notification ends with."""
        if order.carried is None:
            await self._until_due()
            self._plan = await self._resolve("make the plan")
        while not isinstance(step := self._decide(), Finish):
            await self._do(step)
            if workflow.info().is_continue_as_new_suggested() and not self._closed:
                workflow.continue_as_new(replace(self._order, carried=self._carried()))
        return await self._end(step)

    @workflow.signal(name="receipt")
    def receipt(self, hop: int, status: Status) -> None:
        """Takes a receipt's news about the message of a hop."""
        self._hear(hop, status)

    @workflow.signal(name="settled")
    def settled(self, hop: int, number: int) -> None:
        """Takes a person's word that an attempt in doubt was not sent."""
        self._progress = self._progress.settled(hop, number)
        self._heard += 1

    @workflow.signal(name="cancel")
    def cancel(self) -> None:
        """Takes a cancellation; what the database says of it counts, this only wakes the workflow."""
        self._progress = replace(self._progress, cancelled=True)
        self._heard += 1

    @workflow.signal(name="resume")
    def resume(self) -> None:
        """Takes the word that what it was parked for is mended."""
        self._resumptions += 1

    @workflow.signal(name="drop")
    def drop(self) -> None:
        """Takes the decision that it is not to be sent any more."""
        self._progress = replace(self._progress, dropped=True)
        self._heard += 1

    def _decide(self) -> Step:
        return decide(self._plan, self._progress, workflow.now(), self._order.expires_at)

    def _carried(self) -> Carried:
        return Carried(
            plan=self._plan,
            progress=self._progress,
            decisions=self._notes.take(),
            sequence=self._notes.sequence,
            visible_status=self._visible_status,
        )

    async def _until_due(self) -> None:
        due = self._order.send_at
        if due is None or due <= workflow.now():
            return
        self._notes.add("delayed", Reason.SCHEDULED, until=due)
        self._show(Status.QUEUED.value, f"waits until {due.isoformat()}")
        expires_at = self._order.expires_at
        await self._sleep_until(min(due, expires_at) if expires_at else due, until_heard=False)

    async def _resolve(self, summary: str) -> Plan:
        plan = await calls.resolve(self._order, summary)
        for skipped in plan.skipped:
            self._notes.add("skipped", skipped.reason, channel=skipped.channel.value)
        return plan

    async def _do(self, step: Send | Wait | Park | NextHop) -> None:
        match step:
            case Send():
                await self._send(step)
            case Wait():
                await self._wait(step)
            case Park():
                await self._park(step)
            case NextHop():
                following = self._plan.hops[step.hop.index + 1]
                self._notes.add("fallback", step.reason, hop=step.hop.index, channel=following.channel.value)
                self._progress = replace(self._progress, current=step.hop.index + 1)

    async def _send(self, step: Send) -> None:
        if step.part == 0 and step.account != self._progress.hop(step.hop.index).account:
            self._notes.add("failover", Reason.FAILED_OVER, hop=step.hop.index, channel=step.hop.channel.value)
        delivered = await self._deliver(step)
        if delivered.unrecorded is not None:
            recorded = await calls.record(delivered.unrecorded)
            delivered = replace(recorded, follow_up=delivered.follow_up)
        index = step.hop.index
        if step.part == 1:
            self._progress = self._progress.follow_up(index, step.number, delivered)
            if delivered.reason is not None and delivered.until is None and delivered.outcome in _UNTRIED:
                self._notes.add("skipped", delivered.reason, hop=index, channel=step.hop.channel.value)
        else:
            self._progress = self._progress.after(index, step.number, step.account, delivered)
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
            reserved_for=step.reserved_for,
            at=workflow.now(),
            decisions=(taken := self._notes.take()),
        )
        delivered = await calls.deliver(order)
        if delivered.reason is Reason.ACCOUNT_BUSY:
            self._notes.put_back(taken)
        return delivered

    async def _wait(self, step: Wait) -> None:
        state = self._progress.hop(step.hop.index)
        awaited = step.reason in _AWAITED
        if not awaited:
            kind = "retry" if step.reason is Reason.RETRY_LATER else "delayed"
            self._notes.add(kind, step.reason, hop=step.hop.index, until=step.until)
        self._show(state.status.value, f"{step.reason.value} until {step.until.isoformat()}")
        woken = await self._sleep_until(step.until)
        if not woken and (awaited or state.doubtful):
            await self._read_statuses()

    async def _park(self, step: Park) -> None:
        """Waits, with nothing attempted meanwhile, until somebody resumes or drops it, or its time is over."""
        before = self._resumptions
        self._notes.add("parked", step.reason, hop=step.hop.index if step.hop else None, until=step.until)
        if not await self._write_parked(step):
            self._progress = replace(self._progress, cancelled=True)
            return
        self._show("parked", step.reason.value)
        await self._sleep_until(step.until, or_when=lambda: self._resumptions != before)
        if self._resumptions != before:
            self._notes.add("resumed", Reason.RESUMED, hop=step.hop.index if step.hop else None)
            self._progress = self._progress.resumed()
            self._plan = renewed(self._plan, await self._resolve("make the plan again"))
        if not isinstance(self._decide(), Finish | Park):  # ending clears it too
            await self._unpark()

    async def _write_parked(self, step: Park) -> bool:
        order = ParkOrder(
            tenant_id=self._order.tenant_id,
            notification_id=self._order.notification_id,
            cause=step.reason,
            account_id=self._account_of(step),
            decisions=self._notes.take(),
        )
        return await calls.park(order)

    def _account_of(self, step: Park) -> str | None:
        if step.hop is None:
            return None
        account = self._progress.hop(step.hop.index).account
        return step.hop.alternates[account - 1].account_id if account else step.hop.account_id

    async def _unpark(self) -> None:
        await calls.unpark(self._order, self._notes.take())
        self._show(Status.QUEUED.value, "goes on")

    async def _read_statuses(self) -> None:
        """Reads where the messages stand: a signal that got lost costs time, never truth."""
        found = await calls.statuses(self._order)
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
                decisions=self._notes.take(),
            )
            status = await calls.end(ending)
        if self._visible_status is not None:
            self._show(status.value, "ended")
        return status.value

    def _hear(self, hop: int, status: Status) -> None:
        self._progress = self._progress.heard(hop, status)
        self._heard += 1

    async def _sleep_until(
        self, until: datetime | None, *, until_heard: bool = True, or_when: Callable[[], bool] = lambda: False
    ) -> bool:
        """Sleeps, and tells whether something was heard before the time was over."""
        pause = None if until is None else max(until - workflow.now(), timedelta(0))
        before = self._heard
        try:
            await workflow.wait_condition(
                lambda: self._progress.cancelled or or_when() or (until_heard and self._heard != before), timeout=pause
            )
        except TimeoutError:
            return False
        return True

    def _show(self, status: str, details: str) -> None:
        """Makes a waiting notification readable in the Temporal UI; one that never waits costs nothing."""
        workflow.set_current_details(details)
        if self._visible_status != status:
            self._visible_status = status
            workflow.upsert_search_attributes([STATUS.value_set(status)])
