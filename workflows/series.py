"""A reminder series: look what is to be done, do it, wait until the next instant or until something is heard."""

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.series import SeriesSteps
    from activities.series_calls import SeriesCalls
    from domain.series import GivenUp, Pause, SeriesInput
    from workflows.options import CALL_TIMEOUT, CALLING, DATABASE_TIMEOUT, PATIENT


@workflow.defn(name="series")
class SeriesWorkflow:
    """Carries a series on. Where it stands is in the database; this keeps its time, and is woken by what happens."""

    def __init__(self) -> None:
        self._woken = 0

    @workflow.run
    async def run(self, order: SeriesInput) -> str:
        """Returns why the series ended."""
        looks = 0
        while True:
            before = self._woken
            pause = await self._advance(order)
            if pause.ended is not None:
                workflow.set_current_details(f"ended: {pause.ended}")
                return pause.ended
            looks += 1
            if looks >= order.looks or workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(order)  # the new run looks before it waits, so nothing that woke this is lost
            if pause.call:
                await self._call(order)
            elif not pause.again:
                await self._rest(pause, before)

    @workflow.signal(name="woken")
    def woken(self) -> None:
        """Takes the word that something changed; what it was stands in the database."""
        self._woken += 1

    async def _advance(self, order: SeriesInput) -> Pause:
        return await workflow.execute_local_activity_method(
            SeriesSteps.advance,
            args=[order, workflow.now()],
            start_to_close_timeout=DATABASE_TIMEOUT,
            retry_policy=PATIENT,
            summary="do what is due",
        )

    async def _call(self, order: SeriesInput) -> None:
        """Asks a service for as long as it may take to come back; then the series is parked."""
        try:
            await workflow.execute_activity_method(
                SeriesCalls.call,
                args=[order, workflow.now()],
                start_to_close_timeout=CALL_TIMEOUT,
                retry_policy=CALLING,
                summary="ask a service",
            )
        except ActivityError as error:
            cause = error.cause
            told = cause if isinstance(cause, ApplicationError) else None
            given_up = GivenUp(
                reason=f"call_{told.type if told else 'unavailable'}",
                detail=str(cause),
                call_id=str(told.details[0]) if told and told.details else None,
            )
            await workflow.execute_local_activity_method(
                SeriesCalls.give_up,
                args=[order, workflow.now(), given_up],
                start_to_close_timeout=DATABASE_TIMEOUT,
                retry_policy=PATIENT,
                summary="park: the service does not answer",
            )

    async def _rest(self, pause: Pause, before: int) -> None:
        """Waits until the next instant, or until something changed since the look that said so."""
        workflow.set_current_details(pause.shown)
        until = None if pause.until is None else max(pause.until - workflow.now(), timedelta(0))
        try:
            await workflow.wait_condition(lambda: self._woken != before, timeout=until)
        except TimeoutError:
            return
