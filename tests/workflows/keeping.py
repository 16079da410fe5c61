"""Histories of the tests' workflows, kept for the replay tests of every later version when somebody asks for it."""

import asyncio
import os
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHandle

HISTORIES = Path(__file__).parent / "histories"


async def keep(handle: WorkflowHandle[Any, Any], workflow: str, name: str | None = None) -> None:
    """Keeps a history under the name of the test that made it, with `CARILLON_RECORD_HISTORIES` set."""
    if os.environ.get("CARILLON_RECORD_HISTORIES"):
        test = os.environ["PYTEST_CURRENT_TEST"].partition("::test_")[2].partition(" ")[0].partition("[")[0]
        history = (await handle.fetch_history()).to_json() + "\n"
        await asyncio.to_thread((HISTORIES / f"{workflow}_{name or test}.json").write_text, history, "utf-8")
