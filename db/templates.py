"""Templates and their immutable versions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.tables import template, template_version


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A template: its name, what holds where a notification says nothing else, and which version is published."""

    id: UUID
    name: str
    description: str
    channels: Sequence[str]
    defaults: Mapping[str, Any]
    topic: str | None
    published_number: int | None
    latest_number: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version as it is stored; it never changes except for the moment at which it was last published."""

    id: UUID
    template_id: UUID
    number: int
    parts: Sequence[Mapping[str, Any]] = field(repr=False)
    variables: Sequence[Mapping[str, Any]] = field(repr=False)
    content_hash: str
    note: str
    created_by: str | None
    created_at: datetime
    published_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVersion:
    """A version to be added."""

    parts: Sequence[Mapping[str, Any]] = field(repr=False)
    variables: Sequence[Mapping[str, Any]] = field(repr=False)
    content_hash: str
    note: str
    created_by: str


_SHOWN = tuple(column for column in template.c if column.name != "tenant_id")
_VERSION = tuple(column for column in template_version.c if column.name != "tenant_id")


async def create(
    connection: AsyncConnection,
    tenant_id: UUID,
    *,
    name: str,
    description: str,
    channels: Sequence[str],
    defaults: Mapping[str, Any],
    topic: str | None = None,
) -> Template | None:
    """Returns the new template, or nothing when its name is taken."""
    statement = (
        insert(template)
        .values(
            tenant_id=tenant_id,
            id=uuid_utils.compat.uuid7(),
            name=name,
            description=description,
            channels=list(channels),
            defaults=dict(defaults),
            topic=topic,
        )
        .on_conflict_do_nothing(index_elements=[template.c.tenant_id, template.c.name])
        .returning(*_SHOWN)
    )
    row = (await connection.execute(statement)).mappings().one_or_none()
    return Template(**row) if row else None


async def get(connection: AsyncConnection, tenant_id: UUID, name: str, *, lock: bool = False) -> Template | None:
    """Returns a template; `lock` keeps others from adding versions or publishing in this transaction."""
    query = select(*_SHOWN).where(template.c.tenant_id == tenant_id, template.c.name == name)
    query = query.with_for_update(key_share=True) if lock else query
    row = (await connection.execute(query)).mappings().one_or_none()
    return Template(**row) if row else None


async def page(connection: AsyncConnection, tenant_id: UUID, *, limit: int, before: UUID | None) -> list[Template]:
    """Returns templates, the newest first."""
    query = select(*_SHOWN).where(template.c.tenant_id == tenant_id)
    if before is not None:
        query = query.where(template.c.id < before)
    rows = await connection.execute(query.order_by(template.c.id.desc()).limit(limit))
    return [Template(**row) for row in rows.mappings()]


async def change(connection: AsyncConnection, tenant_id: UUID, template_id: UUID, **values: Any) -> Template:
    """Sets columns of a template and returns it."""
    statement = (
        update(template)
        .where(template.c.tenant_id == tenant_id, template.c.id == template_id)
        .values(updated_at=func.now(), **values)
        .returning(*_SHOWN)
    )
    return Template(**(await connection.execute(statement)).mappings().one())


async def add_version(connection: AsyncConnection, tenant_id: UUID, of: Template, new: NewVersion) -> Version:
    """Adds the next version of a template that this transaction has locked, and returns it."""
    number = of.latest_number + 1
    values = {
        "tenant_id": tenant_id,
        "id": uuid_utils.compat.uuid7(),
        "template_id": of.id,
        "number": number,
        "parts": list(new.parts),
        "variables": list(new.variables),
        "content_hash": new.content_hash,
        "note": new.note,
        "created_by": new.created_by,
    }
    row = (await connection.execute(insert(template_version).values(values).returning(*_VERSION))).mappings().one()
    await change(connection, tenant_id, of.id, latest_number=number)
    return Version(**row)


async def version(connection: AsyncConnection, tenant_id: UUID, template_id: UUID, number: int) -> Version | None:
    """Returns a version by its number."""
    query = select(*_VERSION).where(
        template_version.c.tenant_id == tenant_id,
        template_version.c.template_id == template_id,
        template_version.c.number == number,
    )
    row = (await connection.execute(query)).mappings().one_or_none()
    return Version(**row) if row else None


async def version_by_id(connection: AsyncConnection, tenant_id: UUID, version_id: UUID) -> Version:
    """Returns a version by its id."""
    query = select(*_VERSION).where(template_version.c.tenant_id == tenant_id, template_version.c.id == version_id)
    return Version(**(await connection.execute(query)).mappings().one())


async def versions(
    connection: AsyncConnection, tenant_id: UUID, template_id: UUID, *, limit: int, before: UUID | None
) -> list[Version]:
    """Returns the versions of a template, the newest first."""
    query = select(*_VERSION).where(
        template_version.c.tenant_id == tenant_id, template_version.c.template_id == template_id
    )
    if before is not None:
        query = query.where(template_version.c.id < before)
    rows = await connection.execute(query.order_by(template_version.c.id.desc()).limit(limit))
    return [Version(**row) for row in rows.mappings()]


async def publish(connection: AsyncConnection, tenant_id: UUID, of: Template, number: int) -> Template:
    """Publishes a version of a template that this transaction has locked, and returns the template."""
    statement = update(template_version).where(
        template_version.c.tenant_id == tenant_id,
        template_version.c.template_id == of.id,
        template_version.c.number == number,
    )
    await connection.execute(statement.values(published_at=func.now()))
    return await change(connection, tenant_id, of.id, published_number=number)
