"""Housekeeping: one bounded look at everything that may have stalled, step after step; a schedule starts it."""

from dataclasses import dataclass, field
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.sweeping import Step, Sweep, Swept
    from workflows.options import BRIEF

# One line per step: the wire name of a regular activity that takes a `Sweep` and returns a `Swept`.
STEPS = (
    Step(name="housekeeping.recognise"),
    Step(name="housekeeping.outbox"),
    Step(name="housekeeping.attempts", seconds=60.0),
    Step(name="housekeeping.workflows", seconds=60.0),
    Step(name="housekeeping.operations"),
    Step(name="housekeeping.waiting_series", seconds=60.0),
    Step(name="housekeeping.schedules", seconds=60.0),
    Step(name="housekeeping.receipts"),
    Step(name="housekeeping.ledger", seconds=60.0),
    Step(name="parking.resume_capped"),
    Step(name="parking.resume_orphans"),
    Step(name="health.measure"),
    Step(name="housekeeping.event_types"),
    Step(name="housekeeping.expire"),
)
BEGINNING = ""
"""The cursor of a step that begins anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HousekeepingOrder:
    """What one run does. The steps travel with it, so that another version's steps are no other commands."""

    steps: tuple[Step, ...] = STEPS
    rounds: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class HousekeepingReport:
    """What one run did; the next one of the schedule gets it, and goes on at its cursors."""

    cursors: dict[str, str] = field(default_factory=dict)
    failed: tuple[str, ...] = ()
    found: int = 0


@workflow.defn(name="housekeeping")
class HousekeepingWorkflow:
    """Makes each step's sweeps; one that fails never keeps the others from theirs."""

    @workflow.run
    async def run(self, order: HousekeepingOrder) -> HousekeepingReport:
        """Returns where each step stopped, and which of them failed."""
        cursors, failed, found = {**_former().cursors}, [], 0
        for step in order.steps:
            try:
                for _ in range(order.rounds):
                    swept = await _sweep(step, cursors.get(step.name, BEGINNING))
                    found += swept.found
                    cursors[step.name] = swept.cursor or BEGINNING
                    if not swept.more:
                        break
            except ActivityError:
                workflow.logger.exception("housekeeping.step_failed", extra={"step": step.name})
                failed.append(step.name)
        return HousekeepingReport(cursors=cursors, failed=tuple(failed), found=found)


def _former() -> HousekeepingReport:
    """Returns what the schedule's last run reported."""
    if not workflow.has_last_completion_result():
        return HousekeepingReport()
    return workflow.get_last_completion_result(HousekeepingReport) or HousekeepingReport()


async def _sweep(step: Step, cursor: str) -> Swept:
    swept: Swept = await workflow.execute_activity(
        step.name,
        Sweep(cursor=cursor or None),
        result_type=Swept,
        start_to_close_timeout=timedelta(seconds=step.seconds),
        retry_policy=BRIEF,
        summary=step.name,
    )
    return swept
