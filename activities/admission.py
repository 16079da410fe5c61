"""Admission: whether an attempt may be made now, by the circuits of its account and template and by the limits.

It runs inside the claiming transaction, so that what is reserved and what is claimed are committed together.
"""

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from db import circuits, limits
from db.delivery import Work
from db.limits import Asked, Slot
from domain.circuits import Admission, Circuit, account_subject, admit, template_subject
from domain.limits import Defaults, Limits, is_usable, limits_for
from domain.notifications import Delivered, DeliveryOrder, Outcome
from domain.reasons import Reason
from domain.status import Status

_AT_ONCE = timedelta(milliseconds=20)
"""A turn so near is taken at once: a timer would be later than that."""

_BUSY = timedelta(seconds=1)


def held(reason: Reason, now: datetime, until: datetime | None = None) -> Delivered:
    """Returns the answer for an order that has to wait: until an instant, or until somebody says so."""
    return Delivered(outcome=Outcome.HELD, status=Status.QUEUED, at=now, reason=reason, until=until)


def busy() -> Delivered:
    """Returns the answer where the account has as many attempts on their way as it may; asks to come again soon."""
    now = datetime.now(UTC)
    return held(Reason.ACCOUNT_BUSY, now, now + _BUSY * random.uniform(1, 3))  # noqa: S311 - a spread, not a secret


async def by_circuits(
    connection: AsyncConnection,
    tenant_id: UUID,
    orders: Sequence[DeliveryOrder],
    work: Mapping[str, Work],
    now: datetime,
) -> tuple[dict[str, Delivered], Collection[str]]:
    """Returns what circuits hold back, by notification, and the subjects whose next success is news."""
    subjects = {order.notification_id: subjects_of(order, work[order.notification_id]) for order in orders}
    known = await circuits.read(connection, tenant_id, {one for pair in subjects.values() for one in pair})
    found: dict[str, Delivered] = {}
    for order in orders:
        for subject in subjects[order.notification_id]:
            circuit = known.get(subject)
            if circuit is None or await _passes(connection, tenant_id, subject, circuit, now):
                continue
            found[order.notification_id] = held(circuit.cause or Reason.PROVIDER_UNAVAILABLE, now)
            break
    return found, {subject for subject, circuit in known.items() if not circuit.is_pristine}


async def _passes(connection: AsyncConnection, tenant_id: UUID, subject: str, circuit: Circuit, now: datetime) -> bool:
    match admit(circuit, now):
        case Admission.GO:
            return True
        case Admission.PROBE:
            return await circuits.take_probe(connection, tenant_id, subject, now)
        case Admission.HOLD:
            return False


def subjects_of(order: DeliveryOrder, work: Work) -> tuple[str, str]:
    """Returns what an order's success depends on beside the message: its account, and the template there."""
    account_id = order.hop.account_id
    return account_subject(account_id), template_subject(account_id, work.template_version_id, order.hop.locale)


async def by_limits(
    connection: AsyncConnection,
    tenant_id: UUID,
    orders: Sequence[DeliveryOrder],
    work: Mapping[str, Work],
    usual: Mapping[str, Defaults],
    now: datetime,
) -> dict[str, Delivered]:
    """Returns who has to wait for a turn, by notification; a turn that came already is used without asking again."""
    asked = [
        Asked(name=order.notification_id, limits=_limits(order, work[order.notification_id], usual))
        for order in orders
        if not is_usable(order.reserved_for, now)
    ]
    slots = await limits.reserve(connection, tenant_id, asked, now)
    waiting = {name: _turn(slot, now) for name, slot in slots.items()}
    return {name: answer for name, answer in waiting.items() if answer is not None}


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
    if slot.at <= now + _AT_ONCE:
        return None
    return replace(held(slot.reason or Reason.RATE_LIMITED, now, slot.at), reserved_for=slot.at)
