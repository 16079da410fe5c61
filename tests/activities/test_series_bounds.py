"""What a series still hears that heard too much: what it waits for or what ends it, and that up to a bound as well."""

from datetime import timedelta
from uuid import UUID

import pytest

from activities.series import SeriesSteps
from db import series_lists
from db.session import Database
from domain.series import MOST_HEARD, MOST_HEARD_BYTES, SeriesInput
from tests.activities.series_clock import LINKS, Clock, started
from tests.activities.test_series import template

__all__ = ["template"]

ANYTHING = "name: anything\nstop_if: data.name == 'nobody'\nsteps:\n- {wait: P1D}"
SENDING = "name: sending\nstop_when: event:paid\nsteps:\n- {send: hello}\n- {wait: P1D}"
MANY = "name: many\nstop_when: event:paid\nsteps:\n" + "".join(f"- {{send: hello, id: s{n}}}\n" for n in range(12))
BOUNDS = pytest.mark.parametrize(
    "full", [{"heard": MOST_HEARD}, {"heard_bytes": MOST_HEARD_BYTES}], ids=["things", "bytes"]
)
TWICE = pytest.mark.parametrize(
    "full", [{"heard": 2 * MOST_HEARD}, {"heard_bytes": 2 * MOST_HEARD_BYTES}], ids=["things", "bytes"]
)


async def heard(clock: Clock, full: dict[str, int]) -> bool:
    """Tells whether a series that heard so much hears that it was paid."""
    await clock.change(**full)
    before = (await clock.row()).heard
    await clock.hears("event", "paid")
    return (await clock.row()).heard > before


@BOUNDS
async def test_a_condition_that_ends_it_is_no_reason_to_hear_all(
    database: Database, tenant_id: UUID, full: dict[str, int]
) -> None:
    clock = await started(database, tenant_id, ANYTHING)
    await clock.look()
    assert not await heard(clock, full)


@BOUNDS
async def test_what_ends_it_is_heard_by_one_that_has_not_looked_yet(
    database: Database, tenant_id: UUID, full: dict[str, int]
) -> None:
    clock = await started(database, tenant_id, SENDING)
    assert await heard(clock, full)
    assert (await clock.look()).ended == "stopped_by"


@BOUNDS
async def test_what_ends_it_is_heard_between_two_looks(
    database: Database, tenant_id: UUID, full: dict[str, int]
) -> None:
    clock = await started(database, tenant_id, MANY)
    order = SeriesInput(tenant_id=str(tenant_id), series_id=str(clock.series_id))
    assert (await SeriesSteps(database, LINKS).advance(order, clock.now)).again
    assert await heard(clock, full)
    assert (await clock.look()).ended == "stopped_by"


@TWICE
async def test_beyond_twice_the_bound_nothing_is_heard(
    database: Database, tenant_id: UUID, full: dict[str, int]
) -> None:
    clock = await started(database, tenant_id, SENDING)
    await clock.look()
    assert not await heard(clock, full)


async def test_what_is_not_heard_is_counted_and_told_once(database: Database, tenant_id: UUID) -> None:
    clock = await started(database, tenant_id, SENDING)
    await clock.look()
    await clock.change(heard=MOST_HEARD)
    for name in ("ordered", "shipped"):
        await clock.hears("event", name)
    assert (await clock.row()).unheard == 2
    async with database.tenant(tenant_id) as connection:
        lines = await series_lists.timeline(connection, tenant_id, clock.series_id, limit=500, before=None)
    assert [line.detail["name"] for line in lines if line.kind == "full"] == ["ordered"]
    assert await clock.transcript("full") == [("0:00:00", "full", lines[0].step)]
    await clock.until(clock.now + timedelta(days=2))
    assert (await clock.row()).status == "completed"


async def test_what_was_heard_before_it_was_full_is_not_counted_when_it_comes_again(
    database: Database, tenant_id: UUID
) -> None:
    clock = await started(database, tenant_id, SENDING)
    await clock.look()
    await clock.hears("event", "ordered")
    await clock.change(heard=MOST_HEARD)
    await clock.hears("event", "ordered")
    assert ((await clock.row()).unheard, await clock.transcript("full")) == (0, [])
