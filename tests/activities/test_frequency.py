"""Frequency caps at the claim: exact however many claim at once, over all templates, and never for what is critical."""

import asyncio
import json
from collections import Counter
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text, update

from activities.delivery import DeliveryPage
from db.consent_tables import frequency_entry, topic
from db.delivery_tables import notification
from db.tables import recipient, template
from domain.notifications import Delivered, Outcome
from domain.reasons import Reason
from tests import factories
from tests.activities.test_delivery import OK, Bench, bench

__all__ = ["bench"]


@pytest.fixture
async def capped(bench: Bench) -> Bench:
    """A tenant who writes to nobody more than three times a day."""
    await cap(bench, {"most": 3, "per": "1d"})
    return bench


async def cap(place: Bench, *caps: dict[str, Any]) -> None:
    async with place.database.system() as connection:
        asked = text("UPDATE tenant SET settings = jsonb_build_object('frequency_caps', CAST(:caps AS jsonb))")
        await connection.execute(asked, {"caps": json.dumps(caps)})


async def change(place: Bench, table: Any, **values: Any) -> None:
    async with place.database.tenant(place.tenant_id) as connection:
        await connection.execute(update(table).values(values))


async def more(place: Bench, count: int, **values: Any) -> list[UUID]:
    version_id = (await rows(place, notification))[0]["template_version_id"]
    whom = {"to": "asha@example.com", "to_kind": "email", **values}
    return [
        await factories.make_notification(place.database, place.tenant_id, version_id, **whom) for _ in range(count)
    ]


async def rows(place: Bench, table: Any) -> list[Any]:
    async with place.database.tenant(place.tenant_id) as connection:
        return list((await connection.execute(select(table))).mappings())


async def deliver(place: Bench, *names: UUID, **changes: Any) -> list[Delivered]:
    orders = tuple(place.order(notification_id=str(name), **changes) for name in names)
    place.transport.script += [OK] * len(orders)
    return await place.delivery.deliver(DeliveryPage(tenant_id=str(place.tenant_id), orders=orders))


def told(made: list[Delivered]) -> Counter[str]:
    return Counter(one.reason or one.outcome for one in made)


async def test_the_fourth_message_of_a_day_is_left_out(capped: Bench) -> None:
    found = [await deliver(capped, name) for name in await more(capped, 4)]
    assert [one.outcome for (one,) in found] == [Outcome.ACCEPTED] * 3 + [Outcome.STOPPED]
    assert found[3][0].reason is Reason.FREQUENCY_CAP


async def test_a_page_counts_its_own_members(capped: Bench) -> None:
    others = await more(capped, 2, to="ravi@example.com")
    made = await deliver(capped, *await more(capped, 6), *others)
    assert told(made) == {Outcome.ACCEPTED: 5, Reason.FREQUENCY_CAP: 3}


async def test_many_who_claim_at_once_take_no_more_than_there_is(capped: Bench) -> None:
    names = await more(capped, 12)
    made = await asyncio.gather(*(deliver(capped, name) for name in names))
    assert told([one for (one,) in made]) == {Outcome.ACCEPTED: 3, Reason.FREQUENCY_CAP: 9}
    assert len(await rows(capped, frequency_entry)) == 3


async def test_critical_messages_go_out_and_count_for_nothing(capped: Bench) -> None:
    assert told(await deliver(capped, *await more(capped, 5, critical=True))) == {Outcome.ACCEPTED: 5}
    assert told(await deliver(capped, *await more(capped, 3))) == {Outcome.ACCEPTED: 3}


async def test_another_attempt_of_a_message_that_counted_is_not_left_out(capped: Bench) -> None:
    (first, *others) = await more(capped, 3)
    await deliver(capped, first, *others)
    async with capped.database.tenant(capped.tenant_id) as connection:
        await connection.execute(text("UPDATE attempt SET state = 'not_sent'"))
        await connection.execute(text("UPDATE message SET status = 'queued'"))
        await connection.execute(text("UPDATE notification SET status = 'queued', ended_at = NULL"))
    capped.transport.script = [OK]
    again = await capped.deliver(notification_id=str(first), number=2)
    assert again.outcome is Outcome.ACCEPTED


async def test_a_person_is_counted_over_all_addresses(capped: Bench) -> None:
    owner = await factories.insert(capped.database, capped.tenant_id, recipient, external_id="asha")
    names = [
        *await more(capped, 2, receiver_id=owner),
        *await more(capped, 2, receiver_id=owner, to="second@example.com"),
    ]
    assert told(await deliver(capped, *names)) == {Outcome.ACCEPTED: 3, Reason.FREQUENCY_CAP: 1}


async def test_what_is_older_counts_no_more_and_is_forgotten_in_time(capped: Bench) -> None:
    await deliver(capped, *await more(capped, 3))
    async with capped.database.system() as connection:
        await connection.execute(text("RESET ROLE"))
        await connection.execute(text("UPDATE frequency_entry SET at = at - interval '1 day'"))
    assert told(await deliver(capped, *await more(capped, 3))) == {Outcome.ACCEPTED: 3}
    async with capped.database.system() as connection:
        await connection.execute(text("RESET ROLE"))
        await connection.execute(text("UPDATE frequency_entry SET at = at - interval '31 days'"))
    await deliver(capped, *await more(capped, 1))
    assert len(await rows(capped, frequency_entry)) == 1


async def test_a_cap_of_a_topic_holds_for_its_messages(bench: Bench) -> None:
    await factories.insert(bench.database, bench.tenant_id, topic, name="news", caps=[{"most": 1, "per": "7d"}])
    assert told(await deliver(bench, *await more(bench, 2))) == {Outcome.ACCEPTED: 2}
    await change(bench, template, topic="news")
    assert told(await deliver(bench, *await more(bench, 2))) == {Outcome.ACCEPTED: 1, Reason.FREQUENCY_CAP: 1}


async def test_the_tenants_caps_do_not_concern_transactional_topics(capped: Bench) -> None:
    await factories.insert(capped.database, capped.tenant_id, topic, name="bills", transactional=True)
    await change(capped, template, topic="bills")
    assert told(await deliver(capped, *await more(capped, 5))) == {Outcome.ACCEPTED: 5}


async def test_without_caps_nothing_is_counted(bench: Bench) -> None:
    assert told(await deliver(bench, *await more(bench, 5))) == {Outcome.ACCEPTED: 5}
    assert await rows(bench, frequency_entry) == []
