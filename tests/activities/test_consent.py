"""What people want is looked at when a plan is made, and once more at the claim, alone and inside a page."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from activities.delivery import DeliveryPage
from activities.resolution import Resolution, ResolutionPage
from db import consents, suppressions
from db.consent_tables import topic
from db.consents import NewConsent, Subject
from db.delivery_tables import notification
from db.tables import address, recipient, template
from domain.consent import Source, State
from domain.notifications import Outcome
from domain.reasons import Reason
from domain.recipients import Address, AddressKind, Channel
from domain.suppression import Cause
from tests import factories
from tests.activities.test_delivery import OK, Bench, bench

__all__ = ["bench"]

MAIL = Address(AddressKind.EMAIL, "asha@example.com")


@pytest.fixture
async def about_news(bench: Bench) -> Bench:
    """The notification of the bench, about a topic."""
    await factories.insert(bench.database, bench.tenant_id, topic, name="news")
    await change(bench, template, topic="news")
    await change(bench, notification, locale="en")
    return bench


async def change(place: Bench, table: Any, **values: Any) -> None:
    async with place.database.tenant(place.tenant_id) as connection:
        await connection.execute(update(table).values(values))


async def choose(place: Bench, state: State, subject: Subject | None = None, **more: Any) -> None:
    fields = {"channel": Channel.EMAIL, "topic": "news", "source": Source.API, "at": datetime.now(UTC), **more}
    new = NewConsent(subject=subject or Subject("email", MAIL.value), state=state, **fields)
    async with place.database.tenant(place.tenant_id) as connection:
        await consents.keep(connection, place.tenant_id, [new])


async def planned(place: Bench) -> list[Any]:
    page = ResolutionPage(tenant_id=str(place.tenant_id), notification_ids=(str(place.notification_id),))
    [plan] = await Resolution(place.database, {}).resolve(page)
    return [hop.channel for hop in plan.hops] + [skipped.reason for skipped in plan.skipped]


async def recipient_of(place: Bench) -> UUID:
    """Makes the notification one for a recipient with the address."""
    owner = await factories.insert(place.database, place.tenant_id, recipient, external_id="asha")
    fields = {"recipient_id": owner, "kind": "email", "value": MAIL.value}
    await factories.insert(place.database, place.tenant_id, address, **fields)
    await change(place, notification, to_kind="recipient", to="asha", receiver_id=owner)
    return owner


async def test_who_chose_nothing_gets_what_is_sent_by_default(about_news: Bench) -> None:
    assert await planned(about_news) == [Channel.EMAIL]
    about_news.transport.script = [OK]
    assert (await about_news.deliver()).outcome is Outcome.ACCEPTED


async def test_an_opt_out_by_address_is_seen_by_the_plan_and_by_the_claim(about_news: Bench) -> None:
    await choose(about_news, State.DENIED)
    assert await planned(about_news) == [Reason.OPTED_OUT]
    stopped = await about_news.deliver()
    assert (stopped.outcome, stopped.reason) == (Outcome.STOPPED, Reason.OPTED_OUT)
    assert await about_news.attempts() == []


async def test_an_opt_out_of_a_recipient_holds_for_whatever_is_addressed_to_it(about_news: Bench) -> None:
    owner = await recipient_of(about_news)
    await choose(about_news, State.DENIED, Subject.recipient(owner), channel=None)
    assert await planned(about_news) == [Reason.OPTED_OUT]
    await change(about_news, notification, to_kind="email", to=MAIL.value)
    assert await planned(about_news) == [Reason.OPTED_OUT]
    assert (await about_news.deliver()).reason is Reason.OPTED_OUT


async def test_what_an_address_chose_before_it_belonged_to_a_recipient_still_counts(about_news: Bench) -> None:
    await choose(about_news, State.DENIED)
    await recipient_of(about_news)
    assert await planned(about_news) == [Reason.OPTED_OUT]


async def test_nobody_is_taken_for_another_whose_name_is_an_id(about_news: Bench) -> None:
    stranger = await factories.insert(about_news.database, about_news.tenant_id, recipient, external_id="ravi")
    await choose(about_news, State.DENIED, Subject.recipient(stranger))
    await recipient_of(about_news)
    await change(about_news, notification, to=str(stranger))
    assert await planned(about_news) == [Channel.EMAIL]


async def test_a_topic_that_needs_consent_gets_it_before_it_is_sent(about_news: Bench) -> None:
    await change(about_news, topic, default_state="opted_out")
    assert await planned(about_news) == [Reason.NO_CONSENT]
    assert (await about_news.deliver()).reason is Reason.NO_CONSENT
    await choose(about_news, State.PENDING)
    assert (await about_news.deliver()).reason is Reason.NO_CONSENT
    await choose(about_news, State.GRANTED)
    about_news.transport.script = [OK]
    assert (await about_news.deliver()).outcome is Outcome.ACCEPTED


@pytest.mark.parametrize("way", ["critical", "transactional"])
async def test_what_must_arrive_asks_for_no_preference(about_news: Bench, way: str) -> None:
    await choose(about_news, State.DENIED)
    await change(about_news, notification if way == "critical" else topic, **{way: True})
    assert await planned(about_news) == [Channel.EMAIL]
    about_news.transport.script = [OK]
    assert (await about_news.deliver()).outcome is Outcome.ACCEPTED


@pytest.mark.parametrize(
    ("cause", "reason"),
    [(Cause.STOP_WORD, Reason.ADDRESS_SUPPRESSED), (Cause.HARD_BOUNCE, Reason.ADDRESS_INVALID)],
)
@pytest.mark.parametrize("known", [True, False], ids=["a recipient", "nobody"])
async def test_not_even_critical_messages_reach_an_address_that_must_stay_silent(
    about_news: Bench, cause: Cause, reason: Reason, *, known: bool
) -> None:
    if known:
        await recipient_of(about_news)
    await change(about_news, notification, critical=True)
    async with about_news.database.tenant(about_news.tenant_id) as connection:
        await suppressions.add(connection, about_news.tenant_id, MAIL, cause, datetime.now(UTC))
    assert await planned(about_news) == [reason]
    address_id = None
    if known:
        address_id = str((await about_news.row(address))["id"])
    hop = about_news.order().hop
    stopped = await about_news.deliver(hop=type(hop)(**{**fields_of(hop), "address_id": address_id}))
    assert (stopped.outcome, stopped.reason) == (Outcome.STOPPED, reason)


def fields_of(hop: Any) -> dict[str, Any]:
    return {name: getattr(hop, name) for name in type(hop).__dataclass_fields__}


async def test_inside_a_page_the_one_who_does_not_want_it_is_left_out(about_news: Bench) -> None:
    version_id = (await about_news.row(notification))["template_version_id"]
    others = [
        await factories.make_notification(
            about_news.database, about_news.tenant_id, version_id, to=f"reader{one}@example.com", to_kind="email"
        )
        for one in range(3)
    ]
    orders = [about_news.order(), *(about_news.order(notification_id=str(one)) for one in others)]
    about_news.transport.script = [OK] * 3
    # The orders come from plans that were made before; the choice is committed before they are claimed.
    await choose(about_news, State.DENIED)
    page = DeliveryPage(tenant_id=str(about_news.tenant_id), orders=tuple(orders))
    made = await about_news.delivery.deliver(page)
    assert [one.outcome for one in made] == [Outcome.STOPPED] + [Outcome.ACCEPTED] * 3
    assert len(about_news.transport.requests) == 3
