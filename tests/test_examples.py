"""The flows that are given as examples, each started by its event and played on a clock that jumps."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from activities.event_taking import Taking
from activities.programs import Programs
from activities.series_facts import state_of_series
from api.flow_files import read
from db import series
from db.events import NewEvent
from db.series_tables import series as series_table
from db.session import Database
from db.tables import recipient
from domain.conditions import holds
from domain.flow_events import every_step
from domain.flow_preview import simulate
from domain.flow_steps import Send
from tests import factories
from tests.activities.series_clock import START, Clock, publish

FLOWS = Path(__file__).parents[1] / "examples" / "flows"
EMAIL = {"channel": "email", "locale": "default", "content": {"subject": "Hello", "text": "Hello {{ event.type }}"}}
SMS = {"channel": "sms", "locale": "default", "content": {"body": "Hello {{ event.type }}"}}
DUE = START + timedelta(days=40)
SOON = START + timedelta(hours=5)

EXAMPLES: dict[str, tuple[str, dict[str, Any], list[tuple[str, str]]]] = {
    "order_placed": (
        "order.placed", {"customer": "asha", "order": "1042"},
        [("0:00:00", "confirmation"), ("2 days, 0:00:00", "reminder")],
    ),
    "appointment": (
        "appointment.booked", {"patient": "asha", "appointment": "7", "starts_at": SOON.isoformat()},
        [("3:00:00", "soon")],
    ),
    "dunning": (
        "invoice.sent", {"customer": "asha", "invoice": "12", "due_at": DUE.isoformat()},
        [("9 days, 23:00:00", "early"), ("32 days, 23:00:00", "soon"), ("38 days, 23:00:00", "tomorrow"),
         ("42 days, 23:00:00", "overdue")],
    ),
    "one_time_password": ("login.requested", {"phone": "+919876543210", "login": "l1"}, [("0:00:00", "code")]),
    "escalation": (
        "machine.stopped", {"on_duty": "asha", "lead": "ravi", "machine": "m1"},
        [("0:00:00", "on_duty"), ("0:15:00", "lead")],
    ),
}  # fmt: skip


@pytest.fixture
async def play(database: Database, tenant_id: UUID) -> Callable[..., Any]:
    """Publishes an example with all that it needs, sends its event in, and returns its series on a clock."""

    async def start(name: str) -> Clock:
        text = (FLOWS / f"{name}.yaml").read_text("utf-8")
        flow, wrong = read(text)
        assert flow is not None, wrong
        for who in ("asha", "ravi"):
            await factories.insert(database, tenant_id, recipient, external_id=who, zone="Asia/Kolkata")
        for template in {step.template for step in every_step(flow.steps) if isinstance(step, Send)}:
            await factories.make_version(database, tenant_id, EMAIL, SMS, name=template)
        await publish(database, tenant_id, text)
        type_, data, _ = EXAMPLES[name]
        new = NewEvent(source="/test", event_id="1", type=type_, subject=None, data=data, occurred_at=START)
        async with database.tenant(tenant_id) as connection:
            effects = await Taking(connection, tenant_id, Programs(), START).take(new)
            assert effects is not None
            (started,) = [effect for effect in effects if effect.result == "started"]
            assert started.series_id is not None
            await connection.execute(update(series_table).values(started_at=START))
        return Clock(database, tenant_id, started.series_id)

    return start


def test_every_example_is_played() -> None:
    assert {path.stem for path in FLOWS.glob("*.yaml")} == EXAMPLES.keys()


@pytest.mark.parametrize("name", EXAMPLES)
async def test_an_example_sends_what_it_says_when_it_says(play: Callable[..., Any], name: str) -> None:
    clock: Clock = await play(name)
    await clock.until()
    assert [(when, step) for when, _, step in await clock.transcript("sent")] == EXAMPLES[name][2]
    assert (await clock.row()).status == "completed"


@pytest.mark.parametrize("name", EXAMPLES)
async def test_the_preview_says_the_same(
    play: Callable[..., Any], database: Database, tenant_id: UUID, name: str
) -> None:
    clock: Clock = await play(name)
    async with database.tenant(tenant_id) as connection:
        row = await series.get(connection, tenant_id, clock.series_id)
        assert row is not None
        program = await Programs().get(connection, tenant_id, row.flow_version_id)
        entries = simulate(program, await state_of_series(connection, tenant_id, row, program.flow), holds)
    await clock.until()
    foretold = [(str(one.at - START), one.step_id) for one in entries if one.kind == "do"]
    assert foretold == [(when, step) for when, _, step in await clock.transcript("sent")]


async def test_a_code_expires(play: Callable[..., Any]) -> None:
    code: Clock = await play("one_time_password")
    await code.until()
    (message,) = await code.sent()
    assert (message["critical"], message["expires_at"]) == (True, START + timedelta(minutes=10))


async def test_an_answer_keeps_the_second_person_in_peace(play: Callable[..., Any]) -> None:
    clock: Clock = await play("escalation")
    await clock.look()
    await clock.hears("reply")
    await clock.until()
    assert [one["to"] for one in await clock.sent()] == ["asha"]


async def test_without_an_answer_the_second_person_is_asked(play: Callable[..., Any]) -> None:
    clock: Clock = await play("escalation")
    await clock.until()
    assert [one["to"] for one in await clock.sent()] == ["asha", "ravi"]
