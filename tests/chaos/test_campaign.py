"""A short campaign over the real stack: everything strikes, nothing is lost, and the report says what happened."""

import pytest
from rich.console import Console

from tests.chaos import table
from tests.chaos.campaign import Plan, Verdict, run
from tests.chaos.faults import FATES, STRIKES

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # it waits for processes that other tests keep from running

SEED, SECONDS, RATE = 278, 20, 8
"""A seed whose few strikes reach workers, API, PostgreSQL, Temporal, the provider, and the worst of instants."""


def test_a_struck_and_loaded_stack_loses_and_doubles_nothing() -> None:
    report = run(Plan(seed=SEED, seconds=SECONDS, rate=RATE))
    assert report.verdict is Verdict.VALID, "\n".join(table.complaints(report))
    assert report.counts["messages"] > 0
    assert report.counts["accepted"] > 0
    assert set(report.faults) & set(STRIKES)
    assert set(report.faults) & set(FATES)
    with Console(width=200, record=True, quiet=False) as console:
        table.show([report], console)
    assert str(SEED) in console.export_text()
