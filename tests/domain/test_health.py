"""Health changes when several windows agree, and never because of one."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.health import DELAY_BOUND, Health, Level, Window, judge, verdict

WELL = Window(attempts=100, troubled=1, receiptable=100, late=1, delay=4.0)
DOWN = Window(attempts=100, troubled=60)
SHAKY = Window(attempts=100, troubled=15)
LATE = Window(attempts=100, receiptable=100, late=70)
NOTHING = Window()
WINDOWS = {"well": WELL, "down": DOWN, "shaky": SHAKY, "late": LATE, "nothing": NOTHING}


@pytest.mark.parametrize(
    ("window", "usual", "level", "reasons"),
    [
        pytest.param(WELL, None, Level.HEALTHY, (), id="all well"),
        pytest.param(DOWN, None, Level.FAILING, ("attempts_troubled",), id="most attempts find it away"),
        pytest.param(SHAKY, None, Level.SLOW, ("attempts_troubled",), id="some do"),
        pytest.param(replace(DOWN, attempts=19, troubled=19), None, Level.HEALTHY, (), id="too few to say"),
        pytest.param(LATE, None, Level.SLOW, ("receipts_missing",), id="receipts do not come"),
        pytest.param(replace(WELL, delay=61.0), None, Level.SLOW, ("receipts_slow",), id="they come late"),
        pytest.param(replace(WELL, delay=61.0), 20.0, Level.HEALTHY, (), id="late, but as usual for this account"),
        pytest.param(replace(WELL, delay=30.0), 2.0, Level.HEALTHY, (), id="fifteen times as late, but still early"),
        pytest.param(
            replace(DOWN, receiptable=40, late=40, delay=300.0),
            None,
            Level.FAILING,
            ("attempts_troubled", "receipts_missing", "receipts_slow"),
            id="everything at once",
        ),
        pytest.param(NOTHING, None, Level.HEALTHY, (), id="no traffic"),
    ],
)
def test_a_window_says(window: Window, usual: float | None, level: Level, reasons: tuple[str, ...]) -> None:
    assert verdict(window, usual) == (level, reasons)


@pytest.mark.parametrize(
    ("windows", "levels"),
    [
        pytest.param("down down", "healthy failing", id="two bad windows lower it"),
        pytest.param("down well down", "healthy healthy healthy", id="one alone never does"),
        pytest.param("shaky down", "healthy slow", id="the milder of the two counts"),
        pytest.param("down shaky", "healthy slow", id="in whichever order"),
        pytest.param("late late down down", "healthy slow slow failing", id="step by step"),
        pytest.param(
            "down down well well well", "healthy failing failing failing healthy", id="three good ones raise it"
        ),
        pytest.param(
            "down down well well down well well",
            "healthy failing failing failing failing failing failing",
            id="a bad one in between begins the count anew",
        ),
        pytest.param("down down well late well", "healthy failing failing failing slow", id="no better than all three"),
        pytest.param(
            "down down nothing nothing nothing",
            "healthy failing failing failing healthy",
            id="one that is passed over gets its chance again",
        ),
    ],
)
def test_levels_follow_several_windows(windows: str, levels: str) -> None:
    health, seen = Health(), []
    for name in windows.split():
        health = judge(health, WINDOWS[name])
        seen.append(health.level.value)
    assert " ".join(seen) == levels


def test_what_an_account_is_used_to_is_learnt_while_all_is_well() -> None:
    learnt = judge(judge(Health(), replace(WELL, delay=10.0)), replace(WELL, delay=20.0))
    assert learnt.usual == pytest.approx(11.0)
    assert judge(learnt, replace(WELL, delay=10 * DELAY_BOUND)).usual == learnt.usual
    assert judge(learnt, NOTHING).usual == learnt.usual


LEVELS = st.lists(st.sampled_from(sorted(WINDOWS)), max_size=60)


@given(LEVELS)
def test_a_level_only_changes_when_enough_windows_in_a_row_were_on_that_side(names: list[str]) -> None:
    health, verdicts = Health(), []
    for name in names:
        before = health
        health = judge(before, WINDOWS[name])
        verdicts.append(verdict(WINDOWS[name], before.usual)[0].severity)
        now, then = health.level.severity, before.level.severity
        if now > then:
            assert all(one >= now for one in verdicts[-2:])
        elif now < then:
            assert all(one <= now for one in verdicts[-3:])
            assert len(verdicts) >= 3


@given(LEVELS, st.sampled_from(sorted(WINDOWS)))
def test_the_same_window_again_and_again_is_believed_at_last(names: list[str], last: str) -> None:
    health = Health()
    for name in [*names, *[last] * 6]:
        health = judge(health, WINDOWS[name])
    assert health.level is verdict(WINDOWS[last])[0]
