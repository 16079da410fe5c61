"""Consent that a flow asks for: what stands, and what it waits for."""

from collections.abc import Iterable, Mapping
from typing import Any

from domain.consent import Choice, Default, State, Topic, standing
from domain.flow_state import Heard, SeriesState
from domain.flow_steps import Awaited, Confirm
from domain.recipients import Channel

CONFIRMED = "consent.confirmed"
CHANGED = "consent"
"""The kind of what a series looks at anew because somebody chose something; it is not kept as heard."""


def standing_among(step: Confirm, channels: Iterable[Channel], choices: Iterable[Choice]) -> str:
    """Returns what stands of a consent by what somebody chose: `granted` over one of its channels is enough.

    What a topic says of those who chose nothing does not count: who is asked has to answer. A question that is
    pending hides no refusal.
    """
    topic, chosen = Topic(name=step.topic, default=Default.OPTED_OUT), list(choices)
    used = [step.channel] if step.channel else list(channels)
    if State.GRANTED in {standing(topic, channel, chosen) for channel in used}:
        return State.GRANTED.value
    answers = [choice for choice in chosen if choice.state is not State.PENDING]
    refused = {standing(topic, channel, answers) for channel in used} == {State.DENIED}
    return State.DENIED.value if refused else State.UNSET.value


def standing_of(step: Confirm, state: SeriesState, *, asked: bool) -> str:
    """Returns what stands: `granted`, `denied`, or anything else while nobody has answered.

    Once it is `asked`, a confirmation that was heard since counts too, unless what stands was refused after it.
    """
    standing = state.consents.get(step.id, "unset")
    is_heard = asked and any(_confirms(one, step) for one in state.heard[state.send_mark :])
    return "granted" if is_heard and standing != "denied" else standing


def _confirms(one: Heard, step: Confirm) -> bool:
    """Tells whether something heard confirms what a step asks; one that names no channel is about all of them."""
    if (one.kind, one.name) != ("event", CONFIRMED) or one.data.get("topic", step.topic) != step.topic:
        return False
    return step.channel is None or one.data.get("channel") in (None, step.channel)


def is_open(outcome: Mapping[str, Any], topic: str | None = None) -> bool:
    """Tells whether what came of a step is a question, about a topic or any, that nobody has answered yet."""
    return "confirms" in outcome and "consent" not in outcome and topic in (None, outcome["confirms"])


def answers_to(step: Confirm) -> tuple[Awaited, ...]:
    """Returns what a series that has asked is woken by."""
    return Awaited(kind="event", name=CONFIRMED), Awaited(kind=CHANGED, name=step.topic)
