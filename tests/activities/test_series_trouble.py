"""Series that cannot go on, or must not: parked with the reason, paused, and on again where they stood."""

from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from db import consents
from db.consent_tables import topic
from db.consents import Subject
from db.delivery_tables import notification
from db.series_tables import flow as flow_table
from db.session import Database
from db.tables import outbox, recipient
from tests import factories
from tests.activities.series_clock import Clock, started
from tests.activities.test_series import REMINDERS, SMS, template

__all__ = ["template"]


async def test_what_cannot_be_sent_parks_it_and_goes_on_when_it_is_mended(database: Database, tenant_id: UUID) -> None:
    clock = await started(database, tenant_id, "name: broken\nsteps:\n- {send: missing, id: it}\n- {wait: PT1H}")
    pause = await clock.look()
    assert pause.until is None
    row = await clock.row()
    assert (row.status, row.reason, row.step) == ("parked", "template_missing", "it")
    assert "'missing'" in (row.detail or "")
    assert (await clock.look()).shown.startswith("parked")
    await factories.make_version(database, tenant_id, SMS, name="missing")
    await clock.change(status="running", reason=None, detail=None)
    assert (await clock.until()).ended == "completed"
    assert len(await clock.sent()) == 1


async def test_what_ends_it_ends_it_also_while_it_is_parked(database: Database, tenant_id: UUID) -> None:
    text = "name: broken\nstop_when: event:paid\nsteps:\n- {send: missing}"
    clock = await started(database, tenant_id, text)
    await clock.look()
    await clock.hears("reply")
    assert (await clock.look()).shown == "parked: template_missing"
    await clock.hears("event", "paid")
    assert (await clock.look()).ended == "stopped_by"
    async with database.tenant(tenant_id) as connection:
        asked = select(func.count()).select_from(outbox).where(outbox.c.kind == "signal")
        assert (await connection.execute(asked)).scalar_one() == 1


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        ("{send: hello, data: {name: recipient.attributes.nick}}", "condition_failed"),
        ("{branch: [{when: data.nothing > 1, steps: []}]}", "condition_failed"),
        ("{wait: {until: due_at}}", "anchor_missing"),
        ("{send: hello, channels: [email]}", "template_missing"),
    ],
    ids=["a text that is not there", "a condition that cannot be judged", "no such date", "no part for the channel"],
)
async def test_what_keeps_it_is_told(database: Database, tenant_id: UUID, step: str, reason: str) -> None:
    clock = await started(database, tenant_id, f"name: kept\nsteps:\n- {step}")
    await clock.look()
    row = await clock.row()
    assert (row.status, row.reason) == ("parked", reason)
    assert await clock.sent() == []


async def test_data_that_the_template_refuses_parks_it(database: Database, tenant_id: UUID) -> None:
    clock = await started(database, tenant_id, REMINDERS, data={})
    await clock.look()
    row = await clock.row()
    assert (row.status, row.reason) == ("parked", "data_refused")
    assert "/name" in (row.detail or "")


async def test_a_paused_flow_does_nothing_until_it_is_active(database: Database, tenant_id: UUID) -> None:
    clock = await started(database, tenant_id, REMINDERS)
    await _flow(database, tenant_id, status="paused")
    pause = await clock.look()
    assert (pause.until, pause.ended, pause.shown) == (None, None, "its flow is paused")
    assert await clock.sent() == []
    await _flow(database, tenant_id, status="active")
    await clock.until()
    assert len(await clock.sent()) == 3


async def test_a_paused_series_does_nothing(database: Database, tenant_id: UUID) -> None:
    clock = await started(database, tenant_id, REMINDERS)
    await clock.change(status="paused")
    assert (await clock.look()).shown == "paused"
    assert await clock.sent() == []


async def _flow(database: Database, tenant_id: UUID, **values: str) -> None:
    async with database.tenant(tenant_id) as connection:
        await connection.execute(update(flow_table).values(**values))


async def test_a_series_that_is_not_there_ends(database: Database, tenant_id: UUID) -> None:
    pause = await Clock(database, tenant_id, UUID(int=7)).look()
    assert pause.ended == "gone"


async def test_a_notification_whose_key_is_taken_parks_it(database: Database, tenant_id: UUID, template: UUID) -> None:
    clock = await started(database, tenant_id, REMINDERS)
    name = f"series/{clock.series_id}/first/2"
    await factories.make_notification(
        database, tenant_id, template, to="+919876543210", to_kind="phone", idempotency_key=name
    )
    await clock.look()
    assert (await clock.row()).reason == "key_in_use"
    async with database.tenant(tenant_id) as connection:
        assert (await connection.execute(select(func.count()).select_from(notification))).scalar_one() == 1


@pytest.mark.parametrize(
    ("profile", "told"),
    [
        ("{locale: \"'english please'\"}", "profile.locale"),
        ("{zone: \"'Kolkata'\"}", "profile.zone"),
        ("{name: \"''\"}", "profile.name"),
        ("{name: data.amount}", "profile.name"),
    ],
    ids=["no locale", "no zone", "no name", "a number"],
)
async def test_a_profile_takes_only_what_it_can_mean(
    database: Database, tenant_id: UUID, profile: str, told: str
) -> None:
    person = await factories.insert(database, tenant_id, recipient, external_id="asha")
    text = f"name: learn\nsteps:\n- {{update: {{}}, profile: {profile}}}"
    values = {"to": "asha", "to_kind": "recipient", "receiver_id": person, "data": {"amount": 5}}
    clock = await started(database, tenant_id, text, **values)
    await clock.look()
    row = await clock.row()
    assert (row.status, row.reason) == ("parked", "data_refused")
    assert (row.detail or "").startswith(told)


async def test_a_profile_is_changed_and_the_clock_of_the_series_with_it(database: Database, tenant_id: UUID) -> None:
    person = await factories.insert(database, tenant_id, recipient, external_id="asha", zone="Asia/Kolkata")
    text = """
name: learn
steps:
- {update: {}, profile: {locale: "'hi_in'", zone: "'Europe/Berlin'", name: "'Asha'"}}
- {wait: {next: "09:00"}, id: morning}
"""
    values = {"to": "asha", "to_kind": "recipient", "receiver_id": person, "zone": None}
    clock = await started(database, tenant_id, text, **values)
    pause = await clock.look()
    assert pause.until is not None
    assert pause.until.isoformat() == "2026-06-01T07:00:00+00:00"  # nine o'clock in Berlin
    async with database.tenant(tenant_id) as connection:
        row = (await connection.execute(select(recipient.c.locale, recipient.c.zone, recipient.c.name))).one()
    assert tuple(row) == ("hi-IN", "Europe/Berlin", "Asha")


CHOOSING = "name: choose\nsteps:\n- {update: {}, consents: {news: granted, offers: denied}}"


async def test_what_somebody_chose_is_kept_with_the_series_as_its_place(database: Database, tenant_id: UUID) -> None:
    person = await factories.insert(database, tenant_id, recipient, external_id="asha")
    for name in ("news", "offers"):
        await factories.insert(database, tenant_id, topic, name=name, titles={"en": name}, default_state="opted_in")
    values = {"to": "asha", "to_kind": "recipient", "receiver_id": person}
    clock = await started(database, tenant_id, CHOOSING, **values)
    assert (await clock.until()).ended == "completed"
    async with database.tenant(tenant_id) as connection:
        found = await consents.of_subjects(connection, tenant_id, [Subject.recipient(person)])
    assert [(one.topic, one.state, one.source, one.evidence["flow"]) for one in found] == [
        ("news", "granted", "flow", "choose"),
        ("offers", "denied", "flow", "choose"),
    ]


async def test_nobody_chooses_about_a_topic_that_is_not_there(database: Database, tenant_id: UUID) -> None:
    person = await factories.insert(database, tenant_id, recipient, external_id="asha")
    values = {"to": "asha", "to_kind": "recipient", "receiver_id": person}
    clock = await started(database, tenant_id, CHOOSING, **values)
    await clock.look()
    row = await clock.row()
    assert (row.status, row.reason) == ("parked", "topic_missing")
