"""Consent that a flow asks for: what stands, and what it waits for."""

from domain.flow_state import SeriesState
from domain.flow_steps import Awaited, Confirm

CONFIRMED = "consent.confirmed"
CHANGED = "consent"
"""The kind of what a series looks at anew because somebody chose something; it is not kept as heard."""


def standing_of(step: Confirm, state: SeriesState) -> str:
    """Returns what stands: `granted`, `denied`, or anything else while nobody has answered.

    A confirmation that was heard since the question counts too, unless what stands was refused after it.
    """
    standing = state.consents.get(step.id, "unset")
    heard = state.heard[state.send_mark :]
    is_heard = any(
        one.name == CONFIRMED and one.kind == "event" and one.data.get("topic", step.topic) == step.topic
        for one in heard
    )
    return "granted" if is_heard and standing != "denied" and step.id in state.outcomes else standing


def answers_to(step: Confirm) -> tuple[Awaited, ...]:
    """Returns what a series that has asked is woken by."""
    return Awaited(kind="event", name=CONFIRMED), Awaited(kind=CHANGED, name=step.topic)
