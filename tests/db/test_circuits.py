"""Circuits in PostgreSQL: counted under their lock, one permit per probe, their workflow told once."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, select

from db import circuits
from db.care_tables import circuit as table
from db.session import Database
from db.tables import outbox
from domain.circuits import Circuit, CircuitState, News, account_subject, template_subject
from domain.reasons import Reason
from sealing import KeyRing
from tests.factories import make_account

NOW = datetime(2026, 7, 14, 9, tzinfo=UTC)


@pytest.fixture
async def account_id(database: Database, tenant_id: UUID, key_ring: KeyRing) -> UUID:
    return await make_account(database, tenant_id, key_ring, provider="smtp", channel="email", config={})


def news(account_id: UUID, trouble: Reason | None, *, seconds: float = 0, subject: str | None = None) -> News:
    about = subject or account_subject(account_id)
    return News(subject=about, account_id=account_id, trouble=trouble, at=NOW + timedelta(seconds=seconds))


async def note(database: Database, tenant_id: UUID, *items: News) -> None:
    async with database.tenant(tenant_id) as connection:
        await circuits.note(connection, tenant_id, items)


async def read(database: Database, tenant_id: UUID, subject: str) -> Circuit | None:
    async with database.tenant(tenant_id) as connection:
        return (await circuits.read(connection, tenant_id, [subject])).get(subject)


async def left(database: Database, tenant_id: UUID) -> list[tuple[str, str, Any]]:
    """Returns the rows of the outbox: kind, workflow without the circuit's id, payload."""
    async with database.tenant(tenant_id) as connection:
        rows = await connection.execute(select(outbox).order_by(outbox.c.id))
    shown = []
    for row in rows.mappings():
        noun, _, episode = row["workflow_id"].split("/")
        shown.append((row["kind"], f"{noun}/{episode}", row["payload"]))
    return shown


async def opened(database: Database, tenant_id: UUID, account_id: UUID) -> str:
    await note(database, tenant_id, *(news(account_id, Reason.UNAVAILABLE) for _ in range(5)))
    return account_subject(account_id)


async def test_the_fifth_failure_opens_it_and_starts_its_workflow_once(
    database: Database, tenant_id: UUID, account_id: UUID
) -> None:
    for number in range(8):
        await note(database, tenant_id, news(account_id, Reason.UNAVAILABLE, seconds=number))
    found = await read(database, tenant_id, account_subject(account_id))
    assert found is not None
    assert (found.state, found.failures, found.episode) == (CircuitState.OPEN, 5, 1)
    [(kind, workflow, payload)] = await left(database, tenant_id)
    assert (kind, workflow, payload["workflow"]) == ("start", "outage/1", "outage")
    assert payload["input"]["episode"] == 1


async def test_failures_noted_at_once_are_all_counted(database: Database, tenant_id: UUID, account_id: UUID) -> None:
    await asyncio.gather(*(note(database, tenant_id, news(account_id, Reason.UNAVAILABLE)) for _ in range(4)))
    found = await read(database, tenant_id, account_subject(account_id))
    assert found is not None
    assert found.failures == 4


async def test_notes_about_several_subjects_at_once_do_not_wait_for_each_other(
    database: Database, tenant_id: UUID, account_id: UUID
) -> None:
    subjects = [template_subject(account_id, UUID(int=number), "en") for number in range(6)]

    async def all_of(order: list[str]) -> None:
        await note(
            database, tenant_id, *(news(account_id, Reason.TEMPLATE_UNAVAILABLE, subject=name) for name in order)
        )

    await asyncio.gather(*(all_of(subjects if number % 2 else subjects[::-1]) for number in range(10)))
    async with database.tenant(tenant_id) as connection:
        found = await circuits.read(connection, tenant_id, subjects)
    assert [found[name].state for name in subjects] == [CircuitState.OPEN] * 6
    assert len(await left(database, tenant_id)) == 6


async def test_a_success_closes_it_and_tells_its_workflow(
    database: Database, tenant_id: UUID, account_id: UUID
) -> None:
    subject = await opened(database, tenant_id, account_id)
    await note(database, tenant_id, news(account_id, None, seconds=1))
    assert await read(database, tenant_id, subject) == Circuit(episode=1)
    kinds = [(kind, workflow) for kind, workflow, _ in await left(database, tenant_id)]
    assert kinds == [("start", "outage/1"), ("signal", "outage/1")]


async def test_it_opens_anew_as_another_episode(database: Database, tenant_id: UUID, account_id: UUID) -> None:
    await opened(database, tenant_id, account_id)
    again = [news(account_id, Reason.UNAVAILABLE, seconds=2) for _ in range(5)]
    await note(database, tenant_id, news(account_id, None, seconds=1), *again)
    kinds = [(kind, workflow) for kind, workflow, _ in await left(database, tenant_id)]
    assert kinds == [("start", "outage/1"), ("signal", "outage/1"), ("start", "outage/2")]


async def test_a_success_about_what_had_no_trouble_reads_once_and_writes_nothing(
    database: Database, tenant_id: UUID, account_id: UUID
) -> None:
    said: list[str] = []
    async with database.tenant(tenant_id) as connection:
        listen = (connection.sync_connection, "before_cursor_execute")
        event.listen(*listen, lambda *arguments: said.append(arguments[2]))
        await circuits.note(connection, tenant_id, [news(account_id, None)])
    assert [statement.split()[0] for statement in said] == ["SELECT"]
    async with database.tenant(tenant_id) as connection:
        assert (await connection.execute(select(table))).all() == []


@pytest.mark.parametrize(
    ("seconds", "takes"),
    [
        pytest.param(4, 0, id="not due yet"),
        pytest.param(5, 1, id="due: one of many gets it"),
    ],
)
async def test_a_probe_is_taken_once(
    database: Database, tenant_id: UUID, account_id: UUID, seconds: int, takes: int
) -> None:
    subject = await opened(database, tenant_id, account_id)

    async def take() -> bool:
        async with database.tenant(tenant_id) as connection:
            return await circuits.take_probe(connection, tenant_id, subject, NOW + timedelta(seconds=seconds))

    assert sum(await asyncio.gather(*(take() for _ in range(10)))) == takes


async def test_a_lost_probe_s_permit_is_taken_again_after_a_minute(
    database: Database, tenant_id: UUID, account_id: UUID
) -> None:
    subject = await opened(database, tenant_id, account_id)
    taken = []
    for seconds in (10, 69, 70):
        async with database.tenant(tenant_id) as connection:
            at = NOW + timedelta(seconds=seconds)
            taken.append(await circuits.take_probe(connection, tenant_id, subject, at))
    assert taken == [True, False, True]


async def test_a_closed_circuit_gives_no_permit(database: Database, tenant_id: UUID, account_id: UUID) -> None:
    await note(database, tenant_id, news(account_id, Reason.UNAVAILABLE))
    async with database.tenant(tenant_id) as connection:
        assert not await circuits.take_probe(connection, tenant_id, account_subject(account_id), NOW)


async def test_a_person_closes_every_circuit_of_an_account(
    database: Database, tenant_id: UUID, account_id: UUID, key_ring: KeyRing
) -> None:
    other = await make_account(database, tenant_id, key_ring, provider="smtp", channel="email", config={})
    template = template_subject(account_id, UUID(int=1), "en")
    await opened(database, tenant_id, account_id)
    await note(database, tenant_id, news(account_id, Reason.TEMPLATE_UNAVAILABLE, subject=template))
    elsewhere = await opened(database, tenant_id, other)
    async with database.tenant(tenant_id) as connection:
        assert await circuits.close(connection, tenant_id, account_id) == 2
        found = await circuits.read(connection, tenant_id, [account_subject(account_id), template, elsewhere])
    assert [item.state.value for item in found.values()].count("open") == 1
    assert found[elsewhere].state is CircuitState.OPEN
    assert [kind for kind, _, _ in await left(database, tenant_id)].count("signal") == 2


async def test_circuits_belong_to_their_tenant(
    database: Database, tenant_id: UUID, other_tenant_id: UUID, account_id: UUID
) -> None:
    subject = await opened(database, tenant_id, account_id)
    assert await read(database, other_tenant_id, subject) is None
