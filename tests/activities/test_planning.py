"""What a plan is made of, as a table: who can be reached, over what, by which account, and why not."""

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from activities.planning import make_plan
from db.chosen import KnownChoice
from db.resolution import AccountRow, AddressRow, Wanted
from domain.circuits import account_subject, template_subject
from domain.consent import Choice, State, Topic
from domain.health import Level
from domain.notifications import OnUnknown
from domain.reasons import Reason
from domain.recipients import Address, AddressKind, Channel
from domain.status import Status

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
TEMPLATE = {"channel": "whatsapp", "locale": "default", "content": {"kind": "template"}}
TEXT = {"channel": "whatsapp", "locale": "default", "content": {"kind": "text"}}
MAIL = {"channel": "email", "locale": "default", "content": {"subject": "s", "text": "t"}}
PHONE = AddressRow(id=UUID(int=1), address=Address(AddressKind.PHONE, "+1555"), status="active", last_inbound_at=None)
BOX = AddressRow(id=UUID(int=2), address=Address(AddressKind.EMAIL, "a@b.c"), status="active", last_inbound_at=None)


def account(number: int, channel: Channel, state: str = "active") -> AccountRow:
    provider = "meta" if channel is Channel.WHATSAPP else "smtp"
    return AccountRow(
        id=UUID(int=number), channel=channel, provider=provider, state=state, quarantine=None, priority=-number
    )


ACCOUNTS = (account(10, Channel.WHATSAPP), account(11, Channel.WHATSAPP), account(20, Channel.EMAIL))
WANTED = Wanted(
    id=UUID(int=5),
    template_version_id=UUID(int=6),
    to_kind="recipient",
    critical=False,
    channels=(Channel.WHATSAPP, Channel.EMAIL),
    sender=None,
    locale=None,
    fallback={},
    on_unknown=OnUnknown.PREFER_SILENCE,
    parts=[TEMPLATE, MAIL],
    addresses=(PHONE, BOX),
)


def plan(accounts: tuple[AccountRow, ...] = ACCOUNTS, **changes: Any) -> tuple[list[str], list[Reason]]:
    made = make_plan(replace(WANTED, **changes), accounts, {"meta": 120.0}, NOW)
    assert [hop.index for hop in made.hops] == list(range(len(made.hops)))
    return [hop.account_id for hop in made.hops], [skipped.reason for skipped in made.skipped]


def named(*numbers: int) -> list[str]:
    return [str(UUID(int=number)) for number in numbers]


@pytest.mark.parametrize(
    ("changes", "accounts", "hops", "skipped"),
    [
        pytest.param({}, ACCOUNTS, named(10, 20), [], id="every channel, the preferred account first"),
        pytest.param({"channels": ()}, ACCOUNTS, named(10, 20), [], id="the template's own channels"),
        pytest.param({"addresses": (BOX,)}, ACCOUNTS, named(20), [Reason.NO_ADDRESS], id="no phone"),
        pytest.param(
            {"addresses": (replace(PHONE, status="suppressed"), BOX)},
            ACCOUNTS,
            named(20),
            [Reason.ADDRESS_SUPPRESSED],
            id="suppressed",
        ),
        pytest.param(
            {"addresses": (replace(PHONE, status="invalid"), BOX)},
            ACCOUNTS,
            named(20),
            [Reason.ADDRESS_INVALID],
            id="invalid",
        ),
        pytest.param({"parts": [MAIL]}, ACCOUNTS, named(20), [Reason.NO_TEMPLATE_PART], id="nothing to say there"),
        pytest.param({"sender": UUID(int=11)}, ACCOUNTS, named(11, 20), [], id="the pinned sender"),
        pytest.param(
            {"sender": UUID(int=11)},
            (ACCOUNTS[0], account(11, Channel.WHATSAPP, "suspended"), ACCOUNTS[2]),
            named(20),
            [Reason.ACCOUNT_SUSPENDED],
            id="a pinned sender is never replaced",
        ),
        pytest.param(
            {"sender": UUID(int=11)},
            (ACCOUNTS[0], account(11, Channel.WHATSAPP, "retired"), ACCOUNTS[2]),
            named(20),
            [Reason.NO_ACCOUNT],
            id="a pinned sender that is retired never comes back",
        ),
        pytest.param({}, (ACCOUNTS[2],), named(20), [Reason.NO_ACCOUNT], id="no account"),
        pytest.param(
            {},
            (account(10, Channel.WHATSAPP, "suspended"), ACCOUNTS[2]),
            named(20),
            [Reason.ACCOUNT_SUSPENDED],
            id="its only account is suspended",
        ),
        pytest.param({"parts": [TEXT, MAIL]}, ACCOUNTS, named(20), [Reason.OUTSIDE_WINDOW], id="outside the window"),
        pytest.param(
            {"parts": [TEXT, MAIL], "addresses": (replace(PHONE, last_inbound_at=NOW - timedelta(hours=23)), BOX)},
            ACCOUNTS,
            named(10, 20),
            [],
            id="inside the window",
        ),
    ],
)
def test_a_plan(
    changes: dict[str, Any], accounts: tuple[AccountRow, ...], hops: list[str], skipped: list[Reason]
) -> None:
    assert plan(accounts, **changes) == (hops, skipped)


@pytest.mark.parametrize(
    ("policy", "success", "within"),
    [
        pytest.param({}, Status.ACCEPTED, None, id="acceptance is enough"),
        pytest.param({"within": 30}, Status.DELIVERED, 30.0, id="a time without a success means delivered"),
        pytest.param({"within": 30, "success": "read"}, Status.READ, 30.0, id="as asked for"),
    ],
)
def test_when_a_hop_counts_as_having_worked(policy: dict[str, Any], success: Status, within: float | None) -> None:
    hop = make_plan(replace(WANTED, fallback={"whatsapp": policy}), ACCOUNTS, {"meta": 60.0}, NOW).hops[0]
    assert (hop.success, hop.within, hop.quarantine) == (success, within, 60.0)


def test_an_account_can_have_a_quarantine_of_its_own() -> None:
    accounts = (replace(ACCOUNTS[0], quarantine=5.0),)
    assert make_plan(WANTED, accounts, {"meta": 60.0}, NOW).hops[0].quarantine == 5.0


def phone(number: int, value: str) -> AddressRow:
    return replace(PHONE, id=UUID(int=number), address=Address(AddressKind.PHONE, value))


@pytest.mark.parametrize(
    ("countries", "numbers", "expected"),
    [
        pytest.param([], ["+919876543210"], Reason.COUNTRY_NOT_ALLOWED, id="no countries named, none allowed"),
        pytest.param(["IN"], ["+919876543210"], 1, id="an allowed country"),
        pytest.param(["US"], ["+919876543210"], Reason.COUNTRY_NOT_ALLOWED, id="another country"),
        pytest.param(["US"], ["+18765551234"], Reason.COUNTRY_NOT_ALLOWED, id="another country of the same code"),
        pytest.param(["US", "JM"], ["+15550000000"], Reason.COUNTRY_NOT_ALLOWED, id="nobody knows which country"),
        pytest.param(["US", "IN"], ["+883510000000", "+919876543210"], 2, id="the first number that is allowed"),
    ],
)
def test_text_messages_go_to_allowed_countries_only(
    countries: list[str], numbers: list[str], expected: int | Reason
) -> None:
    text = {"channel": "sms", "locale": "default", "content": {"text": "t"}}
    addresses = tuple(phone(place, value) for place, value in enumerate(numbers, 1))
    sms = replace(ACCOUNTS[0], channel=Channel.SMS)
    wanted = replace(WANTED, channels=(Channel.SMS,), parts=[text], addresses=addresses, sms_countries=countries)
    made = make_plan(wanted, (sms,), {}, NOW)
    found = [hop.address_id for hop in made.hops] + [skipped.reason for skipped in made.skipped]
    assert found == [str(UUID(int=expected)) if isinstance(expected, int) else expected]


def test_countries_concern_text_messages_only() -> None:
    assert plan(sms_countries=["IN"]) == (named(10, 20), [])


NEWS = Topic(name="news")


def denied(kind: str, value: str, channel: Channel | None = None) -> KnownChoice:
    return KnownChoice(kind=kind, value=value, choice=Choice(channel=channel, topic="news", state=State.DENIED, at=NOW))


@pytest.mark.parametrize(
    ("changes", "hops", "skipped"),
    [
        pytest.param({"choices": (denied("recipient", "r", Channel.WHATSAPP),)}, [20], [Reason.OPTED_OUT], id="one"),
        pytest.param(
            {"choices": (denied("recipient", "r"),)}, [], [Reason.OPTED_OUT, Reason.OPTED_OUT], id="every channel"
        ),
        pytest.param({"choices": (denied("recipient", "r"),), "critical": True}, [10, 20], [], id="critical"),
        pytest.param({"choices": (denied("email", "a@b.c"),)}, [10], [Reason.OPTED_OUT], id="whoever has the address"),
        pytest.param({"choices": (denied("email", "x@y.z"),)}, [10, 20], [], id="another of the person's addresses"),
        pytest.param(
            {"topic": replace(NEWS, channels=frozenset({Channel.EMAIL}))},
            [20],
            [Reason.CHANNEL_NOT_IN_TOPIC],
            id="not over this channel",
        ),
    ],
)
def test_what_somebody_does_not_want_is_left_out(
    changes: dict[str, Any], hops: list[int], skipped: list[Reason]
) -> None:
    assert plan(**{"topic": NEWS, **changes}) == (named(*hops), skipped)


def test_the_next_address_of_the_channel_is_used_where_only_one_is_not_wanted() -> None:
    boxes = (BOX, replace(BOX, id=UUID(int=3), address=Address(AddressKind.EMAIL, "second@b.c")))
    wanted = replace(WANTED, addresses=boxes, topic=NEWS, choices=(denied("email", "a@b.c"),))
    assert [hop.address_id for hop in make_plan(wanted, ACCOUNTS, {}, NOW).hops] == [str(UUID(int=3))]


def order_of(*accounts: AccountRow, held: Collection[str] = (), **changes: Any) -> list[str]:
    """Returns the accounts of the first hop, the one that goes first before those that take over."""
    hop = make_plan(replace(WANTED, **changes), accounts, {}, NOW, held).hops[0]
    return [hop.account_id, *(alternate.account_id for alternate in hop.alternates)]


FIRST, SECOND = account(10, Channel.WHATSAPP), account(11, Channel.WHATSAPP)
OPEN = (account_subject(FIRST.id),)
PAUSED = (template_subject(FIRST.id, WANTED.template_version_id, "default"),)
OLD_PAUSED = (template_subject(FIRST.id, UUID(int=7), "default"),)
PINNED = {"sender": FIRST.id}
FREE = {"parts": [TEXT], "addresses": (replace(PHONE, last_inbound_at=NOW - timedelta(hours=1)),)}
SLOW, SUSPENDED = replace(FIRST, level=Level.SLOW), replace(SECOND, state="suspended")


@pytest.mark.parametrize(
    ("accounts", "held", "changes", "expected"),
    [
        pytest.param((FIRST, SECOND), (), {}, named(10, 11), id="by priority"),
        pytest.param((FIRST, SECOND), OPEN, {}, named(11, 10), id="its circuit is open"),
        pytest.param((FIRST, SECOND), PAUSED, {}, named(11, 10), id="its template is paused"),
        pytest.param((FIRST, SECOND), OLD_PAUSED, {}, named(10, 11), id="another version's template is paused"),
        pytest.param((SLOW, SECOND), (), {}, named(11, 10), id="it is slow"),
        pytest.param((FIRST, SUSPENDED), (), {}, named(10), id="only active ones take over"),
        pytest.param((FIRST, SECOND), OPEN, PINNED, named(10), id="a pinned sender is alone"),
        pytest.param((FIRST, SECOND), OPEN, FREE, named(10), id="free-form answers keep their number"),
    ],
)
def test_which_account_goes_first_and_which_take_over(
    accounts: tuple[AccountRow, ...], held: Collection[str], changes: dict[str, Any], expected: list[str]
) -> None:
    assert order_of(*accounts, held=held, **changes) == expected


def test_equal_accounts_share_the_notifications_and_each_keeps_its_order() -> None:
    equals = tuple(replace(one, priority=0) for one in (FIRST, SECOND))
    orders = [order_of(*equals, id=UUID(int=number)) for number in range(200)]
    assert 70 < orders.count(named(10, 11)) < 130
    assert orders == [order_of(*equals[::-1], id=UUID(int=number)) for number in range(200)]
