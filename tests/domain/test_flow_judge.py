"""What conditions saw stands beside what they came to, so that a timeline can say why."""

from typing import Any

import pytest

from domain.conditions import holds
from domain.durations import parse
from domain.flow_judge import seen
from domain.flow_program import compiled
from domain.flow_state import SeriesState
from domain.flow_steps import Branch, Case, Repeat
from domain.flows import decide, taken
from tests.domain.flow_play import START, flow, send

FACTS: dict[str, Any] = {
    "data": {"name": "Asha", "amount": 3.5, "paid": False, "lines": [1, 2], "address": {"city": "Pune", "zip": None}},
    "outcomes": {"ask": {"status": 200}},
    "heard": [{"kind": "reply"}],
}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ('data.name == "Asha"', {"data.name": "Asha"}),
        ("data.amount > 3 && !data.paid", {"data.amount": 3.5, "data.paid": False}),
        ("data.address.city == 'data.name'", {"data.address.city": "Pune"}),
        ("has(data.nothing) || data.address.zip == null", {"data.nothing": None, "data.address.zip": None}),
        ("size(data.lines) > 1 && data.address != null", {"data.lines": "2 entries", "data.address": "2 entries"}),
        ("data.name.startsWith('A') && heard.size() > 0", {"data.name": "Asha", "heard": "1 entries"}),
        ("outcomes.ask.status == 200", {"outcomes.ask.status": 200}),
        ("1.5 > 1.0 && true", {}),
        ("heard.exists(one, one.kind == 'reply')", {"heard": "1 entries"}),
    ],
)
def test_the_values_that_a_condition_names_are_seen(condition: str, expected: dict[str, Any]) -> None:
    assert seen(condition, FACTS) == expected


def test_what_was_seen_is_told_in_short() -> None:
    long = seen("data.text != ''", {"data": {"text": "x" * 1000}})
    assert long == {"data.text": "x" * 200}
    assert seen("data.odd != ''", {"data": {"odd": 1 + 2j}}) == {"data.odd": "(1+2j)"}
    many = seen(" || ".join(f"data.n{number}" for number in range(50)), {"data": {}})
    assert len(many) == 20


def _state(**data: object) -> SeriesState:
    return SeriesState(started_at=START, entered_at=START, facts={"data": data})


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Asha", (0, [True])), ("Ravi", (1, [False, True])), ("Mira", (None, [False, False]))],
)
def test_a_branch_tells_every_condition_that_it_judged(name: str, expected: tuple[int | None, list[bool]]) -> None:
    cases = (Case(when='data.name == "Asha"', steps=()), Case(when='data.name == "Ravi"', steps=()))
    decision = decide(compiled(flow(Branch(id="who", cases=cases))), _state(name=name), START, holds)
    (note,) = decision.notes
    assert (note.kind, note.detail["case"]) == ("branch", expected[0])
    assert [one["holds"] for one in note.detail["judged"]] == expected[1]
    assert all(one["saw"] == {"data.name": name} for one in note.detail["judged"])


def test_a_repetition_tells_why_it_was_enough() -> None:
    step = Repeat(id="nag", steps=(send("again"),), every=parse("1d"), most=5, until="data.paid")
    program = compiled(flow(step))
    first = decide(program, _state(paid=False), START, holds)
    assert [note.kind for note in first.notes] == ["round"]
    again = taken(program, first.state, {}, START)
    paid = decide(
        program,
        SeriesState(
            started_at=START, entered_at=START, place=again.place, rounds=again.rounds, facts={"data": {"paid": True}}
        ),
        START,
        holds,
    )
    assert [(note.kind, note.detail) for note in paid.notes] == [
        ("until", {"when": "data.paid", "holds": True, "saw": {"data.paid": True}})
    ]
