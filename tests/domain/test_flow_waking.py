"""What may wake a series where it stands, before it has looked there."""

from datetime import timedelta

import pytest

from domain.durations import Span
from domain.flow_program import compiled
from domain.flow_steps import Awaited, Branch, Case, Confirm, Digest, Repeat, WaitFor
from domain.flow_waking import awaited_at
from tests.domain.flow_play import REPLY, TAP, flow, send, wait

ANSWER = WaitFor(id="answer", awaited=(REPLY,), then=(send("thanks"),))
WORD = WaitFor(id="word", awaited=(REPLY,))
CHOICE = WaitFor(id="choice", awaited=(TAP,))
ASK = Confirm(id="ask", template="confirm", topic="news", timeout=Span(days=1))
COLLECT = Digest(id="collect", events=("order.*",), window=Span(exact=timedelta(hours=1)))
FORK = Branch(id="fork", cases=(Case(when="a == 1", steps=(WORD,)),), otherwise=(COLLECT,))
AGAIN = Repeat(id="again", steps=(CHOICE,), most=3)
PROGRAM = compiled(flow(send("first"), wait("a_day", "1d"), ANSWER, ASK, FORK, AGAIN))
ORDERS = Awaited(kind="event", name="order.*")
CONFIRMED, CHANGED = Awaited(kind="event", name="consent.confirmed"), Awaited(kind="consent", name="news")


@pytest.mark.parametrize(
    ("step", "awaited"),
    [
        ("first", ()),
        ("a_day", ()),
        ("answer", (REPLY,)),
        ("ask", (CONFIRMED, CHANGED)),
        ("fork", (REPLY, ORDERS)),
        ("again", (TAP,)),
    ],
)
def test_what_wakes_a_series_is_known_before_it_looks(step: str, awaited: tuple[Awaited, ...]) -> None:
    assert awaited_at(PROGRAM, PROGRAM.places[step]) == awaited


def test_what_comes_at_once_after_steps_in_a_step_is_known() -> None:
    behind_thanks = PROGRAM.places["thanks"] + 1
    assert awaited_at(PROGRAM, behind_thanks) == (CONFIRMED, CHANGED)
    behind_the_choice = PROGRAM.places["choice"] + 1  # back to the repetition, and round in a circle
    assert awaited_at(PROGRAM, behind_the_choice) == (TAP,)


def test_behind_its_end_nothing_wakes_it() -> None:
    assert awaited_at(PROGRAM, len(PROGRAM.instructions)) == ()
