"""The question of a series for consent: a message with a link that confirms, and the consent pending until then."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from activities.links import Links
from activities.series_sends import NotPossible, Sending, Sends
from db import consents, topics
from db.consents import NewConsent, Subject
from domain.calendar import shift, zone_of
from domain.consent import Source, State
from domain.flow_steps import Confirm, Send
from domain.links import Link, Purpose
from domain.quiet_hours import InQuiet, Quiet


def message_of(step: Confirm) -> Send:
    """Returns the message by which a step asks; nobody gets it when its link is good for nothing any more."""
    return Send(id=step.id, template=step.template, channels=step.channels, data=step.data, expires=step.timeout)


async def ask(
    connection: AsyncConnection, tenant_id: UUID, sends: Sends, links: Links, step: Confirm, sending: Sending
) -> dict[str, Any]:
    """Accepts the message that asks, and returns what later conditions see of it.

    Raises:
        NotPossible: There is no such topic, nobody can choose about it, or the message cannot be sent.
    """
    series = sending.series
    topic = await topics.get(connection, tenant_id, step.topic)
    if topic is None or topic.transactional:
        why = "is not there" if topic is None else "is transactional: nobody can choose about it"
        raise NotPossible("topic_missing", f"the topic {step.topic!r} {why}")
    if series.receiver_id is None:
        raise NotPossible("recipient_missing", "only a recipient can be asked for consent, and nobody has this address")
    subject = Subject.recipient(series.receiver_id)
    until = shift(sending.now, step.timeout, zone_of(sending.zone)).replace(microsecond=0)
    link = Link(
        tenant_id=tenant_id,
        subject_kind=subject.kind,
        subject=subject.value,
        channel=step.channel,
        topic=step.topic,
        purpose=Purpose.CONFIRM,
        until=until,
    )
    asking = replace(sending, quiet=_held(sending.quiet), more={"confirm_url": links.url(link)})
    outcome = await sends.send(connection, tenant_id, asking)
    evidence = {"series": str(series.id), "flow": series.flow, "step": step.id}
    pending = NewConsent(
        subject=subject,
        channel=step.channel,
        topic=step.topic,
        state=State.PENDING,
        source=Source.DOUBLE_OPT_IN,
        at=sending.now,
        evidence={**evidence, "notification_id": outcome["notification_id"]},
    )
    await consents.keep(connection, tenant_id, [pending])
    return {**outcome, "confirms": step.topic}


def _held(quiet: Quiet | None) -> Quiet | None:
    """Returns quiet hours that hold a question: it is never left out."""
    return replace(quiet, mode=InQuiet.HOLD) if quiet else None
