"""What people want, looked at inside the claiming transaction: consent, quiet hours, and how many messages they get."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from activities import outcomes
from activities.admission import held
from db import calendars, frequency
from db.consents import Subject
from db.delivery import Work
from db.frequency import Lately, Turn
from domain.consent import may_send
from domain.frequency import FrequencyCap, TooMany, caps_of
from domain.notifications import Delivered, DeliveryOrder
from domain.quiet_hours import Rest
from domain.reasons import Reason


def unwanted(order: DeliveryOrder, work: Work) -> Reason | None:
    """Returns why the person does not want a message, as of this moment: it may have waited for months."""
    wishes = [known.choice for known in work.choices]
    return may_send(work.topic, order.hop.channel, wishes, critical=work.critical)


async def left_alone(
    connection: AsyncConnection,
    tenant_id: UUID,
    orders: Sequence[DeliveryOrder],
    work: Mapping[str, Work],
    now: datetime,
) -> dict[str, Delivered]:
    """Returns what becomes of those for whom it is quiet at this moment, by the clocks and calendars as they are now.

    An image that follows a message goes with it: the message was sent before.
    """
    asking = {order.notification_id: order for order in orders if order.part == 0}
    rests = {name: (rest, work[name].zone) for name in asking if (rest := work[name].rest) is not None}
    # The workflow's own clock may be ahead of this machine's: an end that it waited for has come.
    times = {name: max(now, asking[name].at or now) for name in rests}
    found = {}
    for name, until in (await resting(connection, tenant_id, rests, times)).items():
        is_left_out = rests[name][0].leaves_out(until, times[name])
        found[name] = outcomes.stopped(Reason.QUIET_HOURS) if is_left_out else held(Reason.QUIET_HOURS, now, until)
    return found


async def resting(
    connection: AsyncConnection,
    tenant_id: UUID,
    rests: Mapping[str, tuple[Rest, str | None]],
    times: Mapping[str, datetime],
) -> dict[str, datetime]:
    """Returns until when it is quiet for some of those who have quiet hours, each with their zone, at their times."""
    asked = {rest.quiet.holidays for rest, _ in rests.values() if rest.quiet.holidays is not None}
    days = await calendars.holidays(connection, tenant_id, asked)
    found = {name: rest.until(times[name], zone, days) for name, (rest, zone) in rests.items()}
    return {name: until for name, until in found.items() if until is not None}


async def too_often(
    connection: AsyncConnection,
    tenant_id: UUID,
    orders: Sequence[DeliveryOrder],
    work: Mapping[str, Work],
    now: datetime,
) -> tuple[Lately, dict[str, Delivered]]:
    """Returns what people got lately, and what becomes of those who would be one too many by that alone.

    It is asked before there are turns to take, and counts nothing. Nothing is read or locked where neither the tenant
    nor the topic has caps.
    """
    turns = _turns(orders, work)
    now = max(now, *(order.at or now for order in orders)) if orders else now
    lately = await frequency.read(connection, tenant_id, turns, now)
    found = {str(turn.notification_id): lately.too_many(turn) for turn in turns}
    return lately, {name: _answer(many, now) for name, many in found.items() if many is not None}


async def count(
    connection: AsyncConnection,
    tenant_id: UUID,
    orders: Sequence[DeliveryOrder],
    work: Mapping[str, Work],
    lately: Lately,
) -> dict[str, Delivered]:
    """Counts what is about to go out, and returns what becomes of those who are one too many after the others."""
    many = await frequency.take(connection, tenant_id, _turns(orders, work), lately)
    return {str(name): _answer(one, lately.now) for name, one in many.items()}


def _answer(many: TooMany, now: datetime) -> Delivered:
    if many.until is None:
        return outcomes.stopped(Reason.FREQUENCY_CAP)
    return held(Reason.FREQUENCY_CAP, now, many.until)


def _turns(orders: Sequence[DeliveryOrder], work: Mapping[str, Work]) -> list[Turn]:
    """Returns what is counted: no critical messages, and no image, which goes with its message."""
    found = (_turn(order, work[order.notification_id]) for order in orders if order.part == 0)
    return [turn for turn in found if turn is not None]


def _turn(order: DeliveryOrder, work: Work) -> Turn | None:
    caps = _caps(work)
    if not caps or work.critical or work.to is None:
        return None
    known = work.receiver_id is not None
    subject = Subject("recipient", str(work.receiver_id)) if known else Subject(work.to.kind.value, work.to.value)
    return Turn(
        notification_id=work.notification_id,
        subject=subject,
        channel=order.hop.channel,
        topic=work.topic.name if work.topic else None,
        caps=caps,
    )


def _caps(work: Work) -> tuple[FrequencyCap, ...]:
    """Returns the caps of the topic, and those of the tenant, which do not concern transactional topics."""
    own = caps_of(work.topic_caps, work.topic.name) if work.topic is not None and work.topic_caps else ()
    if work.topic is not None and work.topic.transactional:
        return own
    return (*own, *caps_of(work.tenant_settings.get("frequency_caps") or ()))
