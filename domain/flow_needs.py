"""What the series of a flow ask of what stands elsewhere: calendars, and consent."""

from collections.abc import Mapping

from domain.flow_events import every_step
from domain.flow_steps import Confirm, Flow, NextLocal, Wait


def calendars_of(flow: Flow) -> frozenset[str]:
    """Returns the names of the calendars that a flow asks."""
    named = {flow.quiet.holidays if flow.quiet else None}
    for step in every_step(flow.steps):
        if isinstance(step, Wait) and isinstance(step.moment, NextLocal):
            named.add(step.moment.holidays)
    return frozenset(name for name in named if name is not None)


def questions_of(flow: Flow) -> tuple[Confirm, ...]:
    """Returns the steps of a flow that ask for consent."""
    return tuple(step for step in every_step(flow.steps) if isinstance(step, Confirm))


def standing_by_topic(flow: Flow, chosen: Mapping[str, str]) -> Mapping[str, str]:
    """Returns what stands of each consent that a flow asks for, by its step, where it is given by topic."""
    return {step.id: chosen[step.topic] for step in questions_of(flow) if step.topic in chosen}
