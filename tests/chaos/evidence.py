"""Everything that a campaign is judged by, as values: what was asked and answered, what the provider took, our rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One notification that somebody asked for, with everything that was answered about it.

    Attributes:
        tenant: The tenant's id.
        ids: Every id that an answer named; one, if all is well.
        promised_at: When it was accepted first, None if never.
        buried: It was refused, for ever, because a cancellation of its key came first.
        refused: It was refused for another reason, in the API's words.
        stopped: A cancellation was answered with `stopped`.
    """

    tenant: str
    key: str
    channels: tuple[str, ...]
    phone: str
    mailbox: str
    on_unknown: str = "prefer_silence"
    fallback: Mapping[str, Any] = field(default_factory=dict)
    may_expire: bool = False
    delayed: bool = False
    cancels: bool = False
    ids: frozenset[str] = frozenset()
    promised_at: datetime | None = None
    buried: bool = False
    refused: str = ""
    stopped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """One message that a provider took, by its own journal.

    Attributes:
        tenant: Whose account it came through, by the provider's own knowledge of it.
        order: What its content says that it is about.
        named: The tenant that its content names.
        fails: The provider reported later that it could not deliver it.
    """

    sequence: int
    at: datetime
    tenant: str
    channel: str
    to: str
    reference: str
    provider_id: str
    order: str
    named: str
    fails: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A receipt that we took: the provider got our 200 for it.

    Attributes:
        astray: It was told to another tenant, who has no such message.
        names_us: It carries our reference; otherwise only the provider's id tells whose it is.
    """

    tenant: str
    reference: str
    provider_id: str
    status: str
    astray: bool = False
    names_us: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationRow:
    """One notification as our database has it."""

    tenant: str
    id: str
    key: str
    status: str
    reason: str | None
    on_unknown: str
    ended: bool
    parked: str | None = None
    expires_at: datetime | None = None
    cancel_requested: bool = False
    paged: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRow:
    """One attempt as our database has it, with where its message stands."""

    tenant: str
    notification: str
    message: str
    hop: int
    part: int
    channel: str
    number: int
    reference: str
    state: str
    flagged: bool
    message_status: str
    settled_by: str | None = None
    claimed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A status that somebody was shown, in the order in which it was shown."""

    notification: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pried:
    """A tenant asked for another one's notification, and this was the answer's status."""

    tenant: str
    owner: str
    notification: str
    status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything, once nothing moves any more.

    Attributes:
        tenants: The tenants' ids, and the name that their messages carry.
        unhanded: Outbox rows that are left.
        strayed: Receipts that belong to a message of another tenant, by the reference that they carry.
        repeated: Receipts that are there more than once.
        grace: Seconds that a paused process may take between its look at the clock and its claim.
        doubts: Why the evidence itself cannot be trusted.
    """

    tenants: Mapping[str, str] = field(default_factory=dict)
    asked: tuple[Asked, ...] = ()
    acceptances: tuple[Acceptance, ...] = ()
    told: tuple[Told, ...] = ()
    notifications: tuple[NotificationRow, ...] = ()
    attempts: tuple[AttemptRow, ...] = ()
    seen: tuple[Seen, ...] = ()
    pried: tuple[Pried, ...] = ()
    unhanded: tuple[str, ...] = ()
    strayed: tuple[str, ...] = ()
    repeated: tuple[str, ...] = ()
    grace: float = 15.0
    doubts: tuple[str, ...] = ()
