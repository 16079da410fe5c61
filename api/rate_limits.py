"""Limits over HTTP: what a tenant and its accounts may send, and how much of it is used up."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from api.auth import Principal, needs
from api.limit_models import AccountUsage, AccountUsagePage, BucketState, LimitsPage, TenantUsage
from api.paging import PagingOf
from api.routing import noun_router
from api.scopes import Scope
from api.services import ServicesOf
from db import accounts, limits, tenants
from db.accounts import Account
from domain import buckets
from domain.buckets import State
from domain.limits import TENANT_KEY, Bucket, account_bucket, account_key, pair_bucket, tenant_bucket
from domain.recipients import Channel
from providers import PROVIDERS

router = noun_router("/v1/limits", "Limits")

Reader = Annotated[Principal, needs(Scope.ACCOUNTS_READ)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Standing:
    """What was read of the limits at one moment."""

    now: datetime
    states: Mapping[str, State]
    used: Mapping[str, int]

    def bucket(self, bucket: Bucket | None) -> BucketState | None:
        """Returns a bucket as callers see it."""
        if bucket is None:
            return None
        state, now = self.states[bucket.key], limits.micros(self.now)
        return BucketState(
            rate=round(1 / bucket.interval, 6),
            burst=bucket.burst,
            free=buckets.free_now(bucket, state, now),
            waiting=buckets.waiting(bucket, state, now),
            next_at=limits.instant(buckets.earliest(bucket, state, now)),
        )

    def used_today(self, key: str, per_day: int | None) -> int | None:
        """Returns how much of a cap is used up."""
        return self.used.get(key, 0) if per_day is not None else None


@router.get("", summary="Read limits and what is used of them")
async def list_limits(
    principal: Reader, services: ServicesOf, paging: PagingOf, channel: Channel | None = None
) -> LimitsPage:
    """Returns the tenant's limits, and its accounts' with the newest first, as they stand at this moment."""
    now, tenant_id = services.now(), principal.tenant_id
    wanted = {"channel": channel.value} if channel is not None else {}
    async with services.database.tenant(tenant_id) as connection:
        settings = await tenants.settings_of(connection, tenant_id)
        rows = await accounts.page(connection, tenant_id, wanted=wanted, limit=paging.fetch, before=paging.before)
        found = [tenant_bucket(settings.get("limits") or {}), *map(_bucket, rows)]
        standing = _Standing(
            now=now,
            states=await limits.standing(connection, tenant_id, [one for one in found if one is not None], now),
            used=await limits.used(connection, tenant_id, now.date()),
        )
    page = paging.page(AccountUsagePage, rows, lambda row: _account(row, standing))
    return LimitsPage(**dict(page), day=now.date(), tenant=_tenant(settings, standing))


def _tenant(settings: Mapping[str, Any], standing: _Standing) -> TenantUsage:
    own = settings.get("limits") or {}
    return TenantUsage(
        bucket=standing.bucket(tenant_bucket(own)),
        per_day=own.get("per_day"),
        used_today=standing.used_today(TENANT_KEY, own.get("per_day")),
        sms_countries=settings.get("sms_countries") or [],
    )


def _account(row: Account, standing: _Standing) -> AccountUsage:
    pair = pair_bucket("pair", row.limits, PROVIDERS[row.provider].limits)
    return AccountUsage(
        account_id=row.id,
        name=row.name,
        channel=Channel(row.channel),
        provider=row.provider,
        bucket=standing.bucket(_bucket(row)),
        pair_seconds=pair.interval if pair else None,
        pair_burst=pair.burst if pair else None,
        per_day=row.limits.get("per_day"),
        used_today=standing.used_today(account_key(row.id), row.limits.get("per_day")),
    )


def _bucket(row: Account) -> Bucket | None:
    return account_bucket(row.id, row.limits, PROVIDERS[row.provider].limits)
