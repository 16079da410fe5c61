"""Whether somebody may be written to about a topic: what they chose, what the topic says, and which of it counts."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.reasons import Reason
from domain.recipients import Channel


class State(StrEnum):
    """What somebody chose; `unset` takes a choice back, so that what is less specific holds again."""

    GRANTED = "granted"
    DENIED = "denied"
    PENDING = "pending"
    UNSET = "unset"


class Source(StrEnum):
    """How a choice came to us."""

    API = "api"
    IMPORT = "import"
    PREFERENCE_PAGE = "preference_page"
    ONE_CLICK = "one_click"
    STOP_WORD = "stop_word"
    START_WORD = "start_word"
    COMPLAINT = "complaint"
    BOUNCE = "bounce"
    PROVIDER = "provider"
    DOUBLE_OPT_IN = "double_opt_in"
    FLOW = "flow"


class Default(StrEnum):
    """What holds for a topic where nobody chose anything."""

    OPTED_IN = "opted_in"
    OPTED_OUT = "opted_out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """What some templates are about, as far as sending depends on it.

    Attributes:
        default: What holds where nobody chose anything.
        channels: The channels that it may use; none named means all.
        transactional: No preference keeps its messages back; only what stands against the address itself does.
    """

    name: str
    default: Default = Default.OPTED_IN
    channels: frozenset[Channel] = frozenset()
    transactional: bool = False

    def uses(self, channel: Channel) -> bool:
        """Tells whether messages of the topic may go over a channel."""
        return not self.channels or channel in self.channels


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What somebody chose at some moment; without a channel it holds for all, without a topic for every one."""

    channel: Channel | None
    topic: str | None
    state: State
    at: datetime


def may_send(topic: Topic | None, channel: Channel, choices: Iterable[Choice], *, critical: bool) -> Reason | None:
    """Returns why a message about a topic must not go over a channel, or nothing when it may.

    `choices` are those of the person and of the address. Critical messages ask nobody's preferences; what stands
    against the address itself (a STOP, a bounce, a complaint) is not decided here and spares nothing.
    """
    if topic is None:
        return None
    if not topic.uses(channel):
        return Reason.CHANNEL_NOT_IN_TOPIC
    if critical or topic.transactional:
        return None
    return _REASONS[standing(topic, channel, choices)]


def standing(topic: Topic, channel: Channel, choices: Iterable[Choice]) -> State:
    """Returns what holds for a topic over a channel: the most specific choice, the newest of several.

    A question counts as pending until something is chosen after it. A topic that nobody asked for and that needs to be
    asked for stands as `unset`.
    """
    meant = [
        choice
        for choice in choices
        if choice.state is not State.UNSET and choice.channel in (None, channel) and choice.topic in (None, topic.name)
    ]
    answered = [choice.at for choice in meant if choice.state is not State.PENDING]
    if answered:
        meant = [choice for choice in meant if choice.state is not State.PENDING or choice.at > max(answered)]
    if meant:
        return max(meant, key=lambda choice: (_specificity(choice), choice.at)).state
    return State.GRANTED if topic.default is Default.OPTED_IN else State.UNSET


def _specificity(choice: Choice) -> int:
    """Returns how closely a choice names what it is about; both before the topic before the channel before neither."""
    return 2 * (choice.topic is not None) + (choice.channel is not None)


_REASONS = {
    State.GRANTED: None,
    State.DENIED: Reason.OPTED_OUT,
    State.PENDING: Reason.NO_CONSENT,
    State.UNSET: Reason.NO_CONSENT,
}
