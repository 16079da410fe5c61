"""Bugs in what becomes of providers' callbacks."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from api import callbacks as webhooks
from api.services import Services
from db import callbacks, receipt_effects, receipts
from db.delivery_tables import callback, notification
from db.session import _AS_SYSTEM, _AS_TENANT
from domain import keys
from domain.status import Status
from providers.base import Callback, Provider
from tests.chaos.planted.registry import API, Change, bug, dropped_key, swap, without
from tests.chaos.report import Kind

_LOOSE_RECEIPTS = tuple(
    Change(make=f"ALTER TABLE receipt DROP CONSTRAINT IF EXISTS receipt_tenant_id_{column}_fkey")
    for column in ("message_id", "attempt_id")
)


@bug(API, finds={Kind.RECEIPT_LOST})
def webhook_answered_before_commit() -> None:
    """A provider's callback is answered with 200 at once and recorded in the background."""

    def later(record: Any) -> Any:
        async def recorded(services: Services, tenant_id: UUID, provider: Provider, received: Callback) -> None:
            services.background.start("callback.record", record(services, tenant_id, provider, received))

        return recorded

    swap(webhooks, "_record", later)


@bug(
    API,
    finds={Kind.UNEXPLAINED},
    database=(
        dropped_key("callback", "tenant_id, provider, body_hash"),
        dropped_key("receipt", "tenant_id, provider, event_key"),
    ),
)
def callbacks_applied_again() -> None:
    """Callbacks and receipts lost their unique keys, so a repeated callback is stored and applied again."""

    async def kept(connection: AsyncConnection, tenant_id: UUID, heard: Sequence[Any]) -> set[UUID]:
        rows = [
            {
                "tenant_id": tenant_id,
                "id": one.id,
                "provider": one.provider,
                "body_hash": keys.body_hash(one.body),
                "body": one.body,
                "events": list(one.events),
                "unknown_events": one.unknown,
            }
            for one in heard
        ]
        await connection.execute(insert(callback), rows)
        return {one.id for one in heard}

    swap(callbacks, "keep", lambda _: kept)


@bug(API, finds={Kind.REGRESSED, Kind.RECEIPT_LOST})
def status_overwritten() -> None:
    """Whatever a receipt says last is the status, however far the message was already."""

    def newest(_: Any) -> Any:
        def newest_status(_current: Status, news: Status) -> Status:
            return news

        return newest_status

    swap(receipt_effects, "after_receipt", newest)
    swap(receipt_effects, "advance", newest)


@bug(API, finds={Kind.RECEIPT_LOST})
def late_receipts_ignored() -> None:
    """A receipt for a notification that has ended is stored and changes nothing any more."""

    def only_open(apply: Any) -> Any:
        async def applied(connection: AsyncConnection, tenant_id: UUID, news: Sequence[Any]) -> None:
            names = {match.notification_id for _, match in news}
            asked = select(notification.c.id).where(
                notification.c.tenant_id == tenant_id, notification.c.id.in_(names), notification.c.ended_at.is_(None)
            )
            still_open = set((await connection.execute(asked)).scalars())
            await apply(connection, tenant_id, [one for one in news if one[1].notification_id in still_open])

        return applied

    swap(receipt_effects, "apply", only_open)


@bug(API, finds={Kind.CROSS_TENANT}, database=_LOOSE_RECEIPTS)
def receipts_matched_across_tenants() -> None:
    """Receipts are matched by reference alone, and a migration took the tenant out of their foreign keys."""
    everywhere = text(without(str(receipts._MATCH), ("a.tenant_id = :tenant\n  AND ", "")))

    async def matched(connection: AsyncConnection, tenant_id: UUID, news: Sequence[Any]) -> Mapping[Any, Any]:
        asked = {"refs": [one.reference for one in news], "ids": [one.provider_message_id for one in news]}
        await connection.execute(_AS_SYSTEM)
        rows = (await connection.execute(everywhere, asked)).mappings().all()
        await connection.execute(_AS_TENANT, {"tenant_id": str(tenant_id)})
        fields = receipt_effects.Match.__dataclass_fields__
        found = {row["reference"]: receipt_effects.Match(**{name: row[name] for name in fields}) for row in rows}
        return {(one.provider, one.event_key): found[one.reference] for one in news if one.reference in found}

    def only_known(apply: Any) -> Any:
        async def applied(connection: AsyncConnection, tenant_id: UUID, news: Sequence[Any]) -> None:
            asked = select(notification.c.id).where(notification.c.tenant_id == tenant_id)
            known = set((await connection.execute(asked)).scalars())
            await apply(connection, tenant_id, [one for one in news if one[1].notification_id in known])

        return applied

    swap(receipts, "_matches", lambda _: matched)
    swap(receipt_effects, "apply", only_known)
