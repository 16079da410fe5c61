"""Wire models of consent: what people chose, what holds because of it, and how it came to that."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from api.models import Body, JsonObject, Moment, Shown
from api.paging import Page
from api.template_models import NamedTopic
from db.consent_tables import EVERY
from db.consents import Consent as StoredConsent
from domain.consent import Choice, Source, State, Topic, standing
from domain.recipients import Channel

MOST_CHOICES = 100
PENDING_EVIDENCE = _EVIDENCE = "What you know of it: a form, a call, an address of a page. Kept with the choice."


class NewChoice(Body):
    """A choice about a topic over a channel; without a channel it holds for all, without a topic for every one."""

    topic: NamedTopic | None = None
    channel: Channel | None = None
    state: Literal["granted", "denied", "unset"] = Field(description="`unset` takes a choice back.")


class ConsentBody(Body):
    """Choices that a recipient made."""

    choices: list[NewChoice] = Field(min_length=1, max_length=MOST_CHOICES)
    source: Literal["api", "import"] = "api"
    at: Moment | None = Field(default=None, description="When the choice was made; now, where nothing is said.")
    evidence: JsonObject = Field(default_factory=dict, description=_EVIDENCE)


class ShownChoice(Shown):
    """A choice as it stands; null is any channel, any topic."""

    topic: str | None
    channel: Channel | None
    state: State
    source: Source
    evidence: JsonObject
    at: datetime
    subject: Literal["recipient", "phone", "email", "whatsapp_user"] = Field(
        description="`recipient`, or the kind of the recipient's address that the choice belongs to."
    )


class Standing(Shown):
    """What holds for a topic over a channel, from all choices and what the topic says."""

    topic: str
    channel: Channel
    state: Literal["granted", "denied", "pending", "unset"]
    may_send: bool


class Consents(Shown):
    """What a recipient chose, and what holds because of it."""

    choices: list[ShownChoice]
    standing: list[Standing]


class ConsentEntry(ShownChoice):
    """A step in the history of a recipient's choices."""

    id: UUID


class ConsentPage(Page[ConsentEntry]):
    """A page of the history of a recipient's choices."""


def shown(row: StoredConsent) -> ShownChoice:
    """Returns a choice as callers see it."""
    return ShownChoice(**_fields(row))


def shown_entry(row: StoredConsent) -> ConsentEntry:
    """Returns a step of the history as callers see it."""
    return ConsentEntry(id=row.id, **_fields(row))


def shown_standing(topic: Topic, channel: Channel, choices: list[Choice]) -> Standing:
    """Returns what holds for a topic over a channel."""
    state = standing(topic, channel, choices)
    may_send = topic.uses(channel) and (topic.transactional or state is State.GRANTED)
    return Standing(topic=topic.name, channel=channel, state=state.value, may_send=may_send)


def _fields(row: StoredConsent) -> dict[str, Any]:
    return {
        "topic": None if row.topic == EVERY else row.topic,
        "channel": None if row.channel == EVERY else row.channel,
        "state": row.state,
        "source": row.source,
        "evidence": dict(row.evidence),
        "at": row.at,
        "subject": row.subject_kind,
    }
