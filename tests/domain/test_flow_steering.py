"""What people do to a series that waits: past a step, or back to one."""

import pytest

from domain.durations import parse
from domain.flow_program import compiled
from domain.flow_steering import NoSuchStepError, again, skipped
from domain.flow_steps import Branch, Case, FlowStep, Repeat, WaitFor
from domain.flows import Do, Wait, decide
from domain.series import SeriesStatus
from tests.domain.flow_play import REPLY, START, flow, holds, send, state, wait

ASK = WaitFor(id="ask", awaited=(REPLY,), then=(send("thanks"),), on_timeout=(send("reminder"),))
CHOICE = Branch(id="choice", cases=(Case(when="x == 1", steps=(send("one"),)),), otherwise=(send("other"),))
ROUNDS = Repeat(id="rounds", steps=(send("round"),), every=parse("1d"), most=9)


@pytest.mark.parametrize(
    ("step", "expected"),
    [(wait("pause", "1d"), "after"), (ASK, "reminder"), (CHOICE, "other"), (ROUNDS, "after"), (send("first"), "after")],
    ids=["a wait", "a wait for something", "a branch", "a repetition", "a message"],
)
def test_what_a_series_stands_at_is_left_out(step: FlowStep, expected: str) -> None:
    program = compiled(flow(step, send("after")))
    following = skipped(program, state(), START)
    decided = decide(program, following, START, holds).next
    assert isinstance(decided, Do)
    assert decided.step.id == expected


def test_between_two_steps_it_goes_on() -> None:
    program = compiled(flow(ASK, send("after")))
    place = next(place for place in range(len(program.instructions)) if program.step_at(place) is None)
    assert skipped(program, state(place=place), START).place == program.places["after"]


def test_at_its_end_there_is_nothing_to_skip() -> None:
    with pytest.raises(NoSuchStepError, match="at its end"):
        skipped(compiled(flow(send("only"))), state(place=1), START)


def test_a_step_is_taken_again_as_if_the_series_came_there_now() -> None:
    program = compiled(flow(send("first"), wait("pause", "1d"), send("last")))
    decided = decide(program, again(program, state(place=3), "pause", START), START, holds).next
    assert isinstance(decided, Wait)
    assert decided.until == START.replace(day=2)


def test_a_step_that_is_not_there_is_told() -> None:
    with pytest.raises(NoSuchStepError, match="there are first"):
        again(compiled(flow(send("first"))), state(), "frist", START)


def test_only_two_states_are_ends() -> None:
    assert {one for one in SeriesStatus if one.is_over} == {SeriesStatus.COMPLETED, SeriesStatus.STOPPED}


def test_the_next_step_is_told_also_from_between_two_of_them() -> None:
    program = compiled(flow(ASK, send("after")))
    told = [program.next_step(place) for place in range(len(program.instructions) + 1)]
    assert told == ["ask", "thanks", "after", "reminder", "after", None]
