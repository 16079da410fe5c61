"""What a series does next, as transcripts: each flow is played on a clock that jumps."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from domain.conditions import ConditionError
from domain.durations import parse
from domain.flow_preview import simulate
from domain.flow_program import Goto, Program, compiled
from domain.flow_state import Heard, SeriesState
from domain.flow_steps import (
    Branch,
    Call,
    Case,
    Digest,
    Repeat,
    Since,
    Stop,
    Throttle,
    Until,
    Wait,
    WaitFor,
)
from domain.flows import Do, Done, Stuck, decide, taken
from domain.flows import Wait as Pending
from tests.domain.flow_play import REPLY, START, TAP, at, flow, holds, played, reply, send, state, wait

REMINDERS = flow(send("first"), wait("a day", "1d"), send("second"), wait("two days", "2d"), send("third"))


def test_messages_go_out_one_after_the_other() -> None:
    assert played(REMINDERS) == [
        ("0:00:00", "first"),
        ("1 day, 0:00:00", "second"),
        ("3 days, 0:00:00", "third"),
        ("3 days, 0:00:00", "completed"),
    ]


@pytest.mark.parametrize(
    ("script", "end"),
    [
        ([reply("1h")], ("1:00:00", "stopped_by")),
        ([reply("30h")], ("1 day, 6:00:00", "stopped_by")),
        ([Heard(kind="tap", at=at("1h"), name="other")], ("3 days, 0:00:00", "completed")),
    ],
    ids=["a reply at once", "a reply later", "something else"],
)
def test_a_reply_ends_it_wherever_it_is(script: Sequence[Heard], end: tuple[str, str]) -> None:
    stopping = flow(*REMINDERS.steps, stop_when=(REPLY,))
    assert played(stopping, *script)[-1] == end


ASK = WaitFor(
    id="answer", awaited=(REPLY, TAP), timeout=parse("2d"), then=(send("thanks"),), on_timeout=(send("again"),)
)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ([reply("5h")], [("0:00:00", "question"), ("5:00:00", "thanks"), ("5:00:00", "completed")]),
        ([], [("0:00:00", "question"), ("2 days, 0:00:00", "again"), ("2 days, 0:00:00", "completed")]),
        (
            [Heard(kind="tap", at=at("1h"), name="accept")],
            [("0:00:00", "question"), ("1:00:00", "thanks"), ("1:00:00", "completed")],
        ),
        (
            [Heard(kind="tap", at=at("1h"), name="view")],
            [("0:00:00", "question"), ("2 days, 0:00:00", "again"), ("2 days, 0:00:00", "completed")],
        ),
    ],
    ids=["a reply", "nothing", "the right button", "another button"],
)
def test_it_goes_on_as_what_it_waits_for_is_heard(script: Sequence[Heard], expected: Sequence[tuple[str, str]]) -> None:
    assert played(flow(send("question"), ASK), *script) == expected


@pytest.mark.parametrize(
    ("since", "expected"),
    [(Since.PREVIOUS_SEND, "2:00:00"), (Since.SERIES_START, "2:00:00"), (Since.NOW, "2 days, 2:00:00")],
)
def test_what_came_early_counts_from_where_the_step_says(since: Since, expected: str) -> None:
    waits = WaitFor(id="answer", awaited=(REPLY,), timeout=parse("2d"), since=since, then=(send("thanks"),))
    told = played(flow(send("question"), wait("a while", "2h"), waits), reply("1h"))
    assert told[-1] == (expected, "completed")


def test_a_reply_to_the_message_before_does_not_answer_the_next_one() -> None:
    second = WaitFor(id="second answer", awaited=(REPLY,), timeout=parse("1d"), then=(send("thanks"),))
    first = WaitFor(id="first answer", awaited=(REPLY,), timeout=parse("1d"))
    told = played(flow(send("one"), first, wait("a while", "1h"), send("two"), second), reply("30m"))
    assert [what for _, what in told] == ["one", "two", "completed"]


CHOICE = flow(
    Branch(
        id="choice",
        cases=(
            Case(when="kind == a", steps=(send("for a"),)),
            Case(when="kind == b", steps=(send("for b"), Stop(id="end"))),
        ),
        otherwise=(send("for others"),),
    ),
    send("for all"),
)


@pytest.mark.parametrize(
    ("kind", "done"),
    [
        ("a", ["for a", "for all", "completed"]),
        ("b", ["for b", "stop_step"]),
        ("c", ["for others", "for all", "completed"]),
    ],
)
def test_the_first_case_that_holds_is_taken(kind: str, done: list[str]) -> None:
    assert [what for _, what in played(CHOICE, facts={"data": {"kind": kind}})] == done


def event(after: str, number: int) -> Heard:
    return Heard(kind="event", name="order.placed", at=at(after), data={"n": number})


def test_a_digest_tells_of_everything_in_its_window() -> None:
    program = compiled(flow(Digest(id="orders", events=("order.*",), window=parse("1h")), send("summary")))
    current = state()
    for number in range(1000):
        current = current.hear(event("10m", number))
    decision = decide(program, current, at("1h"), holds)
    assert isinstance(decision.next, Do)
    assert decision.state.outcomes["orders"]["count"] == 1000


def test_a_digest_that_is_full_does_not_wait() -> None:
    digest = Digest(id="orders", events=("order.*",), window=parse("1h"), most=2)
    told = played(flow(digest, send("summary")), event("1m", 1), event("2m", 2), event("3m", 3))
    assert told == [("0:02:00", "summary"), ("0:02:00", "completed")]


def test_what_a_step_says_can_end_it() -> None:
    program = compiled(flow(Throttle(id="enough", most=3, per=parse("1d")), send("m")))
    told = simulate(program, state(), holds, outcome_of=lambda _: {"stop": "throttled"})
    assert [entry.kind for entry in told] == ["do", "done"]
    assert told[-1].detail == {"reason": "throttled", "detail": None}


def test_a_stop_comes_before_everything_else() -> None:
    decision = decide(compiled(REMINDERS), state(stopped="by hand"), START, holds)
    assert (decision.next.reason, decision.next.detail) == ("by hand", None)  # type: ignore[union-attr] # it is done


def test_a_condition_ends_it_too() -> None:
    assert played(flow(*REMINDERS.steps, stop_if="replied"), reply("1h"))[-1] == ("1:00:00", "stop_condition")


def test_the_same_definition_gives_the_same_program() -> None:
    assert compiled(CHOICE) == compiled(CHOICE)


def test_a_condition_that_cannot_be_judged_keeps_it_from_going_on() -> None:
    def fails(condition: str, _: Mapping[str, Any]) -> bool:
        raise ConditionError(f"nothing to judge {condition!r} by")

    decision = decide(compiled(CHOICE), state(), START, fails)
    assert isinstance(decision.next, Stuck)
    assert (decision.next.step_id, decision.next.reason) == ("choice", "condition_failed")
    assert decision.state.place == 0, "mended, it goes on from here"


def test_steps_that_go_in_circles_are_noticed() -> None:
    circle = Program(flow=flow(), instructions=(Goto(to=1), Goto(to=0)))
    decision = decide(circle, state(), START, holds)
    assert isinstance(decision.next, Stuck)
    assert decision.next.reason == "in_circles"


def test_many_steps_that_take_no_time_are_no_circle() -> None:
    empty = [Branch(id=f"b{number}", cases=()) for number in range(1200)]
    assert played(flow(*empty)) == [("0:00:00", "completed")]


QUESTIONS = flow(
    send("one"), WaitFor(id="first", awaited=(REPLY,)), send("two"), WaitFor(id="second", awaited=(REPLY,)), send("bye")
)


def test_a_reply_answers_one_question() -> None:
    assert [what for _, what in played(QUESTIONS, reply("1h"))] == ["one", "two"]
    assert [what for _, what in played(QUESTIONS, reply("1h"), reply("1h"))] == ["one", "two", "bye", "completed"]


def test_a_reply_that_comes_while_a_message_is_being_sent_answers_it() -> None:
    program = compiled(QUESTIONS)
    sending = decide(program, state(), START, holds)
    following = decide(program, taken(program, sending.state.hear(reply("0s")), {}, START), START, holds)
    assert following.next == Do(step=send("two"))


def test_questions_about_different_things_may_be_answered_in_any_order() -> None:
    since_start = {"since": Since.SERIES_START}
    steps = (
        WaitFor(id="a reply", awaited=(REPLY,), **since_start),  # type: ignore[arg-type] # the one field that it is
        WaitFor(id="a tap", awaited=(TAP,), **since_start),  # type: ignore[arg-type] # the one field that it is
    )
    told = played(flow(*steps), Heard(kind="tap", at=at("1h"), name="accept"), reply("2h"))
    assert told == [("2:00:00", "completed")]


@pytest.mark.parametrize("day", [datetime(9999, 12, 31, 23, tzinfo=UTC), datetime(1, 1, 1, 0, tzinfo=UTC)])
def test_a_date_beyond_all_years_keeps_it_from_going_on(day: datetime) -> None:
    span = parse("2d") if day.year > 2000 else parse("-2d", signed=True)
    far = Wait(id="far", moment=Until(anchor="due_at", offset=span))
    decision = decide(compiled(flow(far)), state(anchors={"due_at": day}), START, holds)
    assert isinstance(decision.next, Stuck)
    assert decision.next.reason == "no_such_instant"


def test_what_a_service_answers_does_not_end_it() -> None:
    program = compiled(flow(Call(id="ask", url="https://example.com"), send("m")))
    told = simulate(program, state(), holds, outcome_of=lambda _: {"stop": "says the service"})
    assert [entry.kind for entry in told] == ["do", "do", "done"]


def test_a_digest_takes_what_came_since_the_one_before() -> None:
    digest = Digest(id="orders", events=("order.*",), window=parse("1h"), most=2)
    program = compiled(flow(Repeat(id="daily", steps=(digest, send("summary")), every=parse("1d"), most=2)))
    script = [event(after, number) for number, after in enumerate(["10m", "20m", "30m", "5h"])]
    digests: list[list[int]] = []

    def noted(current: SeriesState) -> None:
        events = current.outcomes["orders"]["events"]
        digests.append([one["n"] for one in events])

    current, now = state(), START
    while not isinstance((decision := decide(program, current, now, holds)).next, Done):
        current, following = decision.state, decision.next
        if isinstance(following, Do):
            noted(current)
            current = taken(program, current, {}, now)
        else:
            assert isinstance(following, Pending)
            assert following.until is not None
            heard = [one for one in script if now < one.at <= following.until][:1]
            now = heard[0].at if heard else following.until
            current = current.hear(heard[0]) if heard else current
    assert digests == [[0, 1], [2, 3]]
