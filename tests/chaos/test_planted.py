"""Whoever judges campaigns is judged here: every planted bug is caught and named, and nothing is found without it."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from tests.chaos.planted import API, BUGS, WORKER, take_out
from tests.chaos.report import Verdict
from tests.chaos.scenarios import SCENARIOS, Scenario
from tests.chaos.stage import Stage
from tests.chaos.workshop import workshop

_BY_BUG = {bug: scenario for scenario in SCENARIOS for bug in scenario.bugs}
slow = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
async def stage() -> AsyncIterator[Stage]:
    async with (
        workshop() as place,
        httpx.AsyncClient(base_url=place.layout.api_url, timeout=10, trust_env=False) as http,
    ):
        made = Stage(place, http)
        await made.prepare()
        yield made


@pytest.fixture
def _untouched() -> Iterator[None]:
    yield
    take_out()


def test_every_bug_has_exactly_one_scenario() -> None:
    assert Counter(bug for scenario in SCENARIOS for bug in scenario.bugs) == Counter(BUGS.keys())
    assert len(BUGS) >= 15


@pytest.mark.parametrize("name", BUGS)
def test_every_bug_says_what_it_is_and_how_it_is_found(name: str) -> None:
    bug = BUGS[name]
    assert bug.sentence.endswith(".")
    assert bug.expected
    assert bug.processes <= {API, WORKER}


@pytest.mark.parametrize("name", BUGS)
@pytest.mark.usefixtures("_untouched")
def test_the_product_still_has_the_place_where_a_bug_is_planted(name: str) -> None:
    BUGS[name].plant()


@pytest.mark.parametrize("scenario", [pytest.param(one, id=one.name, marks=slow) for one in SCENARIOS])
async def test_without_a_bug_a_scenario_is_valid(stage: Stage, scenario: Scenario) -> None:
    report = await stage.play(scenario)
    assert (report.verdict, report.violations, report.doubts) == (Verdict.VALID, (), ())


@pytest.mark.parametrize("name", [pytest.param(bug, marks=slow) for bug in _BY_BUG])
async def test_a_planted_bug_is_caught_and_named(stage: Stage, name: str) -> None:
    report = await stage.play(_BY_BUG[name], name)
    assert report.verdict is Verdict.INVALID
    assert BUGS[name].expected & {violation.kind for violation in report.violations}
