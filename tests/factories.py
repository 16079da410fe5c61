"""Rows that tests need: accounts, templates and notifications, written straight into the tables."""

import json
from typing import Any
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.accounts import config_place
from db import callbacks
from db.callbacks import NewCallback
from db.delivery_tables import notification
from db.session import Database
from db.tables import account, template, template_version
from sealing import KeyRing

TEXT_PART = {"channel": "email", "locale": "en", "content": {"subject": "Hello {{ name }}", "text": "Dear {{ name }}"}}


async def insert(database: Database, tenant_id: UUID, table: Table, **values: Any) -> UUID:
    """Inserts a row of a tenant and returns its id."""
    new_id: UUID = values.pop("id", None) or uuid_utils.compat.uuid7()
    async with database.tenant(tenant_id) as connection:
        await connection.execute(table.insert().values(tenant_id=tenant_id, id=new_id, **values))
    return new_id


async def make_account(
    database: Database,
    tenant_id: UUID,
    key_ring: KeyRing,
    *,
    provider: str,
    channel: str,
    config: dict[str, Any],
    **values: Any,
) -> UUID:
    """Creates an active account with its configuration sealed."""
    account_id = uuid_utils.compat.uuid7()
    sealed = key_ring.seal(json.dumps(config).encode(), place=config_place(tenant_id, account_id))
    fields = {"name": f"{provider} {account_id}", "state": "active", "sealed_config": sealed, **values}
    return await insert(database, tenant_id, account, id=account_id, provider=provider, channel=channel, **fields)


async def make_version(
    database: Database, tenant_id: UUID, *parts: dict[str, Any], name: str = "hello", **defaults: Any
) -> UUID:
    """Creates a template with one published version of these parts and returns the version's id."""
    used = list(parts) or [TEXT_PART]
    channels = list(dict.fromkeys(part["channel"] for part in used))
    numbers = {"published_number": 1, "latest_number": 1}
    template_id = await insert(
        database, tenant_id, template, name=name, channels=channels, defaults=defaults, **numbers
    )
    return await insert(
        database, tenant_id, template_version, template_id=template_id, number=1, parts=used, content_hash="h"
    )


async def make_notification(
    database: Database, tenant_id: UUID, version_id: UUID, *, to: str, to_kind: str, **values: Any
) -> UUID:
    """Creates a queued notification."""
    new_id: UUID = values.pop("id", None) or uuid_utils.compat.uuid7()
    fields = {
        "idempotency_key": str(new_id),
        "request_hash": b"h",
        "template": "hello",
        "data": {"name": "Asha"},
        **values,
    }
    return await insert(
        database, tenant_id, notification, id=new_id, to=to, to_kind=to_kind, template_version_id=version_id, **fields
    )


async def keep_callback(connection: AsyncConnection, tenant_id: UUID, *, provider: str, body: bytes) -> UUID:
    """Stores a callback that tells nothing, and returns its id."""
    callback = NewCallback(id=uuid_utils.compat.uuid7(), provider=provider, body=body)
    await callbacks.keep(connection, tenant_id, [callback])
    return callback.id
