"""A page: the first attempts of many notifications of one line, in one workflow task."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.delivery import Delivery
    from activities.pages import Pages
    from domain.pages import PageInput, PageOutcome
    from workflows.options import DATABASE_TIMEOUT, PAGE_TIMEOUT, PATIENT


@workflow.defn(name="page")
class PageWorkflow:
    """Delivers a page; members that need more than one attempt go on in workflows of their own."""

    @workflow.run
    async def run(self, page: PageInput) -> PageOutcome:
        """Returns how many of its members ended with it, and how many go on."""
        outcome = await workflow.execute_local_activity_method(
            Pages.deliver,
            page,
            start_to_close_timeout=PAGE_TIMEOUT,
            local_retry_threshold=timedelta(seconds=5),
            retry_policy=PATIENT,
            summary=f"{len(page.notification_ids)} first attempts",
        )
        for record in outcome.unrecorded:
            await workflow.execute_activity_method(
                Delivery.record,
                record,
                start_to_close_timeout=DATABASE_TIMEOUT,
                retry_policy=PATIENT,
                summary="record what the database could not take",
            )
        return outcome
