"""Quiet hours of a flow: looked at when a message is due, in the recipient's own time."""

from dataclasses import replace
from datetime import datetime, time, timedelta

import pytest

from domain.calendar import QuietHours
from domain.flow_program import compiled
from domain.flow_steps import Flow, InQuiet, Quiet
from domain.flows import Do, Wait, decide
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
