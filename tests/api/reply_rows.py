"""Rows of the tenant matrix for held replies, and how one comes to be held; `matrix_rows.py` says how."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import select

from db import callbacks, series_replies
from db.callbacks import NewInbound
from db.series_tables import held_reply
from db.session import Database
from tests import factories
from tests.api import flowing
from tests.api.matrix_rows import Call, Row, World


async def says(database: Database, tenant_id: UUID, *, body: str = "Yes", **changes: Any) -> UUID:
    """Lets a person write, and returns the id of the message."""
    fields: dict[str, Any] = {
        "id": uuid_utils.compat.uuid7(), "provider": "meta", "provider_message_id": "wamid.in", "sender": "1",
        "author_kind": "phone", "author": "+919876543210", "author_name": "Asha", "kind": "text", "body": body,
        "payload": None, "quotes": None, "media_id": None, "media_type": None, "raw": {},
        "occurred_at": datetime.now(UTC), **changes,
    }  # fmt: skip
    fields.setdefault("event_key", f"message:{fields['id']}")
    async with database.tenant(tenant_id) as connection:
        kept = await factories.keep_callback(connection, tenant_id, provider="meta", body=fields["id"].bytes)
        new = await callbacks.add_inbound(connection, tenant_id, [NewInbound(callback_id=kept, **fields)])
        await series_replies.tell(connection, tenant_id, new)
    return fields["id"]  # type: ignore[no-any-return]  # it is one


async def _held(world: World) -> tuple[str, str]:
    """Lets two series wait for one person who answers neither by name."""
    await flowing.publish(world.owner)
    first = await flowing.start(world.owner, key="order-1")
    await flowing.start(world.owner, key="order-2")
    await says(world.database, world.tenant_id, body="a secret answer")
    async with world.database.tenant(world.tenant_id) as connection:
        found = (await connection.execute(select(held_reply.c.id))).scalar_one()
    return str(found), first


async def _listed(world: World) -> Call:
    await _held(world)
    return Call(foreign=200, secret=("a secret answer", "+919876543210"))


async def _shown(world: World) -> Call:
    reply, _ = await _held(world)
    return Call(path={"reply_id": reply})


async def _given(world: World) -> Call:
    reply, series = await _held(world)
    return Call(path={"reply_id": reply}, json={"series_id": series})


async def _dismissed(world: World) -> Call:
    reply, _ = await _held(world)
    return Call(path={"reply_id": reply}, json={"reason": "said on the phone"})


REPLY_ROWS: dict[str, Row] = {
    "list_held_replies": _listed,
    "get_held_reply": _shown,
    "give_held_reply": _given,
    "dismiss_held_reply": _dismissed,
}
