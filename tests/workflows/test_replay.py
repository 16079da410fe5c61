"""Histories that were recorded once replay for ever: a change that orders other commands needs `workflow.patched`.

`CARILLON_RECORD_HISTORIES=1 python -m pytest tests/workflows/test_notification.py` records them anew; do so only to add
histories of new paths, and keep those of released versions.
"""

from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from domain.notifications import NotificationInput
from sealing import KeyRing
from worker import WORKFLOWS
from workflows.client import data_converter

HISTORIES = sorted((Path(__file__).parent / "histories").glob("*.json"))


def _read(path: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json(f"replay/{path.stem}", path.read_text("utf-8"))


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_a_recorded_history_replays(path: Path, key_ring: KeyRing) -> None:
    replayer = Replayer(workflows=WORKFLOWS, data_converter=data_converter(key_ring))
    await replayer.replay_workflow(_read(path))


@workflow.defn(name="notification", sandboxed=False)
class Impatient:
    """A version that sleeps where the recorded one did not."""

    @workflow.run
    async def run(self, order: NotificationInput) -> str:
        """Breaks the order of commands."""
        await workflow.sleep(1)
        return order.notification_id


async def test_a_version_that_orders_other_commands_is_caught(key_ring: KeyRing) -> None:
    replayer = Replayer(workflows=[Impatient], data_converter=data_converter(key_ring))
    history = _read(next(path for path in HISTORIES if path.stem.startswith("notification_")))
    with pytest.raises(workflow.NondeterminismError):
        await replayer.replay_workflow(history)
