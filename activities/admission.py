"""Admission: whether an attempt may be made now, by the circuits of its account and template and by the limits.

It runs inside the claiming transaction, so that what is reserved and what is claimed are committed together.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from db import circuits
from db.delivery import Work
from domain.circuits import Admission, Circuit, News, account_subject, admit, news_of, template_subject
from domain.notifications import AttemptRecord, Delivered, DeliveryOrder, Outcome
from domain.reasons import Reason
from domain.status import Status


def held(reason: Reason, now: datetime, until: datetime | None = None) -> Delivered:
    """Returns the answer for an order that has to wait: until an instant, or until somebody says so."""
    return Delivered(outcome=Outcome.HELD, status=Status.QUEUED, at=now, reason=reason, until=until)


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


def news_about(
    record: AttemptRecord, order: DeliveryOrder, work: Work, noteworthy: Collection[str]
) -> tuple[News, ...]:
    """Returns what an attempt showed about its account and template; an expected success is no news."""
    told = news_of(
        record.outcome,
        Reason(record.error_code) if record.error_code else None,
        account_id=work.account_id,
        template_version_id=work.template_version_id,
        locale=order.hop.locale,
        at=record.at,
    )
    return tuple(item for item in told if item.trouble is not None or item.subject in noteworthy)
