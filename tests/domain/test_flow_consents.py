"""Asking for consent as a step of a flow."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from domain.durations import parse
from domain.flow_events import every_step
from domain.flow_preview import simulate
from domain.flow_program import compiled
from domain.flow_state import Heard, SeriesState
from domain.flow_steering import skipped
from domain.flow_steps import Confirm, Flow
from domain.flows import Do, Wait, decide, taken
from domain.quiet_hours import InQuiet, Quiet
from tests.domain.flow_play import START, at, flow, holds, played, send, state
from tests.domain.test_flow_quiet import NIGHT

ASK = Confirm(
    id="ask",
    template="confirm_news",
    topic="news",
    timeout=parse("2d"),
    then=(send("welcome"),),
    on_denied=(send("pity"),),
    on_timeout=(send("reminder"),),
)
FLOW = flow(ASK, send("after"))


def confirmed(after: str, **data: Any) -> Heard:
    return Heard(kind="event", name="consent.confirmed", at=at(after), data=data)


@pytest.mark.parametrize(
    ("script", "standing", "expected"),
    [
        ((), {"ask": "granted"}, [("0:00:00", "welcome"), ("0:00:00", "after")]),
        ((), {"ask": "denied"}, [("0:00:00", "pity"), ("0:00:00", "after")]),
        ((confirmed("1h"),), {}, [("0:00:00", "ask"), ("1:00:00", "welcome"), ("1:00:00", "after")]),
        (
            (confirmed("1h", topic="offers"),),
            {"ask": "pending"},
            [("0:00:00", "ask"), ("2 days, 0:00:00", "reminder"), ("2 days, 0:00:00", "after")],
        ),
    ],
    ids=["who consented is not asked", "who refused is not asked", "who confirms", "who confirms something else"],
)
def test_a_flow_goes_on_by_the_answer(
    script: tuple[Heard, ...], standing: Mapping[str, str], expected: list[tuple[str, str]]
) -> None:
    assert [one for one in played(FLOW, *script, consents=standing) if one[1] != "completed"] == expected


def asked() -> SeriesState:
    program = compiled(FLOW)
    decision = decide(program, state(), START, holds)
    assert isinstance(decision.next, Do)
    assert decision.next.step == ASK
    return taken(program, decision.state, {"notification_id": "1"}, START)


@pytest.mark.parametrize(("standing", "step"), [("granted", "welcome"), ("denied", "pity")])
def test_what_was_chosen_elsewhere_while_it_waits_counts_too(standing: str, step: str) -> None:
    waiting = asked()
    waits = decide(compiled(FLOW), waiting, START, holds).next
    assert isinstance(waits, Wait)
    assert waits.until == START + timedelta(days=2)
    assert [(one.kind, one.name) for one in waits.awaited] == [("event", "consent.confirmed"), ("consent", "news")]
    changed = SeriesState(
        **{name: getattr(waiting, name) for name in SeriesState.__dataclass_fields__} | {"consents": {"ask": standing}}
    )
    decision = decide(compiled(FLOW), changed, START, holds)
    assert isinstance(decision.next, Do)
    assert decision.next.step.id == step
    assert [(note.kind, note.detail["state"]) for note in decision.notes] == [("consent", standing)]
    assert decision.state.outcomes["ask"] == {"consent": standing}


@pytest.mark.parametrize("mode", list(InQuiet))
def test_the_question_waits_until_the_quiet_is_over(mode: InQuiet) -> None:
    night = START + timedelta(hours=12)
    quiet = flow(ASK, quiet=Quiet(hours=NIGHT, mode=mode))
    waits = decide(compiled(quiet), state(), night, holds).next
    assert isinstance(waits, Wait)
    assert waits.until == START + timedelta(hours=23)


def test_a_question_that_somebody_skips_counts_as_not_answered() -> None:
    program = compiled(FLOW)
    decided = decide(program, skipped(program, asked(), START), START, holds).next
    assert isinstance(decided, Do)
    assert decided.step.id == "reminder"


def test_steps_of_all_answers_are_steps_of_the_flow() -> None:
    assert [step.id for step in every_step(FLOW.steps)] == ["ask", "welcome", "pity", "reminder", "after"]


def test_a_preview_says_what_is_asked() -> None:
    first = simulate(compiled(Flow(name="one", steps=(ASK,))), state(), holds)[0]
    assert first.detail == {"send": "confirm_news", "confirms": "news"}
