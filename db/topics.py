"""Topics: what templates are about, and what holds for each of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import Boolean, delete, func, literal_column, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.consent_tables import topic
from db.tables import template
from domain.consent import Default
from domain.consent import Topic as TopicRules
from domain.recipients import Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicSettings:
    """What a topic says, as it is stored."""

    titles: Mapping[str, str]
    description: str
    default_state: str
    channels: Sequence[str]
    transactional: bool
    caps: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A topic of a tenant."""

    id: UUID
    name: str
    titles: Mapping[str, str]
    description: str
    default_state: str
    channels: Sequence[str]
    transactional: bool
    caps: Sequence[Mapping[str, Any]]
    created_at: datetime
    updated_at: datetime

    def settings(self) -> TopicSettings:
        """Returns what the topic says."""
        return TopicSettings(**{name: getattr(self, name) for name in TopicSettings.__dataclass_fields__})

    def rules(self) -> TopicRules:
        """Returns the topic as far as sending depends on it."""
        return rules_of(self.name, self.default_state, self.channels, transactional=self.transactional)


_SHOWN = tuple(column for column in topic.c if column.name != "tenant_id")


def rules_of(name: str, default_state: str, channels: Sequence[str], *, transactional: bool) -> TopicRules:
    """Returns a topic as far as sending depends on it, from its columns."""
    return TopicRules(
        name=name,
        default=Default(default_state),
        channels=frozenset(Channel(channel) for channel in channels),
        transactional=transactional,
    )


async def put(connection: AsyncConnection, tenant_id: UUID, name: str, said: TopicSettings) -> tuple[Topic, bool]:
    """Creates a topic or replaces what it says; returns it, and whether it is new."""
    values = {field: getattr(said, field) for field in TopicSettings.__dataclass_fields__}
    values |= {"titles": dict(said.titles), "channels": list(said.channels), "caps": [dict(cap) for cap in said.caps]}
    statement = insert(topic).values(tenant_id=tenant_id, id=uuid_utils.compat.uuid7(), name=name, **values)
    statement = statement.on_conflict_do_update(
        index_elements=[topic.c.tenant_id, topic.c.name], set_={**values, "updated_at": func.now()}
    )
    is_new = literal_column("xmax = 0", Boolean).label("is_new")
    row = (await connection.execute(statement.returning(*_SHOWN, is_new))).mappings().one()
    return Topic(**{key: value for key, value in row.items() if key != "is_new"}), row["is_new"]


async def get(connection: AsyncConnection, tenant_id: UUID, name: str, *, lock: bool = False) -> Topic | None:
    """Returns a topic; `lock` keeps others from naming or removing it in this transaction."""
    query = select(*_SHOWN).where(topic.c.tenant_id == tenant_id, topic.c.name == name)
    row = (await connection.execute(query.with_for_update() if lock else query)).mappings().one_or_none()
    return Topic(**row) if row else None


async def hold(connection: AsyncConnection, tenant_id: UUID, name: str) -> bool:
    """Keeps a topic from being removed in this transaction; tells whether there is one."""
    query = select(topic.c.id).where(topic.c.tenant_id == tenant_id, topic.c.name == name)
    return (await connection.execute(query.with_for_update(read=True, key_share=True))).first() is not None


async def page(connection: AsyncConnection, tenant_id: UUID, *, limit: int, before: UUID | None) -> list[Topic]:
    """Returns topics, the newest first."""
    query = select(*_SHOWN).where(topic.c.tenant_id == tenant_id)
    if before is not None:
        query = query.where(topic.c.id < before)
    return [
        Topic(**row) for row in (await connection.execute(query.order_by(topic.c.id.desc()).limit(limit))).mappings()
    ]


async def every(connection: AsyncConnection, tenant_id: UUID) -> list[Topic]:
    """Returns all topics of a tenant by name, at most a thousand."""
    query = select(*_SHOWN).where(topic.c.tenant_id == tenant_id).order_by(topic.c.name).limit(1000)
    return [Topic(**row) for row in (await connection.execute(query)).mappings()]


async def users(connection: AsyncConnection, tenant_id: UUID, name: str) -> list[str]:
    """Returns the names of some templates that name a topic."""
    query = select(template.c.name).where(template.c.tenant_id == tenant_id, template.c.topic == name)
    return list((await connection.execute(query.order_by(template.c.name).limit(5))).scalars())


async def remove(connection: AsyncConnection, tenant_id: UUID, topic_id: UUID) -> None:
    """Removes a topic; what people chose about it stays, and counts again if the topic comes back."""
    await connection.execute(delete(topic).where(topic.c.tenant_id == tenant_id, topic.c.id == topic_id))
