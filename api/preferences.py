"""What somebody who comes by a link may choose: read, changed, and confirmed, in one transaction each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from api.services import Services
from db import addresses, confirmations, consents, recipients, suppressions, topics
from db.consents import NewConsent, Subject
from db.topics import Topic
from domain.consent import Choice, Source, State, standing
from domain.links import Link
from domain.recipients import CARRIES, Address, AddressKind, Channel

CHOSEN = (Channel.WHATSAPP, Channel.EMAIL, Channel.SMS)
"""Channels that people choose about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A topic, and over which channels it is wanted."""

    topic: Topic
    wanted: Mapping[Channel, bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """What somebody gets at present.

    Attributes:
        lines: Topics that they choose about; `always` are those that they do not.
        silent: Channels on which none of their addresses may be reached.
    """

    locale: str | None
    lines: Sequence[Line]
    always: Sequence[Topic]
    silent: Sequence[Channel]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A choice that was made: a topic, a channel, and whether it is wanted."""

    topic: Topic
    channel: Channel
    wanted: bool


async def look(services: Services, link: Link) -> Preferences | None:
    """Returns what the person of a link gets at present, or nothing when nobody knows them any more."""
    async with services.database.tenant(link.tenant_id) as connection:
        return await _preferences(connection, link)


async def save(
    services: Services, link: Link, wanted: Mapping[tuple[str, Channel], bool]
) -> tuple[Preferences, list[Change]] | None:
    """Keeps choices by topic and channel, all or none, and returns what holds then, and which of them changed it."""
    async with services.database.tenant(link.tenant_id) as connection:
        before = await _preferences(connection, link)
        if before is None:
            return None
        changes = [
            Change(topic=line.topic, channel=channel, wanted=wanted[line.topic.name, channel])
            for line in before.lines
            for channel, present in line.wanted.items()
            if wanted.get((line.topic.name, channel), present) is not present
        ]
        new = [_chosen(link, change, Source.PREFERENCE_PAGE, services.now()) for change in changes]
        await consents.keep(connection, link.tenant_id, new)
        after = await _preferences(connection, link)
    return (after, changes) if after is not None else None


async def opt_out(services: Services, link: Link) -> None:
    """Takes a link's topic over its channel as not wanted, as a mail program asks for; a repetition does nothing."""
    new = NewConsent(
        subject=Subject(link.subject_kind, link.subject),
        channel=link.channel,
        topic=link.topic,
        state=State.DENIED,
        source=Source.ONE_CLICK,
        at=services.now(),
    )
    async with services.database.tenant(link.tenant_id) as connection:
        await consents.keep(connection, link.tenant_id, [new])


async def question(services: Services, link: Link) -> tuple[Topic, str | None] | None:
    """Returns the topic that a link asks consent for, and the person's locale; nothing when either is gone."""
    async with services.database.tenant(link.tenant_id) as connection:
        return await _question(connection, link)


async def confirm(services: Services, link: Link, name: str) -> tuple[Topic, str | None] | None:
    """Takes the answer to a question as consent, once for the `name` of its link, and tells series of it."""
    async with services.database.tenant(link.tenant_id) as connection:
        asked = await _question(connection, link)
        owner = await recipients.by_id(connection, link.tenant_id, UUID(link.subject))
        if asked is None or owner is None:
            return None
        await confirmations.hold(connection, link.tenant_id, owner)
        new = NewConsent(
            subject=Subject(link.subject_kind, link.subject),
            channel=link.channel,
            topic=link.topic,
            state=State.GRANTED,
            source=Source.DOUBLE_OPT_IN,
            at=services.now(),
            cause=f"confirmed/{name}",
        )
        if await consents.keep(connection, link.tenant_id, [new]):
            await confirmations.tell(connection, link.tenant_id, owner, new)
    return asked


async def _question(connection: AsyncConnection, link: Link) -> tuple[Topic, str | None] | None:
    topic = await topics.get(connection, link.tenant_id, link.topic or "")
    owner = None if _is_address(link) else await recipients.by_id(connection, link.tenant_id, UUID(link.subject))
    return None if topic is None or topic.transactional or owner is None else (topic, owner.locale)


def _chosen(link: Link, change: Change, source: Source, at: datetime) -> NewConsent:
    return NewConsent(
        subject=Subject(link.subject_kind, link.subject),
        channel=change.channel,
        topic=change.topic.name,
        state=State.GRANTED if change.wanted else State.DENIED,
        source=source,
        at=at,
    )


async def _preferences(connection: AsyncConnection, link: Link) -> Preferences | None:
    locale, reached = None, [Address(AddressKind(link.subject_kind), link.subject)] if _is_address(link) else []
    subjects = [Subject(link.subject_kind, link.subject)]
    if not _is_address(link):
        owner = await recipients.by_id(connection, link.tenant_id, UUID(link.subject))
        if owner is None:
            return None
        locale, owned = owner.locale, (await addresses.of_recipients(connection, link.tenant_id, [owner.id]))[owner.id]
        reached = [Address(AddressKind(one.kind), one.value) for one in owned]
        subjects += [Subject(one.kind, one.value) for one in owned]
    silent = await suppressions.silent(connection, link.tenant_id, reached)
    every = await topics.every(connection, link.tenant_id)
    choices = [row.choice() for row in await consents.of_subjects(connection, link.tenant_id, subjects)]
    channels = [channel for channel in CHOSEN if any(one.kind in CARRIES[channel] for one in reached)]
    lines = [_line(topic, channels, choices) for topic in every if not topic.transactional]
    return Preferences(
        locale=locale,
        lines=[line for line in lines if line.wanted],
        always=[topic for topic in every if topic.transactional],
        silent=[channel for channel in channels if _is_silent(channel, reached, silent)],
    )


def _is_address(link: Link) -> bool:
    return link.subject_kind != "recipient"


def _line(topic: Topic, channels: Sequence[Channel], choices: Sequence[Choice]) -> Line:
    rules = topic.rules()
    used = [channel for channel in channels if rules.uses(channel)]
    return Line(topic=topic, wanted={channel: standing(rules, channel, choices) is State.GRANTED for channel in used})


def _is_silent(channel: Channel, reached: Sequence[Address], silent: Sequence[Address]) -> bool:
    return all(one in silent for one in reached if one.kind in CARRIES[channel])
