"""Links by which people change what they get: sealed, so that a link names nobody and can be made by us alone."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from db.delivery import Work
from domain.content import Content, EmailContent
from domain.links import Link, LinkError, packed, unpacked
from domain.notifications import DeliveryOrder
from domain.recipients import Channel
from sealing import KeyRing, SealError

PATH = "/u"
_PLACE = "links|people"
_LONGEST = 1024


@dataclass(frozen=True, slots=True)
class Links:
    """Makes and opens links below a public address."""

    key_ring: KeyRing
    public_url: str

    def url(self, link: Link) -> str:
        """Returns the address that stands for a link."""
        return f"{self.public_url.rstrip('/')}{PATH}/{self.token(link)}"

    def token(self, link: Link) -> str:
        """Returns the part of the address that stands for a link."""
        return base64.urlsafe_b64encode(self.key_ring.seal(packed(link), place=_PLACE)).rstrip(b"=").decode()

    def opened(self, token: str) -> Link | None:
        """Returns what a token of ours stands for, and nothing for any other."""
        if len(token) > _LONGEST or not token.isascii():
            return None
        try:
            sealed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
            return unpacked(self.key_ring.open(sealed, place=_PLACE))
        except (SealError, LinkError, binascii.Error, ValueError):
            return None

    def of(self, tenant_id: UUID, order: DeliveryOrder, work: Work) -> dict[str, str]:
        """Returns what every template can write: where to choose, and where to choose about this very topic."""
        link = link_of(tenant_id, order.hop.channel, work)
        if link is None:
            return {}
        about = replace(link, topic=work.topic.name if work.topic else None)
        return {"preferences_url": self.url(link), "unsubscribe_url": self.url(about)}

    def with_one_click(self, content: Content, work: Work, given: Mapping[str, str]) -> Content:
        """Returns a mail with the headers by which mail programs offer to unsubscribe (RFC 8058).

        The mail is about a topic that people choose about, the link is https, and the author wrote none.
        """
        if not isinstance(content, EmailContent) or work.topic is None or work.topic.transactional:
            return content
        link = given.get("unsubscribe_url", "")
        if not link.startswith("https://") or any(name.lower() == "list-unsubscribe" for name, _ in content.headers):
            return content
        own = (("List-Unsubscribe", f"<{link}>"), ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"))
        return replace(content, headers=(*content.headers, *own))


def link_of(tenant_id: UUID, channel: Channel, work: Work) -> Link | None:
    """Returns the link of whoever a message goes to: the recipient, or whoever has the address."""
    if work.receiver_id is not None:
        kind, subject = "recipient", str(work.receiver_id)
    elif work.to is not None:
        kind, subject = work.to.kind.value, work.to.value
    else:
        return None
    return Link(tenant_id=tenant_id, subject_kind=kind, subject=subject, channel=channel)
