"""The flows of the production-run example on a clock that jumps; the whole of it is played over HTTP elsewhere."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml
from sqlalchemy import select, update

from activities.event_taking import Taking
from activities.programs import Programs
from api.flow_files import read
from db.consent_tables import topic
from db.events import NewEvent
from db.series_tables import series as series_table
from db.session import Database
from db.tables import recipient
from domain.flow_events import every_step
from domain.flow_steps import Send
from tests import factories
from tests.activities.series_clock import START, Clock, after, publish

EXAMPLE = Path(__file__).parents[1] / "examples" / "production_run"
TEXT = {"channel": "whatsapp", "locale": "default", "content": {"kind": "text", "body": "Hello"}}
RUN = {"partner": "asha", "run": "PR-7", "name": "Asha", "design": "Ajrakh", "pieces": 120, "due_on": "2027-03-01"}
Happens = Callable[..., Awaitable[Clock | None]]


@pytest.fixture
async def happens(database: Database, tenant_id: UUID) -> Happens:
    """Publishes all flows of the example for a partner, and lets an event happen: its series, if one began."""
    person = {"external_id": "asha", "name": "Asha", "zone": "Asia/Kolkata", "attributes": {}}
    await factories.insert(database, tenant_id, recipient, **person)
    await factories.insert(database, tenant_id, topic, name="production_runs", default_state="opted_out")
    named: set[str] = set()
    for file in sorted((EXAMPLE / "flows").glob("*.yaml")):
        flow, wrong = read(file.read_text("utf-8"))
        assert flow is not None, wrong
        named |= {step.template for step in every_step(flow.steps) if isinstance(step, Send)}
        await publish(database, tenant_id, file.read_text("utf-8"))
    for name in sorted(named):
        await factories.make_version(database, tenant_id, TEXT, name=name)

    async def event(type_: str, **data: Any) -> Clock | None:
        told = {**RUN, **data}
        new = NewEvent(
            source="/t", event_id=f"{type_}/{data}", type=type_, subject="PR-7", data=told, occurred_at=START
        )
        async with database.tenant(tenant_id) as connection:
            effects = await Taking(connection, tenant_id, Programs(), START).take(new) or []
            begun = [one.series_id for one in effects if one.result == "started" and one.series_id is not None]
            await connection.execute(update(series_table).values(started_at=START))
        return Clock(database, tenant_id, begun[0]) if begun else None

    return event


async def agrees(database: Database, tenant_id: UUID) -> None:
    async with database.tenant(tenant_id) as connection:
        await connection.execute(update(recipient).values(attributes={"whatsapp_consent": "given"}))


async def steps(clock: Clock) -> list[str | None]:
    """Returns the steps whose messages were sent, in their order."""
    return [one["series_step"] for one in await clock.sent()]


def test_every_template_that_a_flow_names_is_in_the_file() -> None:
    kept = {one["name"] for one in yaml.safe_load((EXAMPLE / "templates.yaml").read_text("utf-8"))}
    named: set[str] = set()
    for file in (EXAMPLE / "flows").glob("*.yaml"):
        flow, wrong = read(file.read_text("utf-8"))
        assert flow is not None, wrong
        named |= {step.template for step in every_step(flow.steps) if isinstance(step, Send)}
    assert named == kept


@pytest.mark.parametrize(
    ("language", "locale"), [("tap:en", "en"), ("tap:hi", "hi"), (None, None)], ids=["English", "Hindi", "no answer"]
)
async def test_a_partner_agrees_and_chooses_a_language(
    happens: Happens, database: Database, tenant_id: UUID, language: str | None, locale: str | None
) -> None:
    clock = await happens("partner.connected")
    assert clock is not None
    await clock.look()
    await clock.hears("reply", text="Hi")
    await clock.look()
    await clock.hears("tap", "agree")
    await clock.look()
    if language is not None:
        await clock.hears("tap", language.removeprefix("tap:"))
    assert (await clock.until()).ended == "completed"
    assert await steps(clock) == ["welcome", "asked", "which_language", "commands"]
    async with database.tenant(tenant_id) as connection:
        row = (await connection.execute(select(recipient.c.locale, recipient.c.attributes))).one()
    assert row.locale == locale
    assert row.attributes["whatsapp_consent"] == "given"


async def test_who_refuses_is_not_written_to_about_runs(happens: Happens) -> None:
    clock = await happens("partner.connected")
    assert clock is not None
    await clock.look()
    await clock.hears("reply", text="Hi")
    await clock.look()
    await clock.hears("tap", "refuse")
    assert (await clock.until()).ended == "stop_step"
    assert await happens("production_run.assigned") is None


async def test_a_run_that_nobody_answers_is_reminded_of_and_given_up(
    happens: Happens, database: Database, tenant_id: UUID
) -> None:
    await agrees(database, tenant_id)
    clock = await happens("production_run.assigned")
    assert clock is not None
    assert (await clock.until()).ended == "stop_step"
    assert await steps(clock) == ["assigned", "reminded"]
    assert clock.now == after("P3D")
    assert {one["taps"] for one in await clock.sent()} == {"once"}


async def test_a_late_tap_counts_and_accepting_asks_the_shop(
    happens: Happens, database: Database, tenant_id: UUID
) -> None:
    await agrees(database, tenant_id)
    clock = await happens("production_run.assigned")
    assert clock is not None
    await clock.until(after("P1DT1H"))
    await clock.hears("tap", "accept")
    pause = await clock.look()
    assert (pause.call, (await clock.row()).step) == (True, "accepted")


async def test_declining_asks_for_a_reason_for_an_hour(happens: Happens, database: Database, tenant_id: UUID) -> None:
    await agrees(database, tenant_id)
    clock = await happens("production_run.assigned")
    assert clock is not None
    await clock.look()
    await clock.hears("tap", "decline")
    await clock.until(after("PT59M"))
    assert (await clock.row()).step == "reason"
    pause = await clock.until(after("PT1H"))
    assert (pause.call, (await clock.row()).step) == (True, "declined")


@pytest.mark.parametrize(
    ("type_", "sent"),
    [
        ("production_run.cancelled", ["cancelled"]),
        ("production_run.completed", ["completed"]),
        ("production_run.started", []),
    ],
)
async def test_an_event_brings_the_template_that_the_map_gives_it(
    happens: Happens, type_: str, sent: list[str]
) -> None:
    clock = await happens(type_, reason="the price", scrap=2)
    assert clock is not None
    await clock.until()
    assert await steps(clock) == sent
    assert await happens(type_, reason="again", scrap=2) is None
