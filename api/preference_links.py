"""Links to a recipient's preferences over HTTP, to be shown where the caller knows who asks."""

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field

from activities.links import Links
from api.audit import record
from api.auth import Principal, needs
from api.models import Body, Shown, Whole
from api.recipient_models import ExternalId
from api.recipients import locked
from api.routing import noun_router
from api.scopes import Scope
from api.services import ServicesOf
from domain.links import Link

router = noun_router("/v1/recipients/{external_id}", "Consent")

Writer = Annotated[Principal, needs(Scope.RECIPIENTS_WRITE)]


class LinkBody(Body):
    """What kind of link is wanted."""

    expires_in_hours: Annotated[Whole, Field(ge=1, le=24 * 365)] = 24


class PreferenceLink(Shown):
    """A link by which its holder changes what the recipient gets; whoever has it can use it."""

    url: str
    expires_at: datetime


@router.post("/preference-link", status_code=201, summary="Make a link to a recipient's preferences")
async def make_preference_link(
    external_id: ExternalId, body: LinkBody, principal: Writer, services: ServicesOf
) -> PreferenceLink:
    """Returns a link to the page on which the recipient chooses; messages have one of their own."""
    until = (services.now() + timedelta(hours=body.expires_in_hours)).replace(microsecond=0)
    async with services.database.tenant(principal.tenant_id) as connection:
        owner = await locked(connection, principal.tenant_id, external_id)
        await record(connection, principal, "preference_link.made", owner.id, recipient=external_id)
    link = Link(tenant_id=principal.tenant_id, subject_kind="recipient", subject=str(owner.id), until=until)
    return PreferenceLink(url=Links(services.key_ring, services.settings.public_url).url(link), expires_at=until)
