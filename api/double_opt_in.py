"""Double opt-in over HTTP: the recipient is asked by a message, and only their own answer gives consent."""

from datetime import datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

import uuid_utils.compat
from fastapi import Header, Response
from pydantic import Field

from activities.links import Links
from api.accept_rules import Ask, Note
from api.acceptance import accept_one
from api.auth import Principal, needs
from api.consent_models import PENDING_EVIDENCE
from api.models import Body, JsonObject, Shown
from api.notification_models import NotificationBody, TemplateName, To
from api.notifications import ACCEPTING
from api.openapi import problem_responses
from api.problem_types import Kind
from api.problems import invalid, not_found
from api.recipient_models import ExternalId
from api.routing import noun_router
from api.scopes import Scope
from api.services import Services, ServicesOf
from api.template_models import NamedTopic
from db import consents, recipients, topics
from db.consent_tables import EVERY
from db.consents import NewConsent, Subject
from db.topics import Topic
from domain import keys
from domain.consent import Source, State
from domain.faults import Fault
from domain.links import Link, Purpose
from domain.recipients import Channel

router = noun_router("/v1/recipients/{external_id}/consents", "Consent")

Sender = Annotated[Principal, needs(Scope.NOTIFICATIONS_SEND)]
LIFETIME = timedelta(days=7)
TRIGGER = "consent.asked"


class Question(Body):
    """The message that asks."""

    template: TemplateName = Field(description="It writes `{{ confirm_url }}`, and belongs to no topic.")
    channel: Channel
    data: JsonObject = Field(default_factory=dict)


class OptInBody(Body):
    """What consent is asked for."""

    topic: NamedTopic
    channel: Channel | None = Field(default=None, description="For which channel; all, where none is named.")
    double_opt_in: Question
    evidence: JsonObject = Field(default_factory=dict, description=PENDING_EVIDENCE)


class Asked(Shown):
    """What became of the question: asked now, or not needed because consent stands already."""

    state: Literal["pending", "granted"]
    notification_id: UUID | None
    expires_at: datetime | None


@router.post(
    "",
    status_code=202,
    summary="Ask a recipient for consent",
    responses={
        200: {"description": "Consent stands already; nothing was asked.", "model": Asked},
        **problem_responses(*ACCEPTING, Kind.UNKNOWN_RECIPIENT),
    },
)
async def ask_for_consent(
    external_id: ExternalId,
    body: OptInBody,
    principal: Sender,
    services: ServicesOf,
    response: Response,
    key: Annotated[
        str | None, Header(alias="Idempotency-Key", max_length=255, pattern=r"^[!-~]([ -~]*[!-~])?$")
    ] = None,
) -> Asked:
    """Sends the question, and takes the consent as pending until the recipient confirms it, within seven days.

    Without an `Idempotency-Key` every request asks once more.
    """
    recipient_id, is_granted = await _ground(services, principal, external_id, body)
    if is_granted:
        response.status_code = 200
        return Asked(state="granted", notification_id=None, expires_at=None)
    asked_at = services.now()  # before the question goes out: an answer that is quicker than we are stands
    until = (asked_at + LIFETIME).replace(microsecond=0)
    link = Link(
        tenant_id=principal.tenant_id,
        subject_kind="recipient",
        subject=str(recipient_id),
        channel=body.channel,
        topic=body.topic,
        purpose=Purpose.CONFIRM,
        until=until,
    )
    url = Links(services.key_ring, services.settings.public_url).url(link)
    accepted, _ = await accept_one(services, principal, _ask(external_id, recipient_id, body, url, key))
    await _note_pending(services, principal, recipient_id, body, asked_at)
    return Asked(state="pending", notification_id=accepted.id, expires_at=until)


async def _ground(services: Services, principal: Principal, external_id: str, body: OptInBody) -> tuple[UUID, bool]:
    """Returns the recipient, and whether it gave this very consent before; raises why it cannot be asked."""
    async with services.database.tenant(principal.tenant_id) as connection:
        owner = await recipients.get(connection, principal.tenant_id, external_id)
        if owner is None:
            raise not_found("recipient")
        _check(await topics.get(connection, principal.tenant_id, body.topic), body)
        rows = await consents.of_subjects(connection, principal.tenant_id, [Subject.recipient(owner.id)])
    asked = (body.topic, body.channel.value if body.channel else EVERY, State.GRANTED.value)
    return owner.id, asked in {(row.topic, row.channel, row.state) for row in rows}


def _check(topic: Topic | None, body: OptInBody) -> None:
    message = None
    if topic is None:
        message = f"there is no topic {body.topic!r}; create it, or correct the name"
    elif topic.transactional:
        message = f"the topic {body.topic!r} is transactional: nobody can choose about it"
    if message is not None:
        raise invalid(Fault(pointer="/topic", message=message))


def _ask(external_id: str, recipient_id: UUID, body: OptInBody, url: str, key: str | None) -> Ask:
    question = body.double_opt_in
    asked = NotificationBody(
        to=To(recipient=external_id),
        template=question.template,
        data={**question.data, "confirm_url": url},
        channels=[question.channel],
        trigger=TRIGGER,
    )
    said = body.model_dump(mode="json", exclude_defaults=True)
    return Ask(
        key=key or f"{TRIGGER}/{uuid_utils.compat.uuid7()}",
        request_hash=keys.request_hash({"recipient": external_id, **said}),
        body=asked,
        audit=Note("consent.asked", recipient_id, {"recipient": external_id, "topic": body.topic}),
    )


async def _note_pending(
    services: Services, principal: Principal, recipient_id: UUID, body: OptInBody, at: datetime
) -> None:
    new = NewConsent(
        subject=Subject.recipient(recipient_id),
        channel=body.channel,
        topic=body.topic,
        state=State.PENDING,
        source=Source.DOUBLE_OPT_IN,
        at=at,
        evidence=body.evidence,
    )
    async with services.database.tenant(principal.tenant_id) as connection:
        await consents.keep(connection, principal.tenant_id, [new])
