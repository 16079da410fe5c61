"""Delivery: claim, send, record. One attempt each, for a page of notifications; a single one is a page of one.

No transaction is open while a provider is called and nothing is sent twice here. However this ends, it leaves either a
recorded outcome or a row in state `sending`, which the next execution calls by its name: unknown.
"""

import asyncio
import secrets
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import structlog
import uuid_utils.compat
from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio import activity

from activities import admission, aftermath, clock, outcomes, wishes
from activities.aftermath import Aftermath
from activities.bulkheads import Bulkheads
from activities.composing import Composed, Composer, has_follow_up
from activities.persistence import persist
from activities.recording import Recorder
from crashpoints import crash_here
from db import decisions, delivery, holds, pages
from db.delivery import Claim, Claimed, Work
from db.session import Database
from domain.errors import DeliveryError, Misconfigured, NotSent, Unavailable, Uncertain
from domain.limits import Defaults
from domain.notifications import AttemptRecord, Delivered, DeliveryOrder, Outcome
from domain.reasons import Reason
from domain.status import Status
from providers.base import Accepted
from providers.transport import Transport

log = structlog.get_logger(__name__)

_UNUSABLE = {"suppressed": Reason.ADDRESS_SUPPRESSED, "invalid": Reason.ADDRESS_INVALID}
# Seconds; with the 8 of the transport they stay below the time-out of the activity, so that what is known of an attempt
# always reaches the workflow.
_COMPOSING = 4.0
_PATIENCE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPage:
    """Attempts to make, all of one tenant, each of another notification."""

    tenant_id: str
    orders: tuple[DeliveryOrder, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ground:
    """What the claiming transaction found.

    Attributes:
        not_now: The answers for orders that must not be attempted, or not yet.
        noteworthy: Subjects of circuits whose next success is news.
    """

    work: Mapping[str, Work]
    not_now: Mapping[str, Delivered]
    claimed: Mapping[str, Claimed]
    noteworthy: Collection[str]


class Delivery:
    """Makes attempts."""

    def __init__(
        self,
        database: Database,
        transport: Transport,
        composer: Composer,
        *,
        bulkheads: Bulkheads | None = None,
        usual_limits: Mapping[str, Defaults] | None = None,
    ) -> None:
        self._database = database
        self._transport = transport
        self._composer = composer
        self._recorder = Recorder(database)
        self._bulkheads = bulkheads or Bulkheads(total=100)
        self._usual_limits = usual_limits or {}

    @activity.defn(name="delivery.deliver")
    async def deliver(self, page: DeliveryPage) -> list[Delivered]:
        """Makes the attempts of a page and returns what came of each, in order."""
        with ExitStack() as places:
            going = await self._enter(page.orders, places)
            delivered = dict(zip(going, await self._deliver(UUID(page.tenant_id), going), strict=True))
        return [delivered.get(order) or admission.busy() for order in page.orders]

    async def _enter(self, orders: Sequence[DeliveryOrder], places: ExitStack) -> list[DeliveryOrder]:
        """Takes places for attempts and returns those that have one; `places` gives them back."""

        async def enter(order: DeliveryOrder) -> bool:
            usual = self._usual_limits.get(order.hop.provider)
            most = usual.at_once if usual is not None else None
            entered = await self._bulkheads.enter_soon(order.hop.account_id, within=_PATIENCE, most=most)
            if entered:
                places.callback(self._bulkheads.leave, order.hop.account_id)
            return entered

        entered = await asyncio.gather(*(enter(order) for order in orders))
        return [order for order, has_place in zip(orders, entered, strict=True) if has_place]

    async def _deliver(self, tenant_id: UUID, orders: Sequence[DeliveryOrder]) -> Sequence[Delivered]:
        if not orders:
            return ()
        claims = [_new_claim(order) for order in orders]
        ground = await persist(lambda: self._claim(tenant_id, claims))
        return await asyncio.gather(*(self._one(tenant_id, order, ground) for order in orders))

    @activity.defn(name="delivery.record")
    async def record(self, record: AttemptRecord) -> Delivered:
        """Records an outcome that the workflow kept while the database could not take it."""
        return await self._recorder.keep(record)

    async def _claim(self, tenant_id: UUID, claims: Sequence[Claim]) -> _Ground:
        """Locks, checks what may have changed since the plan was made, and claims what may be sent."""
        orders = [claim.order for claim in claims]
        now = clock.now()
        async with self._database.tenant(tenant_id, kept=True) as connection:
            work = await delivery.read_work(connection, tenant_id, orders)
            moved = {order.notification_id for order in orders if _is_elsewhere(order, work[order.notification_id])}
            reasons = {order.notification_id: _why_not(order, work[order.notification_id], now) for order in orders}
            not_now = {name: outcomes.stopped(reason) for name, reason in reasons.items() if reason is not None}
            not_now |= {name: outcomes.stopped(Reason.CANCELLED) for name in moved}
            free = [order for order in orders if order.notification_id not in not_now]
            not_now |= await wishes.left_alone(connection, tenant_id, free, work, now)
            free = [order for order in free if order.notification_id not in not_now]
            lately, too_many = await wishes.too_often(connection, tenant_id, free, work, now)
            not_now |= too_many
            free = [order for order in free if order.notification_id not in too_many]
            held, noteworthy = await admission.judge(connection, tenant_id, free, work, self._usual_limits, now)
            not_now |= held
            free = [order for order in free if order.notification_id not in held]
            not_now |= await wishes.count(connection, tenant_id, free, work, lately)
            mine = [claim for claim in claims if claim.order.notification_id not in moved]
            claimed = await delivery.claim(connection, tenant_id, mine, work, not_now.keys())
            await _hand_over(connection, tenant_id, orders, {str(item.notification_id) for item in claimed})
            await decisions.add(connection, tenant_id, {order.notification_id: order.decisions for order in orders})
            found = {str(item.notification_id) for item in claimed}
            await holds.note(connection, tenant_id, {name: not_now[name] for name in not_now.keys() - found})
            crash_here("before_claim_commit")
        by_name = {str(item.notification_id): item for item in claimed}
        return _Ground(work=work, not_now=not_now, claimed=by_name, noteworthy=noteworthy)

    async def _one(self, tenant_id: UUID, order: DeliveryOrder, ground: _Ground) -> Delivered:
        name = order.notification_id
        if name not in ground.claimed:
            return ground.not_now[name]
        claim, work = ground.claimed[name], ground.work[name]
        if not claim.taken:
            return await self._former(order, claim, work)
        return await self._attempt(tenant_id, order, claim, work, ground.noteworthy)

    async def _attempt(
        self, tenant_id: UUID, order: DeliveryOrder, claim: Claimed, work: Work, noteworthy: Collection[str]
    ) -> Delivered:
        """Makes the attempt that was claimed, and records how it ended."""
        composed: Composed | None = None
        error: DeliveryError | None = None
        crash_here("after_claim_before_compose")
        try:
            composed = await self._compose(tenant_id, order, claim, work)
            with self._bulkheads.at_provider(in_page=order.page_id is not None):
                accepted = await self._send(composed)
        except DeliveryError as raised:
            error = raised
            record = outcomes.refused_record(order, claim, error)
        else:
            crash_here("after_accept_before_record")
            record = outcomes.accepted_record(order, claim, accepted, follows=composed.follows)
        after = aftermath.NOTHING
        if composed is not None:
            record = replace(record, snapshot_hash=composed.snapshot_hash)
        if composed is not None or isinstance(error, Misconfigured):  # what else fails before says nothing about it
            after = aftermath.of(record, error, order, work, noteworthy)
        log.info(
            "attempt.ended",
            outcome=record.outcome.value,
            reason=record.error_code,
            provider=work.provider,
            message_id=record.message_id,
            number=order.number,
        )
        return replace(await self._keep(record, after), follow_up=composed is not None and composed.follows)

    async def _compose(self, tenant_id: UUID, order: DeliveryOrder, claim: Claimed, work: Work) -> Composed:
        try:
            async with asyncio.timeout(_COMPOSING):
                return await self._composer.compose(tenant_id, order, claim, work)
        except DeliveryError:
            raise
        except TimeoutError as error:
            raise Unavailable("the message's attachments could not be loaded in time") from error
        except Exception as error:  # a mistake of ours, before anything was sent: a mended worker may try again
            log.exception("message.not_composed", provider=work.provider)
            raise NotSent(f"the message could not be composed: {type(error).__name__}") from error

    async def _send(self, composed: Composed) -> Accepted:
        crash_here("before_send")
        response = await self._transport.send(composed.request)
        try:
            return composed.provider.accepted(response)
        except DeliveryError:
            raise
        except Exception as error:  # a mistake of ours after the request was sent: nobody can say what it did
            log.exception("response.not_understood", provider=composed.provider.name)
            raise Uncertain(f"the answer could not be understood: {type(error).__name__}") from error

    async def _keep(self, record: AttemptRecord, after: Aftermath) -> Delivered:
        """Records an outcome, or hands it to the workflow, whose history is a durable place too."""
        try:
            return await self._recorder.keep(record, after)
        except Exception as error:  # noqa: BLE001 - whatever it is, what the provider said must not be lost with it
            log.warning("attempt.unrecorded", message_id=record.message_id, error=type(error).__name__)
            return replace(outcomes.delivered(record), unrecorded=record)

    async def _former(self, order: DeliveryOrder, claim: Claimed, work: Work) -> Delivered:
        """Returns what a former execution left: its outcome, or doubt where it died between claim and record."""
        if claim.state == "sending":
            log.warning("attempt.found_sending", provider=work.provider, message_id=str(claim.message_id))
            crash_here("before_doubt_is_recorded")
            error = Uncertain("the process that made this attempt ended before it could record the outcome")
            found = await self._recorder.keep(outcomes.refused_record(order, claim, error))
        else:
            found = outcomes.former(claim)
        return replace(found, follow_up=found.outcome is Outcome.ACCEPTED and has_follow_up(order, work))


def why_not(work: Work, now: datetime) -> Reason | None:
    """Returns why an attempt must not be made after all, at the last moment before it is claimed."""
    # One that has ended is ended for good: its workflow may come from a backup, or be one that nobody waits for.
    if work.ended or work.cancel_requested or work.status is Status.CANCELLED:
        return Reason.CANCELLED
    if work.expires_at is not None and now >= work.expires_at:
        return Reason.EXPIRED
    if work.to is None:
        return Reason.NO_ADDRESS
    if work.address_status in _UNUSABLE:
        return _UNUSABLE[work.address_status]
    if work.account_state != "active":
        return Reason.ACCOUNT_SUSPENDED
    return None


def _why_not(order: DeliveryOrder, work: Work, now: datetime) -> Reason | None:
    return why_not(work, now) or wishes.unwanted(order, work)


def _is_elsewhere(order: DeliveryOrder, work: Work) -> bool:
    """Tells whether a page's member was handed over meanwhile: then its own workflow makes the attempts."""
    return order.page_id is not None and str(work.page_id) != order.page_id


async def _hand_over(
    connection: AsyncConnection, tenant_id: UUID, orders: Sequence[DeliveryOrder], claimed: Collection[str]
) -> None:
    """Gives the members of a page that are not attempted workflows of their own."""
    waiting = [order for order in orders if order.page_id is not None and order.notification_id not in claimed]
    if waiting and waiting[0].page_id is not None:
        ids = [UUID(order.notification_id) for order in waiting]
        await pages.hand_over(connection, tenant_id, UUID(waiting[0].page_id), ids)


def _new_claim(order: DeliveryOrder) -> Claim:
    return Claim(
        order=order,
        message_id=uuid_utils.compat.uuid7(),
        attempt_id=uuid_utils.compat.uuid7(),
        reference=secrets.token_hex(16),
    )
