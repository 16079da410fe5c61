"""Uploads: files that notifications carry, kept until they expire or are deleted."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import ColumnElement, delete, func, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from db.tables import upload


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """What is known of a file; `sha256` is in hex."""

    id: UUID
    filename: str
    content_type: str
    size: int
    sha256: str
    created_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadBody:
    """A file with its bytes."""

    filename: str
    content_type: str
    body: bytes = field(repr=False)


_SHOWN = tuple(column for column in upload.c if column.name not in {"tenant_id", "body"})


async def create(
    connection: AsyncConnection,
    tenant_id: UUID,
    *,
    filename: str,
    content_type: str,
    body: bytes,
    expires_at: datetime | None,
) -> Upload:
    """Stores a file and returns what is known of it."""
    statement = insert(upload).values(
        tenant_id=tenant_id,
        id=uuid_utils.compat.uuid7(),
        filename=filename,
        content_type=content_type,
        size=len(body),
        sha256=hashlib.sha256(body).hexdigest(),
        body=body,
        expires_at=expires_at,
    )
    row = (await connection.execute(statement.returning(*_SHOWN))).mappings().one()
    return Upload(**row)


async def get(connection: AsyncConnection, tenant_id: UUID, upload_id: UUID) -> Upload | None:
    """Returns what is known of a file, unless it was deleted or has expired."""
    found = await usable(connection, tenant_id, [upload_id])
    return found.get(upload_id)


async def usable(connection: AsyncConnection, tenant_id: UUID, upload_ids: Sequence[UUID]) -> dict[UUID, Upload]:
    """Returns those of the files that are there and have not expired, by id."""
    query = select(*_SHOWN).where(upload.c.tenant_id == tenant_id, upload.c.id.in_(upload_ids), _is_live())
    return {row["id"]: Upload(**row) for row in (await connection.execute(query)).mappings()}


async def read_body(connection: AsyncConnection, tenant_id: UUID, upload_id: UUID) -> UploadBody | None:
    """Returns a file with its bytes, unless it was deleted or has expired."""
    query = select(upload.c.filename, upload.c.content_type, upload.c.body).where(
        upload.c.tenant_id == tenant_id, upload.c.id == upload_id, _is_live()
    )
    row = (await connection.execute(query)).mappings().one_or_none()
    return UploadBody(**row) if row else None


async def remove(connection: AsyncConnection, tenant_id: UUID, upload_id: UUID) -> bool:
    """Deletes a file and tells whether it was there."""
    statement = delete(upload).where(upload.c.tenant_id == tenant_id, upload.c.id == upload_id)
    return bool((await connection.execute(statement)).rowcount)


def _is_live() -> ColumnElement[bool]:
    return or_(upload.c.expires_at.is_(None), upload.c.expires_at > func.now())
