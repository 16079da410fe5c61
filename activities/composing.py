"""Composes one attempt: opens the account, renders the content, loads attachments, and has the provider spell it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import channels
from activities.accounts import AccountProviders
from activities.attachments import Attachments
from activities.buttons import Buttons
from activities.links import Links
from channels import Rendered
from db.delivery import Claimed, Work
from domain import locales
from domain.content import Content, EmailContent, Outgoing
from domain.errors import ContentRefused, InvalidAddress, NoImage
from domain.notifications import DeliveryOrder
from domain.recipients import Channel
from domain.templates import Part, choose_part
from domain.uses import LINKS
from providers.base import Provider, Request

EXAMPLES = {name: f"https://example.org/{name}" for name in sorted(LINKS)}
"""Links where none is needed: for looking at what a template says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """A request ready for the transport, the hash of what it says, and whether an image follows it."""

    provider: Provider
    request: Request
    snapshot_hash: str
    follows: bool


class Composer:
    """Makes requests from work."""

    def __init__(self, accounts: AccountProviders, attachments: Attachments, buttons: Buttons, links: Links) -> None:
        self._accounts = accounts
        self._attachments = attachments
        self._buttons = buttons
        self._links = links

    async def compose(self, tenant_id: UUID, order: DeliveryOrder, claim: Claimed, work: Work) -> Composed:
        """Returns the request of an attempt, or raises the `DeliveryError` that says why there can be none."""
        provider = self._accounts.open(
            tenant_id,
            work.account_id,
            provider=work.provider,
            sealed_config=work.sealed_config,
            updated_at=work.account_updated_at,
        )
        links = self._links.of(tenant_id, order, work)
        rendered = render(order, work, links)
        content = self._links.with_one_click(_content(rendered, order.part), work, links)
        content = await self._with_attachments(tenant_id, content, work)
        content = self._buttons.signed(tenant_id, claim.message_id, content)
        if work.to is None:
            raise InvalidAddress("the address was removed after the plan was made")
        outgoing = Outgoing(reference=claim.reference, message_id=str(claim.message_id), to=work.to, content=content)
        return Composed(
            provider=provider,
            request=provider.request(outgoing),
            snapshot_hash=rendered.snapshot_hash,
            follows=order.part == 0 and rendered.follow_up is not None,
        )

    async def _with_attachments(self, tenant_id: UUID, content: Content, work: Work) -> Content:
        if not isinstance(content, EmailContent) or not work.attachments:
            return content
        return replace(content, attachments=await self._attachments.load(tenant_id, work.attachments))


def render(order: DeliveryOrder, work: Work, links: Mapping[str, str]) -> Rendered:
    """Returns the content of an order, rendered from the version that was accepted with the notification.

    What the data says itself goes before the `links` of the same names.
    """
    parts = [Part(channel=Channel(p["channel"]), locale=p["locale"], content=p["content"]) for p in work.parts]
    chosen = choose_part(parts, order.hop.channel, (order.hop.locale,))
    if chosen is None:
        raise ContentRefused("the template version has no part for this channel and locale")
    data = {**links, **work.data}
    if work.attachments:
        data["attachments"] = [_visible(item) for item in work.attachments]
    hop = order.hop
    reader = hop.reader_locale or (hop.locale if hop.locale != locales.DEFAULT else "en")
    zone = work.zone or "UTC"
    return channels.render(hop.channel, chosen.content, data, locale=reader, zone=zone, language=hop.locale)


def has_follow_up(order: DeliveryOrder, work: Work) -> bool:
    """Tells whether an image follows the message of an order."""
    return order.part == 0 and render(order, work, EXAMPLES).follow_up is not None


def _content(rendered: Rendered, part: int) -> Content:
    if rendered.skipped == NoImage.code:
        raise NoImage("the template says to skip without an image, and there is none")
    content = rendered.content if part == 0 else rendered.follow_up
    if content is None:
        raise ContentRefused("the template has nothing to follow this message")
    return content


def _visible(attachment: Mapping[str, Any]) -> dict[str, Any]:
    return {name: attachment.get(name) for name in ("url", "filename", "content_type")}
