"""Rate limits and daily caps: which ones hold for a message, from what its account and its tenant say."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from domain.reasons import Reason
from domain.recipients import AddressKind, Channel

LATENESS = timedelta(seconds=2)
"""How late somebody may use a reserved slot; whoever comes later (a worker was away) reserves anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A rate: one message per `interval` seconds in the long run, `burst` of them at once after a rest."""

    key: str
    interval: float
    burst: int
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """At most `limit` messages per day (UTC)."""

    key: str
    limit: int
    reason: Reason = Reason.DAILY_CAP


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Everything that must have room before a message may go out."""

    buckets: tuple[Bucket, ...] = ()
    caps: tuple[Cap, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """A provider's usual limits, which hold where an account says nothing else; None is no limit.

    Attributes:
        rate: Messages per second of one account.
        burst: Messages at once after a rest.
        pair_seconds: Seconds between messages of one account to one recipient, in the long run.
        pair_burst: Messages to one recipient at once after a rest.
        at_once: Attempts of one account that one process may have on their way, where it is fewer than its share.
    """

    rate: float | None = None
    burst: int | None = None
    pair_seconds: float | None = None
    pair_burst: int = 1
    at_once: int | None = None


def limits_for(
    account_id: UUID | str,
    account_limits: Mapping[str, Any],
    tenant_id: UUID | str,
    tenant_settings: Mapping[str, Any],
    channel: Channel,
    address_kind: AddressKind,
    address_value: str,
    defaults: Defaults,
) -> Limits:
    """Returns the buckets and caps of a message from this account to this address, the narrowest first.

    Args:
        account_id: The account that sends.
        account_limits: The account's own `limits`; what is absent there is the provider's default.
        tenant_id: The tenant; rows of limits are the tenant's, so that it is part of no key.
        tenant_settings: The tenant's settings, with `limits` among them.
        channel: The channel, part of the recipient's identity.
        address_kind: What kind of address the recipient has.
        address_value: The address; only a digest of it becomes part of a key.
        defaults: The provider's usual limits.
    """
    del tenant_id
    tenant_limits: Mapping[str, Any] = tenant_settings.get("limits") or {}
    buckets = (
        pair_bucket(pair_key(account_id, channel, address_kind, address_value), account_limits, defaults),
        account_bucket(account_id, account_limits, defaults),
        tenant_bucket(tenant_limits),
    )
    caps = (_cap(account_key(account_id), account_limits), _cap(TENANT_KEY, tenant_limits))
    return Limits(
        buckets=tuple(bucket for bucket in buckets if bucket is not None),
        caps=tuple(cap for cap in caps if cap is not None),
    )


TENANT_KEY = "tenant"
"""The key of what a whole tenant may send."""


def account_key(account_id: UUID | str) -> str:
    """Returns the key of what an account may send."""
    return f"account/{account_id}"


def pair_key(account_id: UUID | str, channel: Channel, kind: AddressKind, value: str) -> str:
    """Returns the key of what an account may send to one recipient, without the address itself."""
    # The account is part of what is digested, so that the same person has no name that tables could be joined by.
    identity = f"{account_id}/{channel.value}/{kind.value}/{value}"
    return f"pair/{account_id}/{hashlib.sha256(identity.encode()).hexdigest()[:20]}"


def account_bucket(account_id: UUID | str, limits: Mapping[str, Any], defaults: Defaults) -> Bucket | None:
    """Returns the bucket of an account, if it has a rate."""
    rate = limits.get("rate") or defaults.rate
    # A rate that was set without a burst has the burst of that rate, not the one of the provider's rate.
    burst = limits.get("burst") or (None if limits.get("rate") else defaults.burst)
    return _bucket(account_key(account_id), rate, burst)


def pair_bucket(key: str, limits: Mapping[str, Any], defaults: Defaults) -> Bucket | None:
    """Returns the bucket of an account and a recipient, if there is a pace for them."""
    seconds = limits.get("pair_seconds") or defaults.pair_seconds
    if not seconds:
        return None
    burst = limits.get("pair_burst") or (1 if limits.get("pair_seconds") else defaults.pair_burst)
    return Bucket(key=key, interval=seconds, burst=burst, reason=Reason.RECIPIENT_RATE_LIMITED)


def tenant_bucket(limits: Mapping[str, Any]) -> Bucket | None:
    """Returns the bucket of a tenant, if it has a rate; `limits` is the part of that name in its settings."""
    return _bucket(TENANT_KEY, limits.get("rate"), limits.get("burst"))


def usual_burst(rate: float) -> int:
    """Returns the burst of a rate that was set without one: what a quarter of a second brings."""
    return max(1, math.ceil(rate / 4))


def is_usable(reserved_for: datetime | None, now: datetime) -> bool:
    """Tells whether a reserved slot may be used now: its instant came, and not too long ago."""
    return reserved_for is not None and reserved_for <= now <= reserved_for + LATENESS


def _bucket(key: str, rate: float | None, burst: int | None) -> Bucket | None:
    if not rate:
        return None
    return Bucket(key=key, interval=1 / rate, burst=burst or usual_burst(rate), reason=Reason.RATE_LIMITED)


def _cap(key: str, limits: Mapping[str, Any]) -> Cap | None:
    per_day = limits.get("per_day")
    return Cap(key=key, limit=per_day) if per_day is not None else None
