"""Callbacks as they arrived, and the inbound messages in them; a repetition is counted, never applied twice."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.delivery_tables import inbound_message
from db.json import encode
from db.tables import account
from domain import keys

_STORE = (
    insert(inbound_message).on_conflict_do_nothing().returning(inbound_message.c.provider, inbound_message.c.event_key)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedAccount:
    """An account of a provider, with its configuration still sealed."""

    id: UUID
    provider: str
    sealed_config: bytes
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewInbound:
    """Something a person wrote or tapped, ready to be stored; `callback_id` is the request that told of it."""

    callback_id: UUID
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


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCallback:
    """A callback as it came, with what it tells in short: `[kind, key]` of each event, and how many are not known."""

    id: UUID
    provider: str
    body: bytes
    events: Sequence[Any] = ()
    unknown: int = 0


# xmax is zero only for a row that this statement inserted.
_KEEP = text("""
INSERT INTO callback (tenant_id, id, provider, body_hash, body, events, unknown_events, times)
SELECT :tenant, id, provider, body_hash, body, CAST(events AS jsonb), unknown, times
FROM unnest(CAST(:ids AS uuid[]), CAST(:providers AS text[]), CAST(:hashes AS bytea[]), CAST(:bodies AS bytea[]),
            CAST(:events AS text[]), CAST(:unknown AS integer[]), CAST(:times AS integer[]))
     AS asked(id, provider, body_hash, body, events, unknown, times)
ORDER BY provider, body_hash
ON CONFLICT (tenant_id, provider, body_hash)
DO UPDATE SET times = callback.times + excluded.times, last_received_at = now()
RETURNING id, xmax = 0 AS new
""")


async def keep(connection: AsyncConnection, tenant_id: UUID, callbacks: Sequence[NewCallback]) -> set[UUID]:
    """Stores callbacks and returns the ids of those that are new; the same bytes again only count up."""
    named = [(one.provider, keys.body_hash(one.body)) for one in callbacks]
    times = Counter(named)
    first = dict(zip(reversed(named), reversed(callbacks), strict=True))
    asked = {
        "tenant": tenant_id,
        "ids": [one.id for one in first.values()],
        "providers": [provider for provider, _ in first],
        "hashes": [digest for _, digest in first],
        "bodies": [one.body for one in first.values()],
        "events": [encode(list(one.events)) for one in first.values()],
        "unknown": [one.unknown for one in first.values()],
        "times": [times[name] for name in first],
    }
    rows = await connection.execute(_KEEP, asked)
    return {row.id for row in rows if row.new}


async def add_inbound(connection: AsyncConnection, tenant_id: UUID, messages: Sequence[NewInbound]) -> list[NewInbound]:
    """Stores inbound messages and returns those that are new; one that is there already stays as it is."""
    if not messages:
        return []
    ordered = sorted(messages, key=lambda item: (item.provider, item.event_key))  # as everybody locks them
    rows = [{**asdict(item), "tenant_id": tenant_id, "id": uuid_utils.compat.uuid7()} for item in ordered]
    stored = {(row.provider, row.event_key) for row in await connection.execute(_STORE, rows)}
    return [item for item in ordered if (item.provider, item.event_key) in stored]
