"""A notification that is parked and resumed for ever goes on in another run, and forgets nothing on the way."""

from dataclasses import replace

import pytest
from temporalio.client import Client
from temporalio.converter import DataConverter

from domain.notifications import Outcome, Plan
from domain.progress import Carried, HopProgress, Progress
from domain.reasons import Reason
from domain.status import Status
from tests.workflows.scripts import ACCEPTED, WHATSAPP, Script, parked, running, told
from workflows.notes import Notes

MISCONFIGURED = told(Outcome.REFUSED, Status.QUEUED, Reason.MISCONFIGURED)
TIMES = 420  # each costs ten events; the server suggests another run from 4,096 on


@pytest.mark.slow
async def test_it_goes_on_in_another_run_with_the_next_attempt(client: Client) -> None:
    script = Script(Plan(hops=(WHATSAPP,)), [MISCONFIGURED] * TIMES + [ACCEPTED])
    async with running(client, script, sandboxed=False) as handle:  # as the product runs it
        for time in range(1, TIMES + 1):
            await parked(script, time)
            await client.get_workflow_handle(handle.id).signal("resume")
        assert await handle.result() == "accepted"
        first = await client.get_workflow_handle(handle.id, run_id=handle.first_execution_run_id).describe()
        last = await client.get_workflow_handle(handle.id).describe()
    assert first.status is not None
    assert first.status.name == "CONTINUED_AS_NEW"
    assert last.history_length < first.history_length
    assert [order.number for order in script.orders] == list(range(1, TIMES + 2))
    written = [note.sequence for order in script.parked for note in order.decisions]
    assert len(set(written)) == len(written) == TIMES


async def test_what_is_carried_survives_the_way() -> None:
    state = HopProgress(attempts=3, last=MISCONFIGURED, troubled=frozenset({0, 2}), shut=frozenset({2}), doubts=1)
    notes = Notes()
    notes.add("retry", Reason.RETRY_LATER, hop=0)
    carried = Carried(
        plan=Plan(hops=(WHATSAPP, replace(WHATSAPP, index=1))),
        progress=Progress(current=1, hops=(state,), cancelled=True),
        decisions=notes.take(),
        sequence=notes.sequence,
        visible_status="parked",
    )
    payloads = await DataConverter.default.encode([carried])
    assert await DataConverter.default.decode(payloads, [Carried]) == [carried]
