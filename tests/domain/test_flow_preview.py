"""The preview of a series: its ends, and what it tells besides."""

import pytest

from domain.durations import parse
from domain.flow_preview import MOST_ENTRIES, simulate
from domain.flow_program import compiled
from domain.flow_steps import Awaited, Repeat, Until, Update, Wait, WaitFor
from domain.flows import taken
from tests.domain.flow_play import START, flow, holds, reply, send, state, wait


def test_what_waits_for_a_reply_alone_ends_with_the_wait() -> None:
    asks = WaitFor(id="ask", awaited=(Awaited(kind="tap"),))
    told = simulate(compiled(flow(asks)), state(), holds, [reply("1h")])
    assert [entry.kind for entry in told] == ["wait", "heard", "wait"]


def test_a_preview_that_becomes_too_long_is_cut() -> None:
    often = Repeat(id="often", steps=(send("m"),), every=parse("1m"), most=10_000)
    told = simulate(compiled(flow(often)), state(), holds)
    assert (told[-1].kind, len(told) - 1 >= MOST_ENTRIES) == ("cut", True)


def test_what_cannot_go_on_is_told() -> None:
    told = simulate(compiled(flow(Wait(id="due", moment=Until(anchor="due_at")))), state(), holds)
    assert [(entry.kind, entry.step_id) for entry in told] == [("stuck", "due")]


def test_other_steps_are_told_by_their_kind() -> None:
    told = simulate(compiled(flow(Update(id="change", attributes={"a": "1"}))), state(), holds)
    assert told[0].detail == {"step": "update"}


def test_the_condition_that_ends_it_is_asked_once_while_nothing_came() -> None:
    asked: list[str] = []

    def counts(condition: str, _: object) -> bool:
        asked.append(condition)
        return False

    empty = Repeat(id="empty", steps=(), every=parse("1d"), most=1)
    simulate(compiled(flow(empty, wait("a day", "1d"), stop_if="x")), state(), counts)
    assert len(asked) == 2, "once for each decision"


def test_only_a_step_that_is_asked_for_can_be_taken() -> None:
    with pytest.raises(LookupError, match="no step is to be taken at 0"):
        taken(compiled(flow(wait("a day", "1d"))), state(), {}, START)
