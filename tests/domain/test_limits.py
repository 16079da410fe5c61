"""Which limits hold for a message, as a table: the account's own word, the provider's default, the tenant's share."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.limits import LATENESS, Bucket, Defaults, Limits, is_usable, limits_for, usual_burst
from domain.reasons import Reason
from domain.recipients import AddressKind, Channel
from providers import PROVIDERS

META = PROVIDERS["meta"].limits
NOW = datetime(2026, 8, 1, tzinfo=UTC)


def limits(
    account: dict[str, Any] | None = None,
    tenant: dict[str, Any] | None = None,
    defaults: Defaults = META,
    value: str = "+919876543210",
    account_id: str = "a",
) -> Limits:
    settings = {"limits": tenant} if tenant is not None else {}
    whom = (Channel.WHATSAPP, AddressKind.PHONE, value)
    return limits_for(account_id, account or {}, "t", settings, *whom, defaults)


def shown(bucket: Bucket) -> tuple[str, float, int]:
    return bucket.key.partition("/")[0], round(1 / bucket.interval, 6), bucket.burst


@pytest.mark.parametrize(
    ("account", "tenant", "defaults", "buckets", "caps"),
    [
        pytest.param({}, {}, META, [("pair", 0.166667, 5), ("account", 80, 20)], [], id="WhatsApp's own limits"),
        pytest.param({}, None, Defaults(), [], [], id="nobody says anything"),
        pytest.param(
            {"rate": 1000}, {}, META, [("pair", 0.166667, 5), ("account", 1000, 250)], [], id="an upgraded number"
        ),
        pytest.param({"burst": 3}, {}, META, [("pair", 0.166667, 5), ("account", 80, 3)], [], id="only another burst"),
        pytest.param(
            {"pair_seconds": 2}, {}, META, [("pair", 0.5, 1), ("account", 80, 20)], [], id="another pace for a pair"
        ),
        pytest.param(
            {"rate": 2, "burst": 4, "pair_seconds": 10, "pair_burst": 2},
            {},
            Defaults(),
            [("pair", 0.1, 2), ("account", 2, 4)],
            [],
            id="limits where the provider has none",
        ),
        pytest.param({}, {"rate": 10}, Defaults(), [("tenant", 10, 3)], [], id="the tenant's rate"),
        pytest.param({}, {"rate": 10, "burst": 7}, Defaults(), [("tenant", 10, 7)], [], id="the tenant's burst"),
        pytest.param(
            {"per_day": 500},
            {"per_day": 2000},
            Defaults(),
            [],
            [("account/a", 500), ("tenant", 2000)],
            id="caps of both",
        ),
    ],
)
def test_limits_come_from_the_account_the_provider_and_the_tenant(
    account: dict[str, Any],
    tenant: dict[str, Any],
    defaults: Defaults,
    buckets: list[tuple[str, float, int]],
    caps: list[tuple[str, int]],
) -> None:
    found = limits(account, tenant, defaults)
    assert [shown(bucket) for bucket in found.buckets] == buckets
    assert [(cap.key, cap.limit) for cap in found.caps] == caps


def test_each_bucket_says_why_somebody_waits() -> None:
    reasons = {bucket.key.partition("/")[0]: bucket.reason for bucket in limits({}, {"rate": 1}).buckets}
    assert reasons == {
        "pair": Reason.RECIPIENT_RATE_LIMITED,
        "account": Reason.RATE_LIMITED,
        "tenant": Reason.RATE_LIMITED,
    }


def test_a_key_holds_nothing_personal_and_tells_pairs_apart() -> None:
    keys = {
        limits(value=value, account_id=account_id).buckets[0].key
        for value in ("+919876543210", "+919876543211")
        for account_id in ("a", "b")
    }
    assert len(keys) == 4
    assert not any("98765" in key for key in keys)
    assert len({key.rpartition("/")[2] for key in keys}) == 4


@pytest.mark.parametrize(("rate", "burst"), [(0.1, 1), (1, 1), (4, 1), (5, 2), (80, 20)])
def test_a_burst_that_nobody_set_is_what_a_quarter_of_a_second_brings(rate: float, burst: int) -> None:
    assert usual_burst(rate) == burst


@pytest.mark.parametrize(
    ("reserved_for", "usable"),
    [
        (None, False),
        (NOW + timedelta(microseconds=1), False),
        (NOW, True),
        (NOW - LATENESS, True),
        (NOW - LATENESS - timedelta(microseconds=1), False),
    ],
    ids=["none", "too early", "on time", "just in time", "too late"],
)
def test_a_slot_is_good_from_its_instant_on_and_not_for_long(reserved_for: datetime | None, usable: bool) -> None:  # noqa: FBT001 - a table's column
    assert is_usable(reserved_for, NOW) is usable
