"""Consent of recipients over HTTP: what they chose, and choices that they made elsewhere."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from api.audit import record
from api.auth import Principal, needs
from api.consent_models import (
    ConsentBody,
    ConsentPage,
    Consents,
    shown,
    shown_entry,
    shown_standing,
)
from api.paging import PagingOf
from api.problems import invalid, not_found
from api.recipient_models import ExternalId
from api.recipients import locked
from api.routing import noun_router
from api.scopes import Scope
from api.services import ServicesOf
from db import addresses, consents, recipients, topics
from db.consents import NewConsent, Subject
from domain.consent import Source, State
from domain.faults import Fault
from domain.recipients import Channel

router = noun_router("/v1/recipients/{external_id}/consents", "Consent")

Reader = Annotated[Principal, needs(Scope.RECIPIENTS_READ)]
Writer = Annotated[Principal, needs(Scope.RECIPIENTS_WRITE)]
SHOWN_CHANNELS = (Channel.WHATSAPP, Channel.EMAIL, Channel.SMS)
"""Channels that choices are shown for where a topic names none."""


@router.get("", summary="Read what a recipient chose")
async def get_consents(external_id: ExternalId, principal: Reader, services: ServicesOf) -> Consents:
    """Returns what the recipient chose, and what holds for every topic over every channel because of it."""
    async with services.database.tenant(principal.tenant_id) as connection:
        row = await recipients.get(connection, principal.tenant_id, external_id)
        if row is None:
            raise not_found("recipient")
        return await _consents(connection, principal.tenant_id, row.id)


@router.put("", summary="Keep choices of a recipient")
async def put_consents(external_id: ExternalId, body: ConsentBody, principal: Writer, services: ServicesOf) -> Consents:
    """Keeps choices that the recipient made elsewhere, all or none; older ones than those that stand change nothing.

    What is not named stays. A repetition of the same request leaves no further trace.
    """
    at = _moment(body.at, services.now())
    async with services.database.tenant(principal.tenant_id) as connection:
        owner = await locked(connection, principal.tenant_id, external_id)
        await _check_topics(connection, principal.tenant_id, body)
        new = [
            NewConsent(
                subject=Subject.recipient(owner.id),
                channel=choice.channel,
                topic=choice.topic,
                state=State(choice.state),
                source=Source(body.source),
                at=at,
                evidence=body.evidence,
            )
            for choice in body.choices
        ]
        if changed := await consents.keep(connection, principal.tenant_id, new):
            said = [f"{one.topic or '*'}/{one.channel or '*'}: {one.state}" for one in changed]
            await record(connection, principal, "consent.changed", owner.id, recipient=external_id, choices=said)
        return await _consents(connection, principal.tenant_id, owner.id)


@router.get("/history", summary="List every choice of a recipient")
async def list_consent_history(
    external_id: ExternalId, principal: Reader, services: ServicesOf, paging: PagingOf
) -> ConsentPage:
    """Returns every choice with its source and time, the newest first."""
    async with services.database.tenant(principal.tenant_id) as connection:
        row = await recipients.get(connection, principal.tenant_id, external_id)
        if row is None:
            raise not_found("recipient")
        subjects = await subjects_of(connection, principal.tenant_id, row.id)
        rows = await consents.history(
            connection, principal.tenant_id, subjects, limit=paging.fetch, before=paging.before
        )
    return paging.page(ConsentPage, rows, shown_entry)


async def subjects_of(connection: AsyncConnection, tenant_id: UUID, recipient_id: UUID) -> list[Subject]:
    """Returns the recipient and its addresses, whose choices are its own."""
    owned = (await addresses.of_recipients(connection, tenant_id, [recipient_id]))[recipient_id]
    return [Subject.recipient(recipient_id), *(Subject(one.kind, one.value) for one in owned)]


async def _consents(connection: AsyncConnection, tenant_id: UUID, recipient_id: UUID) -> Consents:
    rows = await consents.of_subjects(connection, tenant_id, await subjects_of(connection, tenant_id, recipient_id))
    choices = [row.choice() for row in rows]
    rules = [topic.rules() for topic in await topics.every(connection, tenant_id)]
    return Consents(
        choices=[shown(row) for row in rows],
        standing=[
            shown_standing(topic, channel, choices)
            for topic in rules
            for channel in SHOWN_CHANNELS
            if topic.uses(channel)
        ],
    )


def _moment(given: datetime | None, now: datetime) -> datetime:
    if given is not None and given > now:
        raise invalid(Fault(pointer="/at", message="this moment is still to come; nobody has chosen anything then"))
    return given or now


async def _check_topics(connection: AsyncConnection, tenant_id: UUID, body: ConsentBody) -> None:
    known = {topic.name: topic for topic in await topics.every(connection, tenant_id)}
    faults: list[Fault] = []
    for place, choice in enumerate(body.choices):
        if choice.topic is None:
            continue
        topic, message = known.get(choice.topic), None
        if topic is None:
            message = f"there is no topic {choice.topic!r}; create it, or correct the name"
        elif topic.transactional:
            message = f"the topic {choice.topic!r} is transactional: nobody can choose about it"
        if message is not None:
            faults.append(Fault(pointer=f"/choices/{place}/topic", message=message))
    named = [(choice.topic, choice.channel) for choice in body.choices]
    faults += [
        Fault(pointer=f"/choices/{place}", message="the same topic and channel stand twice")
        for place, name in enumerate(named)
        if name in named[:place]
    ]
    if faults:
        raise invalid(*faults)
