"""One run of a schedule: step after step until all is taken up; a clock or a person starts it."""

from dataclasses import replace

from temporalio import workflow
from temporalio.common import SearchAttributeKey

with workflow.unsafe.imports_passed_through():
    from activities.schedule_runs import ScheduleRuns
    from domain.schedules import ScheduleInput
    from workflows.options import BATCH_TIMEOUT, PATIENT

_DUE = SearchAttributeKey.for_datetime("TemporalScheduledStartTime")


@workflow.defn(name="schedule")
class ScheduleRunWorkflow:
    """Makes the steps of a run. How far it is stands in the database, so one that died goes on there."""

    @workflow.run
    async def run(self, order: ScheduleInput) -> str:
        """Returns what the run came to."""
        order = order if order.run_id or order.scheduled_at else replace(order, scheduled_at=_due_at())
        steps = 0
        while True:
            stepped = await workflow.execute_activity_method(
                ScheduleRuns.step,
                args=[order, workflow.info().workflow_id],
                start_to_close_timeout=BATCH_TIMEOUT,
                retry_policy=PATIENT,
                summary="take up the next",
            )
            workflow.set_current_details(stepped.shown)
            if not stepped.more:
                return stepped.shown
            steps += 1
            if steps >= order.steps:
                workflow.continue_as_new(order)


def _due_at() -> str:
    """Returns when the clock had the run due, before any jitter."""
    due = workflow.info().typed_search_attributes.get(_DUE)
    return (due or workflow.info().start_time).isoformat()
