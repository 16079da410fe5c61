"""Quiet hours of a flow: looked at when a message is due, in the recipient's own time."""

from dataclasses import replace
from datetime import datetime, time, timedelta

import pytest

from domain.flow_preview import simulate
from domain.flow_program import compiled
from domain.flow_steps import Flow, NextLocal
from domain.flow_steps import Wait as Steps
from domain.flows import Do, Stuck, Wait, decide
from domain.holidays import Holidays
from domain.quiet_hours import InQuiet, Quiet, QuietHours
from tests.domain.flow_play import START, flow, holds, played, send, state, wait

NIGHT = QuietHours(start=time(20), end=time(9))
# It begins at 10:00 in Kolkata; twelve hours later it is night there.
TWICE = (send("morning"), wait("until night", "12h"), send("night"), send("after"))


def with_quiet(mode: InQuiet) -> Flow:
    return flow(*TWICE, quiet=Quiet(hours=NIGHT, mode=mode))


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (InQuiet.HOLD_SERIES, [("0:00:00", "morning"), ("23:00:00", "night"), ("23:00:00", "after")]),
        (InQuiet.HOLD, [("0:00:00", "morning"), ("12:00:00", "night"), ("12:00:00", "after")]),
        (InQuiet.SKIP, [("0:00:00", "morning")]),
    ],
    ids=["the series waits", "the messages wait", "the messages are left out"],
)
def test_what_is_due_at_night(mode: InQuiet, expected: list[tuple[str, str]]) -> None:
    assert [entry for entry in played(with_quiet(mode)) if entry[1] != "completed"] == expected


def test_a_message_that_is_held_says_until_when() -> None:
    program = compiled(with_quiet(InQuiet.HOLD))
    night = START + timedelta(hours=12)
    decision = decide(program, state(place=2), night, holds)
    assert isinstance(decision.next, Do)
    assert decision.next.not_before == START + timedelta(hours=23)
    assert [(note.kind, note.detail["mode"]) for note in decision.notes] == [("quiet", "hold")]


def test_a_critical_message_does_not_ask() -> None:
    night = START + timedelta(hours=12)
    urgent = flow(replace(send("alarm"), critical=True), quiet=Quiet(hours=NIGHT))
    decided = decide(compiled(urgent), state(), night, holds).next
    assert isinstance(decided, Do)
    assert decided.not_before is None


@pytest.mark.parametrize(
    ("zone", "expected"),
    [("Asia/Kolkata", True), ("Europe/Berlin", False), ("America/New_York", True)],
)
def test_it_is_the_recipient_s_night_that_counts(zone: str, expected: bool) -> None:  # noqa: FBT001 - what is expected
    evening = datetime.fromisoformat("2026-06-01T15:30:00+00:00") if zone != "America/New_York" else START
    decided = decide(compiled(flow(send("hello"), quiet=Quiet(hours=NIGHT))), state(zone=zone), evening, holds).next
    assert isinstance(decided, Wait) is expected


def test_what_waited_for_the_end_of_quiet_is_let_go_in_its_own_part_of_the_spread() -> None:
    spread = Quiet(hours=NIGHT, spread=timedelta(hours=1))
    program, facts = compiled(flow(send("hello"), quiet=spread)), {"series": {"id": "a"}}
    night, end = START + timedelta(hours=12), START + timedelta(hours=23)
    standing = state(facts=facts, entered_at=night)
    first = decide(program, standing, night, holds).next
    assert isinstance(first, Wait)
    assert first.until is not None
    assert end < first.until < end + timedelta(hours=1)
    assert first.spread == timedelta(hours=1)
    # Woken between the end of the quiet and its part, it goes on waiting for that.
    assert decide(program, standing, end + timedelta(seconds=1), holds).next == first
    assert isinstance(decide(program, standing, first.until, holds).next, Do)


def test_a_preview_shows_how_long_the_spread_is() -> None:
    spread = Quiet(hours=NIGHT, spread=timedelta(minutes=30))
    entries = simulate(compiled(flow(*TWICE, quiet=spread)), state(), holds)
    (held,) = [entry for entry in entries if entry.kind == "wait" and entry.step_id == "night"]
    assert held.detail is not None
    assert held.detail["spread"] == "0:30:00"


def test_a_holiday_that_was_added_meanwhile_holds_what_is_due() -> None:
    quiet = Quiet(hours=NIGHT, holidays="india")
    program = compiled(flow(send("hello"), quiet=quiet))
    off = {"india": Holidays(dates=frozenset({START.date()}))}
    assert isinstance(decide(program, state(calendars={"india": Holidays()}), START, holds).next, Do)
    held = decide(program, state(calendars=off), START, holds).next
    assert isinstance(held, Wait)
    assert held.until == START + timedelta(hours=23)


def test_a_wait_for_a_time_of_day_leaves_holidays_out() -> None:
    nine = Steps(id="nine", moment=NextLocal(at=time(9), holidays="india"))
    off = {"india": Holidays(dates=frozenset({START.date() + timedelta(days=1)}))}
    waits = decide(compiled(flow(nine)), state(calendars=off), START, holds).next
    assert isinstance(waits, Wait)
    assert waits.until == START + timedelta(days=1, hours=23)


@pytest.mark.parametrize(
    "definition",
    [
        flow(send("hello"), quiet=Quiet(hours=NIGHT, holidays="mars")),
        flow(Steps(id="nine", moment=NextLocal(at=time(9), holidays="mars"))),
    ],
    ids=["of quiet hours", "of a wait"],
)
def test_a_calendar_that_is_not_there_stops_the_series(definition: Flow) -> None:
    stuck = decide(compiled(definition), state(), START, holds).next
    assert isinstance(stuck, Stuck)
    assert stuck.reason == "calendar_missing"
    assert "'mars'" in stuck.detail
