"""An outage: owns one opening of a circuit, probes until it closes, then lets go on what was parked."""

from dataclasses import replace
from datetime import datetime, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.outages import Outages
    from domain.outages import Look, OutageInput, ReleaseOrder
    from workflows.options import DATABASE_TIMEOUT, DELIVERY_TIMEOUT, PATIENT


@workflow.defn(name="outage")
class OutageWorkflow:
    """Keeps the time of probes. Whether the circuit is open stands in the database; the signal only wakes."""

    @workflow.init
    def __init__(self, order: OutageInput) -> None:
        self._order = order
        self._closed = False

    @workflow.run
    async def run(self, order: OutageInput) -> str:
        """Returns how it ended, once everything that was parked is on its way."""
        for _ in range(order.looks):
            looked = await self._probe()
            if looked.over:
                return await self._release()
            self._order = replace(self._order, cursor=looked.cursor, misses=looked.misses, is_new=False)
            await self._sleep_until(looked.next_at)
        workflow.continue_as_new(self._order)
        raise AssertionError

    @workflow.signal(name="closed")
    def closed(self) -> None:
        """Takes the word that the circuit closed."""
        self._closed = True

    async def _probe(self) -> Look:
        self._closed = False
        return await workflow.execute_activity_method(
            Outages.probe,
            self._order,
            start_to_close_timeout=DELIVERY_TIMEOUT,
            retry_policy=PATIENT,
            summary="find out whether it works again",
        )

    async def _sleep_until(self, until: datetime) -> None:
        workflow.set_current_details(f"looks again at {until.isoformat()}")
        pause = max(until - workflow.now(), timedelta(seconds=1))
        try:
            await workflow.wait_condition(lambda: self._closed, timeout=pause)
        except TimeoutError:
            return

    async def _release(self) -> str:
        """Releases what is parked, and after a while what was about to be when the circuit closed."""
        began = workflow.now()
        order = ReleaseOrder(
            tenant_id=self._order.tenant_id, circuit_id=self._order.circuit_id, episode=self._order.episode
        )
        made = await self._let_go(order)
        workflow.set_current_details("closed; what was parked goes on")
        await workflow.sleep(timedelta(seconds=self._order.settling))
        made += await self._let_go(replace(order, parked_after=began))
        return f"closed, {made} operations"

    async def _let_go(self, order: ReleaseOrder) -> int:
        return await workflow.execute_activity_method(
            Outages.release,
            order,
            start_to_close_timeout=DATABASE_TIMEOUT,
            retry_policy=PATIENT,
            summary="let go on what was parked",
        )
