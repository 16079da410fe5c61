"""Dates and rounds of a series."""

from datetime import UTC, datetime, time, timedelta

import pytest

from domain.durations import parse
from domain.flow_preview import simulate
from domain.flow_program import compiled
from domain.flow_steps import (
    NextLocal,
    Past,
    Repeat,
    Since,
    Until,
    Wait,
    WaitFor,
)
from domain.flows import Do, Stuck, decide, taken
from domain.flows import Wait as Pending
from tests.domain.flow_play import REPLY, START, TAP, flow, holds, played, reply, send, state

ASK = WaitFor(
    id="answer", awaited=(REPLY, TAP), timeout=parse("2d"), then=(send("thanks"),), on_timeout=(send("again"),)
)


def test_a_repetition_goes_on_until_it_is_enough() -> None:
    daily = Repeat(id="daily", steps=(send("reminder"),), every=parse("1d"), most=3)
    assert played(flow(daily)) == [
        ("0:00:00", "reminder"),
        ("1 day, 0:00:00", "reminder"),
        ("2 days, 0:00:00", "reminder"),
        ("2 days, 0:00:00", "completed"),
    ]


def test_rounds_after_the_first_come_at_their_time_of_day() -> None:
    daily = Repeat(id="daily", steps=(send("reminder"),), every=parse("1d"), most=3, at=time(9))
    assert [when for when, _ in played(flow(daily))][:3] == ["0:00:00", "23:00:00", "1 day, 23:00:00"]


def test_a_repetition_ends_when_its_condition_holds() -> None:
    until = Repeat(id="daily", steps=(send("reminder"),), every=parse("1d"), most=30, until="replied")
    assert [what for _, what in played(flow(until), reply("30h"))] == ["reminder", "reminder", "completed"]


def test_a_repetition_in_a_repetition_begins_anew_each_time() -> None:
    inner = Repeat(id="inner", steps=(send("m"),), every=parse("1h"), most=2)
    outer = Repeat(id="outer", steps=(inner,), every=parse("1d"), most=2)
    sent = [when for when, what in played(flow(outer)) if what == "m"]
    assert sent == ["0:00:00", "1:00:00", "1 day, 0:00:00", "1 day, 1:00:00"]


@pytest.mark.parametrize("every", ["1h", "1d"])
def test_rounds_that_a_standstill_missed_are_not_made_up_for(every: str) -> None:
    program = compiled(flow(Repeat(id="often", steps=(send("m"),), every=parse(every), most=10)))
    first = decide(program, state(), START, holds)
    waiting = decide(program, taken(program, first.state, {}, START), START, holds)
    late = START + 5 * (parse(every).exact + timedelta(days=parse(every).days)) + timedelta(minutes=1)
    again = decide(program, waiting.state, late, holds)
    assert isinstance(again.next, Do)
    assert [(note.kind, note.detail) for note in again.notes] == [("missed", {"rounds": 4}), ("round", {"round": 2})]
    following = decide(program, taken(program, again.state, {}, late), late, holds)
    assert following.next.until == START + 6 * (parse(every).exact + timedelta(days=parse(every).days))  # type: ignore[union-attr] # a wait


def due(days: int) -> Wait:
    offset = parse(f"{days}d", signed=True)
    return Wait(id=f"{days} days", moment=Until(anchor="due_at", offset=offset, at=time(9)), past=Past.SKIP)


DUNNING = flow(due(-7), send("in a week"), due(-1), send("tomorrow"), due(3), send("overdue"))


def test_dates_are_counted_from_an_anchor_at_a_local_time() -> None:
    told = played(DUNNING, anchors={"due_at": datetime(2026, 6, 20, 12, tzinfo=UTC)})
    assert told == [
        ("11 days, 23:00:00", "in a week"),
        ("17 days, 23:00:00", "tomorrow"),
        ("21 days, 23:00:00", "overdue"),
        ("21 days, 23:00:00", "completed"),
    ]


def test_what_was_over_before_it_began_is_skipped() -> None:
    told = played(DUNNING, anchors={"due_at": datetime(2026, 6, 4, 12, tzinfo=UTC)})
    assert [what for _, what in told] == ["tomorrow", "overdue", "completed"]


def test_an_anchor_that_moves_takes_all_waits_along() -> None:
    before = decide(compiled(DUNNING), state(anchors={"due_at": datetime(2026, 6, 20, 12, tzinfo=UTC)}), START, holds)
    moved = state(anchors={"due_at": datetime(2026, 6, 25, 12, tzinfo=UTC)})
    after = decide(compiled(DUNNING), moved, START + timedelta(days=1), holds)
    assert [following.next for following in (before, after)] == [
        Pending(step_id="-7 days", until=datetime(2026, 6, day, 3, 30, tzinfo=UTC)) for day in (13, 18)
    ]


def test_the_next_time_of_day_is_the_recipient_s() -> None:
    morning = Wait(id="morning", moment=NextLocal(at=time(9), weekdays=frozenset({0, 1, 2, 3, 4})))
    friday_noon = datetime(2026, 6, 5, 6, 30, tzinfo=UTC)
    told = simulate(compiled(flow(morning, send("m"))), state(started_at=friday_noon, entered_at=friday_noon), holds)
    assert [entry.at for entry in told if entry.kind == "do"] == [datetime(2026, 6, 8, 3, 30, tzinfo=UTC)]


def test_ninety_days_and_three_channels_are_a_matter_of_decisions() -> None:
    weekly = Repeat(id="weekly", steps=(send("m"), ASK), every=parse("7d"), most=13, at=time(9))
    told = played(flow(weekly))
    assert len([what for _, what in told if what == "m"]) == 13
    assert told[-1][0].startswith("85 days")


def test_a_round_is_no_shorter_than_a_minute() -> None:
    with pytest.raises(ValueError, match="at least a minute"):
        Repeat(id="x", steps=(), every=parse("30s"), most=2)


def test_every_step_has_its_place() -> None:
    named = ["-7 days", "in a week", "-1 days", "tomorrow", "3 days", "overdue"]
    assert compiled(DUNNING).places == {name: place for place, name in enumerate(named)}


def test_a_date_that_a_series_lacks_keeps_it_from_going_on() -> None:
    decision = decide(compiled(DUNNING), state(), START, holds)
    assert decision.next == Stuck(
        step_id="-7 days", reason="anchor_missing", detail="the series has no date 'due_at'; give it one"
    )


MONDAYS = Repeat(id="mondays", steps=(send("m"),), rule="FREQ=WEEKLY;BYDAY=MO,TH", at=time(9), most=4)


def test_a_rule_gives_the_days_and_a_first_day_that_is_over_does_not_count() -> None:
    assert [when for when, what in played(flow(MONDAYS)) if what == "m"] == [
        "2 days, 23:00:00",
        "6 days, 23:00:00",
        "9 days, 23:00:00",
        "13 days, 23:00:00",
    ]


def test_a_rule_without_a_time_keeps_the_one_at_which_it_was_reached() -> None:
    daily = Repeat(id="daily", steps=(send("m"),), rule="FREQ=DAILY", most=2)
    assert [when for when, what in played(flow(daily)) if what == "m"] == ["0:00:00", "1 day, 0:00:00"]


def test_a_rule_counts_from_when_it_was_reached_however_often_it_is_looked_at() -> None:
    weekly = Repeat(id="weekly", steps=(send("m"),), rule="FREQ=WEEKLY;BYDAY=FR", most=2)
    program = compiled(flow(weekly))
    later = decide(program, state(), START + timedelta(hours=30), holds)
    assert later.next == Pending(step_id="weekly", until=START + timedelta(days=4))


def test_a_rule_that_is_over_ends_the_repetition() -> None:
    twice = Repeat(id="twice", steps=(send("m"),), rule="FREQ=DAILY;COUNT=2", most=9)
    assert [what for _, what in played(flow(twice))] == ["m", "m", "completed"]


def test_of_days_that_a_standstill_missed_one_is_taken() -> None:
    program = compiled(flow(Repeat(id="daily", steps=(send("m"),), rule="FREQ=DAILY", most=10)))
    first = decide(program, state(), START, holds)
    late = START + timedelta(days=5, minutes=1)
    again = decide(program, taken(program, first.state, {}, START), late, holds)
    assert isinstance(again.next, Do)
    assert [dict(note.detail) for note in again.notes if note.kind == "missed"] == [{"rounds": 4}]


def test_rounds_without_a_time_take_whatever_is_heard_in_its_order() -> None:
    ask = WaitFor(id="said", awaited=(REPLY,), since=Since.SERIES_START)
    talk = Repeat(id="talk", steps=(ask, send("answer")), most=3)
    assert played(flow(talk), reply("1m"), reply("1m"), reply("2d")) == [
        ("0:01:00", "answer"),
        ("0:01:00", "answer"),
        ("2 days, 0:00:00", "answer"),
        ("2 days, 0:00:00", "completed"),
    ]


def test_rounds_without_a_time_have_to_wait_for_something() -> None:
    with pytest.raises(ValueError, match="begin with something"):
        Repeat(id="fast", steps=(send("m"),), most=3)
