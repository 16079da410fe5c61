"""Wire models of topics."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import Path
from pydantic import Field, model_validator

from api.limit_models import FrequencyCap, FrequencyCaps
from api.models import Body, Flag, Shown, Text
from api.paging import Page
from api.recipient_models import Locale
from db.topics import Topic as StoredTopic
from db.topics import TopicSettings
from domain.consent import Default
from domain.recipients import Channel

TOPIC_NAME = r"^[a-z0-9][a-z0-9._-]*$"
"""What the name of a topic looks like; it stands in links and files."""
TopicName = Annotated[
    str,
    Path(
        description="The topic, as templates name it.",
        pattern=TOPIC_NAME,
        max_length=64,
        examples=["news"],
    ),
]
_MOST_TITLES = 50


class TopicBody(Body):
    """All that a topic says; what is left out is as usual."""

    titles: dict[Locale, Text] = Field(
        default_factory=dict,
        max_length=_MOST_TITLES,
        description="What people read on the preference page, by locale; the name where there is none.",
        examples=[{"en": "News", "hi": "समाचार"}],
    )
    description: str = Field(default="", max_length=500)
    default: Default = Field(default=Default.OPTED_IN, description="What holds where nobody chose anything.")
    channels: list[Channel] = Field(
        default_factory=list, max_length=len(Channel), description="Channels that it may use; none named means all."
    )
    transactional: Flag = Field(
        default=False, description="No preference keeps its messages back, only what stands against the address itself."
    )

    caps: FrequencyCaps = Field(
        default_factory=list, description="How many messages about it one person may get; each cap holds by itself."
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.transactional and self.default is Default.OPTED_OUT:
            raise ValueError("a transactional topic needs no consent, so it cannot be opted out of by default")
        return self

    def settings(self) -> TopicSettings:
        """Returns what the topic says, as it is stored."""
        return TopicSettings(
            titles=dict(self.titles),
            description=self.description,
            default_state=self.default.value,
            channels=[channel.value for channel in dict.fromkeys(self.channels)],
            transactional=self.transactional,
            caps=[cap.stored() for cap in self.caps],
        )


class Topic(Shown):
    """What templates are about, and what holds for it."""

    id: UUID
    name: str
    titles: dict[str, str]
    description: str
    default: Default
    channels: list[Channel]
    transactional: bool
    caps: FrequencyCaps
    created_at: datetime
    updated_at: datetime


class TopicPage(Page[Topic]):
    """A page of topics."""


def shown(row: StoredTopic) -> Topic:
    """Returns a topic as callers see it."""
    fields: dict[str, Any] = {name: getattr(row, name) for name in ("id", "name", "description", "transactional")}
    return Topic(
        **fields,
        titles=dict(row.titles),
        default=Default(row.default_state),
        channels=[Channel(channel) for channel in row.channels],
        caps=[FrequencyCap(**cap) for cap in row.caps],
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
