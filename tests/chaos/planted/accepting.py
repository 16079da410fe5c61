"""Bugs in accepting and cancelling."""

import asyncio
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from api import acceptance as accepting
from api import notifications as endpoints
from api.accept_rules import Ask
from api.auth import Principal
from api.notification_views import Accepted
from api.problems import Problem
from api.services import Services
from db import acceptance, cancellations, notifications, outbox
from db.delivery_tables import notification
from domain.status import Status
from tests.chaos.planted.registry import API, bug, dropped_key, swap, without
from tests.chaos.report import Kind

_COMMIT_TAKES = 0.05


@bug(API, finds={Kind.LOST})
def acknowledge_before_commit() -> None:
    """The API answers 202 while its transaction is still open, to save the caller the wait for the disk."""
    early: ContextVar[asyncio.Future[Any] | None] = ContextVar("early", default=None)
    underway: set[asyncio.Task[Any]] = set()

    def telling(store: Any) -> Any:
        async def told(*given: Any) -> Any:
            results = await store(*given)
            if (answer := early.get()) is not None and not answer.done():
                answer.set_result(results)
                await asyncio.sleep(_COMMIT_TAKES)
            return results

        return told

    def hasty(accept_one: Any) -> Any:
        async def accepted(services: Services, principal: Principal, ask: Ask) -> tuple[Accepted, bool]:
            answer = asyncio.get_running_loop().create_future()
            early.set(answer)
            whole = asyncio.create_task(accept_one(services, principal, ask))
            underway.add(whole)
            whole.add_done_callback(underway.discard)
            await asyncio.wait({answer, whole}, return_when=asyncio.FIRST_COMPLETED)
            result: tuple[Accepted, bool] | Problem = (await whole) if whole.done() else answer.result()[0]
            if isinstance(result, Problem):
                raise result
            return result

        return accepted

    swap(accepting, "_store", telling)
    swap(endpoints, "accept_one", hasty)


@bug(API, finds={Kind.DUPLICATED}, database=(dropped_key("notification", "tenant_id, idempotency_key"),))
def idempotency_key_dropped() -> None:
    """A migration lost the unique key of notifications, and the insert no longer asks whether the key is in use."""
    conflict = "ON CONFLICT (tenant_id, idempotency_key) DO NOTHING"
    swap(acceptance, "_INSERT", lambda statement: text(without(str(statement), (conflict, ""))))


@bug(API, finds={Kind.LOST})
def start_in_a_second_transaction() -> None:
    """The row of the outbox is written after the notification was committed, in a transaction of its own."""
    starts: ContextVar[list[Any]] = ContextVar("starts")

    def remembering(insert: Any) -> Any:
        async def inserted(connection: AsyncConnection, tenant_id: UUID, new: Sequence[Any]) -> Any:
            stored = await insert(connection, tenant_id, new)
            starts.get().extend(_start(tenant_id, item) for item in new if item.id in stored)
            return stored

        return inserted

    def in_two_steps(accept: Any) -> Any:
        async def accepted(services: Services, principal: Principal, asks: Sequence[Ask]) -> Any:
            starts.set([])
            results = await accept(services, principal, asks)
            if starts.get():
                async with services.database.tenant(principal.tenant_id) as connection:
                    await outbox.add_starts(connection, principal.tenant_id, starts.get())
            return results

        return accepted

    writes, writes_nothing = "FROM asked JOIN stored USING (id) ORDER BY place", "FROM asked WHERE false"
    swap(acceptance, "_INSERT", lambda statement: text(without(str(statement), (writes, writes_nothing))))
    swap(acceptance, "insert", remembering)
    swap(accepting, "accept", in_two_steps)


def _start(tenant_id: UUID, item: acceptance.NewNotification) -> tuple[str, int, Any]:
    row = acceptance._row(tenant_id, 0, item)
    return row["workflow_id"], item.lane, row["payload"]


@bug(API, finds={Kind.SENT_AFTER_STOPPED})
def cancel_without_the_lock() -> None:
    """Cancelling looks whether something is under way without locking the notification first."""

    async def unlocked(connection: AsyncConnection, tenant_id: UUID, condition: Any) -> cancellations.Standing | None:
        query = select(*cancellations._STANDING).where(notification.c.tenant_id == tenant_id, condition)
        row = (await connection.execute(query)).mappings().one_or_none()
        return cancellations.Standing(**{**row, "status": Status(row["status"])}) if row else None

    swap(cancellations, "_standing", lambda _: unlocked)


@bug(API, finds={Kind.CROSS_TENANT})
def cached_without_the_tenant() -> None:
    """A notification that was read is kept in memory by its id alone, and shown to whoever asks next."""
    kept: dict[UUID, Any] = {}

    def caching(get: Any) -> Any:
        async def got(connection: AsyncConnection, tenant_id: UUID, notification_id: UUID) -> Any:
            found = await get(connection, tenant_id, notification_id)
            kept.update({notification_id: found} if found is not None else {})
            return kept.get(notification_id)

        return got

    swap(notifications, "get", caching)
