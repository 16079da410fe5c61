"""Looking after open circuits on a real database: who is the probe, who asks the provider, what is let go."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import time, timedelta
from typing import Any
from uuid import UUID

import pytest
from aiosmtpd.smtp import SMTP
from sqlalchemy import update

from activities.accounts import config_place
from db import circuits
from db.flow_json import rest_document
from db.session import Database
from db.tables import account
from domain.circuits import PROBE_PERMIT, CircuitState, account_subject, template_subject
from domain.outages import ANSWER, GRACE, QUIET
from domain.quiet_hours import Quiet, QuietHours, Rest
from domain.reasons import Reason
from sealing import KeyRing
from tests.activities.outage_ground import DUE, NOW, Ground, config, opened
from tests.factories import make_version


@pytest.fixture
async def answering() -> AsyncIterator[int]:
    """The port of a mail server."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(object(), loop=loop), "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


@pytest.fixture
async def ground(database: Database, tenant_id: UUID, key_ring: KeyRing) -> Ground:
    return await opened(database, tenant_id, key_ring)


async def test_nothing_happens_before_the_probe_is_due(ground: Ground) -> None:
    await ground.parked()
    looked = await ground.probe(NOW + timedelta(seconds=1))
    assert (looked.over, looked.next_at) == (False, DUE)
    assert await ground.resumed() == []


async def test_the_parked_notification_that_waits_longest_is_the_probe_and_then_the_next(ground: Ground) -> None:
    first, second = await ground.parked(), await ground.parked()
    looked = await ground.probe(DUE)
    assert (looked.over, looked.next_at, looked.cursor) == (False, DUE + ANSWER, str(first))
    again = await ground.probe(DUE + ANSWER, first)
    third = await ground.probe(DUE + 2 * ANSWER, second)
    assert (again.cursor, third.cursor) == (str(second), str(first))
    assert await ground.resumed() == [first, second]  # the third time its signal is still on its way


async def test_while_a_probe_is_on_its_way_it_waits_for_its_permit_to_expire(ground: Ground) -> None:
    await ground.parked()
    async with ground.database.tenant(ground.tenant_id) as connection:
        assert await circuits.take_probe(connection, ground.tenant_id, account_subject(ground.account_id), DUE)
    looked = await ground.probe(DUE + ANSWER)
    assert looked.next_at == DUE + PROBE_PERMIT


@pytest.mark.parametrize(
    "case",
    [
        pytest.param({"cause": Reason.DAILY_CAP}, id="parked for something else"),
        pytest.param({"cause": Reason.TEMPLATE_UNAVAILABLE}, id="its template is paused"),
        pytest.param({"parked_at": None, "parked_cause": None}, id="not parked"),
    ],
)
async def test_what_cannot_go_is_no_probe(ground: Ground, case: dict[str, Any]) -> None:
    await ground.parked(**case)
    assert (await ground.probe(DUE)).next_at == DUE + GRACE
    assert await ground.resumed() == []


async def test_what_is_parked_at_another_account_of_the_channel_can_be_the_probe(ground: Ground) -> None:
    other = await ground.another_account()
    found = await ground.parked(parked_account_id=other)
    await ground.probe(DUE)
    assert await ground.resumed() == [found]


async def test_what_is_parked_at_the_account_itself_is_asked_first(ground: Ground) -> None:
    await ground.parked(parked_account_id=await ground.another_account())
    own = await ground.parked()
    assert (await ground.probe(DUE)).cursor == str(own)


async def test_two_that_leave_the_permit_alone_have_the_provider_asked(ground: Ground) -> None:
    await ground.parked()
    assert [(await ground.probe(DUE, misses=number)).misses for number in (0, 1)] == [1, 2]
    waited = await ground.probe(DUE + 2 * ANSWER, misses=2)
    assert (waited.next_at, waited.misses) == (DUE + GRACE, 2)
    looked = await ground.probe(DUE + GRACE, misses=2)
    assert looked.misses == 0
    assert (await ground.probe(DUE + GRACE)).next_at == DUE + GRACE + timedelta(seconds=10)  # the probe had failed


@pytest.mark.parametrize("cause", [Reason.ACCOUNT_SUSPENDED, Reason.DAILY_CAP])
async def test_what_went_on_to_another_account_and_is_kept_there_comes_back(ground: Ground, cause: Reason) -> None:
    other = await ground.another_account()
    await ground.parked(cause)
    found = await ground.parked(cause, parked_account_id=other)
    await ground.probe(DUE)
    assert await ground.resumed() == [found]
    await ground.note(None, at=DUE)
    assert await ground.release() == 1
    [(_, wanted, _, _)] = await ground.operations()
    assert wanted == {"cause": cause.value, "account_id": str(other)}


async def test_only_the_template_s_own_version_probes_a_template(ground: Ground) -> None:
    other = await make_version(ground.database, ground.tenant_id, name="other")
    await ground.note(Reason.TEMPLATE_UNAVAILABLE, subject=template_subject(ground.account_id, ground.version_id, "en"))
    await ground.parked(Reason.TEMPLATE_UNAVAILABLE, version_id=other)
    mine = await ground.parked(Reason.TEMPLATE_UNAVAILABLE)
    await ground.probe(NOW + timedelta(minutes=10))
    assert await ground.resumed() == [mine]


async def test_who_is_left_alone_at_this_time_of_their_day_is_no_probe(ground: Ground) -> None:
    quiet = rest_document(Rest(quiet=Quiet(hours=QuietHours(start=time(0), end=time(0))), one="a series"))
    await ground.parked(quiet=quiet)
    other = await ground.parked()
    await ground.probe(DUE)
    assert await ground.resumed() == [other]


async def test_while_all_are_left_alone_a_template_is_not_forgotten(ground: Ground) -> None:
    quiet = rest_document(Rest(quiet=Quiet(hours=QuietHours(start=time(0), end=time(0))), one="a series"))
    await ground.note(Reason.TEMPLATE_UNAVAILABLE, subject=template_subject(ground.account_id, ground.version_id, "en"))
    await ground.parked(Reason.TEMPLATE_UNAVAILABLE, quiet=quiet)
    later = NOW + timedelta(minutes=10) + GRACE
    looked = await ground.probe(later)
    assert (looked.over, looked.next_at, await ground.resumed()) == (False, later + QUIET, [])
    assert await ground.state() is CircuitState.OPEN


async def test_without_anything_parked_new_traffic_gets_its_chance_first(ground: Ground) -> None:
    looked = await ground.probe(DUE)
    assert (looked.over, looked.next_at) == (False, DUE + GRACE)
    assert await ground.state() is CircuitState.OPEN


async def test_without_any_traffic_the_provider_itself_is_asked(ground: Ground, answering: int) -> None:
    place = config_place(ground.tenant_id, ground.account_id)
    sealed = ground.key_ring.seal(json.dumps(config(answering)).encode(), place=place)
    async with ground.database.tenant(ground.tenant_id) as connection:
        await connection.execute(update(account).values(sealed_config=sealed))
    await ground.probe(DUE + GRACE)
    assert await ground.state() is CircuitState.CLOSED


async def test_a_provider_that_still_does_not_answer_is_asked_less_often(ground: Ground) -> None:
    await ground.probe(DUE + GRACE)
    looked = await ground.probe(DUE + GRACE)
    assert looked.next_at == DUE + GRACE + timedelta(seconds=10)
    assert await ground.state() is CircuitState.OPEN


async def test_a_template_that_nobody_waits_for_is_tried_again_by_the_next_message(ground: Ground) -> None:
    await ground.note(Reason.TEMPLATE_UNAVAILABLE, subject=template_subject(ground.account_id, ground.version_id, "en"))
    await ground.probe(NOW + timedelta(minutes=10) + GRACE)
    assert await ground.state() is CircuitState.CLOSED


@pytest.mark.parametrize(("state", "over"), [("suspended", False), ("retired", True)])
async def test_an_account_that_does_not_send_is_not_asked(ground: Ground, state: str, over: bool) -> None:  # noqa: FBT001 - a column of the table
    async with ground.database.tenant(ground.tenant_id) as connection:
        await connection.execute(update(account).values(state=state))
    await ground.probe(DUE + GRACE)
    assert (await ground.state() is CircuitState.CLOSED) is over


@pytest.mark.parametrize("episode", [1, 2], ids=["closed", "another opening has its own owner"])
async def test_it_is_over_once_the_circuit_closed(ground: Ground, episode: int) -> None:
    if episode == 1:
        await ground.note(None, at=DUE)
    assert (await ground.probe(DUE, episode=1 if episode == 1 else 7)).over
