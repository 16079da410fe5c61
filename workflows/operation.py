"""An operation over many parked notifications: one step in a second, until all are taken up or somebody stops it."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.operations import Operations
    from domain.operations import OperationInput
    from workflows.options import DATABASE_TIMEOUT, PATIENT

_BEAT = timedelta(seconds=1)


@workflow.defn(name="operation")
class OperationWorkflow:
    """Carries an operation out. What is done and what is left stands in the database; this only keeps the beat."""

    @workflow.run
    async def run(self, order: OperationInput) -> str:
        """Returns how the operation ended."""
        made = 0
        while True:
            began = workflow.now()
            stepped = await workflow.execute_activity_method(
                Operations.step,
                order,
                start_to_close_timeout=DATABASE_TIMEOUT,
                retry_policy=PATIENT,
                summary="take up the next",
            )
            workflow.set_current_details(f"{stepped.done} taken up, {stepped.state.value}")
            if stepped.state.is_over:
                return stepped.state.value
            await workflow.sleep(max(_BEAT - (workflow.now() - began), timedelta(0)))
            made += 1
            if made >= order.steps:
                workflow.continue_as_new(order)
