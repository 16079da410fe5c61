"""Which events a flow is on for, and which ones its series listen to."""

import pytest

from domain.durations import parse
from domain.flow_events import every_step, fits, heard_events, most_exact
from domain.flow_steps import Awaited, Branch, Case, Digest, Repeat, WaitFor
from tests.domain.flow_play import flow, send

PAID = Awaited(kind="event", name="order.paid")
ANY = Awaited(kind="event")


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("order.placed", "order.placed", True),
        ("order.placed", "order.placed.again", False),
        ("order.*", "order.placed", True),
        ("order.*", "orders.placed", False),
        ("order*", "orders.placed", True),
        ("*", "anything", True),
    ],
)
def test_a_pattern_is_a_name_or_its_beginning(pattern: str, name: str, expected: bool) -> None:  # noqa: FBT001 - what is expected
    assert fits(pattern, name) is expected


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["*", "order.*", "order.placed"], "order.placed"),
        (["order.placed*", "order.placed"], "order.placed"),
        (["*", "order.*", "order.p*"], "order.p*"),
        (["invoice.*"], None),
        ([], None),
    ],
    ids=["the name itself", "the name before a longer beginning", "the longest beginning", "none fits", "none"],
)
def test_the_pattern_that_says_most_counts(patterns: list[str], expected: str | None) -> None:
    assert most_exact(patterns, "order.placed") == expected


def test_a_flow_listens_to_what_any_of_its_steps_waits_for() -> None:
    inner = WaitFor(id="inner", awaited=(Awaited(kind="event", name="a"), Awaited(kind="reply")))
    choice = Branch(id="choice", cases=(Case(when="true", steps=(inner,)),), otherwise=(send("other"),))
    outer = WaitFor(id="outer", awaited=(Awaited(kind="event", name="b"),), then=(choice,), on_timeout=())
    rounds = Repeat(
        id="rounds", steps=(Digest(id="all", events=("c", "d.*"), window=parse("1m")),), every=parse("1d"), most=2
    )
    made = flow(outer, rounds, stop_when=(PAID, Awaited(kind="reply")))
    assert heard_events(made) == ("a", "b", "c", "d.*", "order.paid")
    assert [step.id for step in every_step(made.steps)] == ["outer", "choice", "inner", "other", "rounds", "all"]


def test_an_event_without_a_name_is_any_event() -> None:
    assert heard_events(flow(send("hello"), stop_when=(ANY,))) == ("*",)
