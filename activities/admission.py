"""Admission: whether an attempt may be made now, by the circuits of its account and template and by the limits.

It runs inside the claiming transaction, so that what is reserved and what is claimed are committed together.
"""

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from activities import clock
from db import circuits, limits, quiet
from db.delivery import Work
from db.limits import Asked, Slot
from domain.circuits import Admission, Circuit, account_subject, admit, strictest, template_subject
from domain.limits import Defaults, Limits, is_usable, limits_for
from domain.notifications import Delivered, DeliveryOrder, Outcome
from domain.reasons import Reason
from domain.status import Status

_BUSY = timedelta(seconds=1)


def held(reason: Reason, now: datetime, until: datetime | None = None) -> Delivered:
    """Returns the answer for an order that has to wait: until an instant, or until somebody says so."""
    return Delivered(outcome=Outcome.HELD, status=Status.QUEUED, at=now, reason=reason, until=until)


def busy() -> Delivered:
    """Returns the answer where the account has as many attempts on their way as it may; asks to come again soon."""
    now = clock.now()
    return held(Reason.ACCOUNT_BUSY, now, now + _BUSY * random.uniform(1, 3))  # noqa: S311 - a spread, not a secret


async def judge(
    connection: AsyncConnection,
    tenant_id: UUID,
    orders: Sequence[DeliveryOrder],
    work: Mapping[str, Work],
    usual: Mapping[str, Defaults],
    now: datetime,
) -> tuple[dict[str, Delivered], Collection[str]]:
    """Returns who must wait, by notification, and the subjects whose next success is news.

    The permit of a probe comes last: who waits for a turn must not keep it from others.
    """
    subjects = {order.notification_id: subjects_of(order, work[order.notification_id]) for order in orders}
    known = await circuits.read(connection, tenant_id, {one for pair in subjects.values() for one in pair})
    waiting = {name: answer for name, pair in subjects.items() if (answer := _shut(pair, known, now)) is not None}
    free = [order for order in orders if order.notification_id not in waiting]
    waiting |= await _by_limits(connection, tenant_id, free, work, usual, now)
    for order in free:
        name = order.notification_id
        probed = [subject for subject in subjects[name] if _asks_for_permit(known.get(subject), now)]
        for subject in probed if name not in waiting else ():
            if not await circuits.take_probe(connection, tenant_id, subject, now):
                waiting[name] = held(known[subject].cause or Reason.PROVIDER_UNAVAILABLE, now)
                break
    return waiting, {subject for subject, circuit in known.items() if not circuit.is_pristine}


def _shut(subjects: Sequence[str], known: Mapping[str, Circuit], now: datetime) -> Delivered | None:
    circuit = strictest((known.get(subject) for subject in subjects), now)
    return None if circuit is None else held(circuit.cause or Reason.PROVIDER_UNAVAILABLE, now)


def _asks_for_permit(circuit: Circuit | None, now: datetime) -> bool:
    return circuit is not None and admit(circuit, now) is Admission.PROBE


def subjects_of(order: DeliveryOrder, work: Work) -> tuple[str, str]:
    """Returns what an order's success depends on beside the message: its account, and the template there."""
    account_id = order.hop.account_id
    return account_subject(account_id), template_subject(account_id, work.template_version_id, order.hop.locale)


async def _by_limits(
    connection: AsyncConnection,
    tenant_id: UUID,
    orders: Sequence[DeliveryOrder],
    work: Mapping[str, Work],
    usual: Mapping[str, Defaults],
    now: datetime,
) -> dict[str, Delivered]:
    """Returns who has to wait for a turn, by notification; a turn that came already is used without asking again."""
    bound = {order.notification_id: _limits(order, work[order.notification_id], usual) for order in orders}
    usable = {order.notification_id for order in orders if is_usable(order.reserved_for, now)}
    waiting = await _by_silence(connection, tenant_id, {name: bound[name] for name in usable}, now)
    asked = [
        Asked(
            name=order.notification_id,
            limits=_counted_once(bound[order.notification_id], order, now),
            at_once=order.page_id is not None,
        )
        for order in orders
        if order.notification_id not in usable
    ]
    slots = await limits.reserve(connection, tenant_id, asked, now)
    turns = {name: _turn(slot, now) for name, slot in slots.items()}
    return waiting | {name: answer for name, answer in turns.items() if answer is not None}


async def _by_silence(
    connection: AsyncConnection, tenant_id: UUID, bound: Mapping[str, Limits], now: datetime
) -> dict[str, Delivered]:
    """Returns whose turn came while the provider wants to be left alone."""
    keys = {bucket.key for one in bound.values() for bucket in one.buckets}
    closed = await quiet.closed(connection, tenant_id, keys, now)
    found = {name: [bucket for bucket in one.buckets if bucket.key in closed] for name, one in bound.items()}
    return {
        name: held(buckets[0].reason, now, max(closed[bucket.key] for bucket in buckets))
        for name, buckets in found.items()
        if buckets
    }


def _counted_once(bound: Limits, order: DeliveryOrder, now: datetime) -> Limits:
    """Returns the limits without the caps where a turn that was missed has used up one of today already."""
    if order.reserved_for is None or order.reserved_for.date() != now.date():
        return bound
    return replace(bound, caps=())


def _limits(order: DeliveryOrder, work: Work, usual: Mapping[str, Defaults]) -> Limits:
    if work.to is None:
        return Limits()
    return limits_for(
        work.account_id,
        work.account_limits,
        order.tenant_id,
        work.tenant_settings,
        order.hop.channel,
        work.to.kind,
        work.to.value,
        usual.get(work.provider, Defaults()),
    )


def _turn(slot: Slot, now: datetime) -> Delivered | None:
    if slot.at is None:
        reason = slot.reason or Reason.DAILY_CAP
        # A cap that is used up is for somebody to raise, or for the next day.
        return held(reason, now, None if reason is Reason.DAILY_CAP else slot.again)
    if slot.at <= now + limits.AT_ONCE:
        return None
    return replace(held(slot.reason or Reason.RATE_LIMITED, now, slot.at), reserved_for=slot.at)
