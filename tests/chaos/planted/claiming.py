"""Bugs in the claim: what is written before a provider is called, and what is looked at once more."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from copy import copy
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from activities import delivery as activity
from activities.delivery import Delivery
from db import delivery
from db.delivery import Claim, Claimed, Work
from db.session import Database
from domain.status import Status
from tests.chaos.planted.registry import WORKER, bug, dropped_key, swap, without
from tests.chaos.report import Kind
from workflows import notification as workflow


class _UndoneError(Exception):
    """Ends a transaction without a commit."""


class _Undoing:
    """A database whose transactions are rolled back."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def tenant(self, tenant_id: UUID, **options: Any) -> AsyncIterator[AsyncConnection]:
        with suppress(_UndoneError):
            async with self._database.tenant(tenant_id, **options) as connection:
                yield connection
                raise _UndoneError


@bug(WORKER, finds={Kind.DUPLICATED})
def send_then_record() -> None:
    """The attempt is written when its outcome is known: before the send it is only looked whether it may be made."""
    unwritten: dict[str, Claim] = {}
    write = Delivery._claim

    async def only_look(self: Any, tenant_id: UUID, claims: Sequence[Claim]) -> Any:
        looking = copy(self)
        looking._database = _Undoing(self._database)
        unwritten.update({str(claim.attempt_id): claim for claim in claims})
        return await write(looking, tenant_id, claims)

    def with_attempt(store: Any) -> Any:
        async def stored(self: Any, record: Any, *more: Any) -> Any:
            claim = unwritten.pop(record.attempt_id, None)
            if claim is not None:
                await write(self, UUID(record.tenant_id), [claim])
            return await store(self, record, *more)

        return stored

    swap(Delivery, "_claim", lambda _: only_look)
    swap(Delivery, "_keep", with_attempt)


@bug(WORKER, finds={Kind.DUPLICATED})
def claim_takes_the_next_number() -> None:
    """The database numbers attempts, not the workflow: an execution that finds its number taken takes the next one."""

    def next_free(claim: Any) -> Any:
        async def claimed(
            connection: AsyncConnection, tenant_id: UUID, claims: Sequence[Claim], work: Any, blocked: Any = ()
        ) -> list[Claimed]:
            found: list[Claimed] = await claim(connection, tenant_id, claims, work, blocked)
            taken = {str(one.notification_id) for one in found if not one.taken and one.state == "sending"}
            again = [
                replace(one, order=replace(one.order, number=one.order.number + 1))
                for one in claims
                if one.order.notification_id in taken
            ]
            if not again:
                return found
            rest = [one for one in found if str(one.notification_id) not in taken]
            return rest + await claimed(connection, tenant_id, again, work, blocked)

        return claimed

    swap(delivery, "claim", next_free)


@bug(WORKER, finds={Kind.DUPLICATED}, database=(dropped_key("attempt", "tenant_id, message_id, number"),))
def attempt_key_dropped() -> None:
    """A migration lost the unique key of attempts, and the claim inserts whatever may be there already."""
    conflict = "ON CONFLICT (tenant_id, message_id, number) DO NOTHING"
    former = "AND a.number = asked.number"
    swap(delivery, "_CLAIM", lambda claim: text(without(str(claim), (conflict, ""), (former, "AND false"))))


@bug(WORKER, finds={Kind.DUPLICATED})
def found_sending_is_sent_again() -> None:
    """An attempt that is found in state `sending` is made again: its process died, so nothing was sent."""

    def sending(former: Any) -> Any:
        async def found(self: Any, order: Any, claim: Claimed, work: Work) -> Any:
            if claim.state == "sending":
                return await self._attempt(UUID(order.tenant_id), order, claim, work, frozenset())
            return await former(self, order, claim, work)

        return found

    swap(Delivery, "_former", sending)


@bug(WORKER, finds={Kind.SENT_AFTER_STOPPED})
def cancel_not_looked_at_again() -> None:
    """Whether it was cancelled is looked at when the plan is made, not once more under the claim's lock."""

    def careless(why_not: Any) -> Any:
        def why(work: Work, now: datetime) -> Any:
            return why_not(replace(work, cancel_requested=False, ended=False, status=Status.QUEUED), now)

        return why

    swap(activity, "why_not", careless)


@bug(WORKER, finds={Kind.UNEXPECTED})
def expiry_ignored() -> None:
    """The expiry is checked when a notification is accepted and by nobody later."""

    def careless(why_not: Any) -> Any:
        def why(work: Work, now: datetime) -> Any:
            return why_not(replace(work, expires_at=None), now)

        return why

    swap(activity, "why_not", careless)
    swap(workflow, "decide", lambda decide: lambda plan, progress, now, _expires_at=None: decide(plan, progress, now))
