"""Callbacks as they arrived, and the inbound messages in them; a repetition is counted, never applied twice."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import func, literal_column, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.delivery_tables import callback, inbound_message
from db.tables import account
from domain import keys


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedAccount:
    """An account of a provider, with its configuration still sealed."""

    id: UUID
    provider: str
    sealed_config: bytes
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewInbound:
    """Something a person wrote or tapped, ready to be stored."""

    provider: str
    event_key: str
    provider_message_id: str
    sender: str
    author_kind: str
    author: str
    author_name: str | None
    kind: str
    body: str | None
    payload: str | None
    quotes: str | None
    media_id: str | None
    media_type: str | None
    raw: dict[str, Any]
    occurred_at: datetime


async def accounts_of(connection: AsyncConnection, tenant_id: UUID, provider: str) -> tuple[SealedAccount, ...]:
    """Returns the accounts whose secrets may have signed a callback; a suspended one still receives."""
    asked = select(account.c.id, account.c.provider, account.c.sealed_config, account.c.updated_at).where(
        account.c.tenant_id == tenant_id, account.c.provider == provider, account.c.state != "retired"
    )
    return tuple(SealedAccount(**row) for row in (await connection.execute(asked)).mappings())


async def keep(
    connection: AsyncConnection, tenant_id: UUID, *, provider: str, body: bytes, events: list[Any], unknown: int
) -> tuple[UUID, bool]:
    """Stores a callback and returns its id and whether it is new; the same bytes again only count up."""
    row = {
        "tenant_id": tenant_id,
        "id": uuid_utils.compat.uuid7(),
        "provider": provider,
        "body_hash": keys.body_hash(body),
        "body": body,
        "events": events,
        "unknown_events": unknown,
    }
    statement = insert(callback).values(row)
    statement = statement.on_conflict_do_update(
        index_elements=["tenant_id", "provider", "body_hash"],
        set_={"times": callback.c.times + 1, "last_received_at": func.now()},
    )
    # xmax is zero only for a row that this statement inserted.
    returned = await connection.execute(statement.returning(callback.c.id, literal_column("xmax = 0").label("new")))
    found = returned.one()
    return found.id, found.new


async def add_inbound(
    connection: AsyncConnection, tenant_id: UUID, callback_id: UUID, messages: Sequence[NewInbound]
) -> None:
    """Stores inbound messages; one that is there already stays as it is."""
    if not messages:
        return
    rows = [
        {**asdict(item), "tenant_id": tenant_id, "id": uuid_utils.compat.uuid7(), "callback_id": callback_id}
        for item in messages
    ]
    await connection.execute(insert(inbound_message).on_conflict_do_nothing(), rows)
