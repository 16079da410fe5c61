"""Asking for consent as a step of a flow."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import time, timedelta
from typing import Any

import pytest

from domain.consent import Choice, State
from domain.durations import parse
from domain.flow_consents import standing_among
from domain.flow_events import every_step
from domain.flow_needs import calendars_of, questions_of, standing_by_topic
from domain.flow_preview import simulate
from domain.flow_program import compiled
from domain.flow_state import Heard, SeriesState
from domain.flow_steering import again, skipped
from domain.flow_steps import Confirm, Flow, NextLocal, Wait
from domain.flows import Do, decide, taken
from domain.flows import Wait as Pending
from domain.quiet_hours import InQuiet, Quiet
from domain.recipients import Channel
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
    return taken(program, decision.state, {"notification_id": "1", "confirms": "news"}, START)


@pytest.mark.parametrize(("standing", "step"), [("granted", "welcome"), ("denied", "pity")])
def test_what_was_chosen_elsewhere_while_it_waits_counts_too(standing: str, step: str) -> None:
    waiting = asked()
    waits = decide(compiled(FLOW), waiting, START, holds).next
    assert isinstance(waits, Pending)
    assert waits.until == START + timedelta(days=2)
    assert [(one.kind, one.name) for one in waits.awaited] == [("event", "consent.confirmed"), ("consent", "news")]
    changed = replace(waiting, consents={"ask": standing})
    decision = decide(compiled(FLOW), changed, START, holds)
    assert isinstance(decision.next, Do)
    assert decision.next.step.id == step
    assert [(note.kind, note.detail["state"]) for note in decision.notes] == [("consent", standing)]
    assert decision.state.outcomes["ask"] == {"consent": standing}


@pytest.mark.parametrize(("channel", "step"), [("whatsapp", None), ("email", "welcome"), (None, "welcome")])
def test_a_confirmation_for_another_channel_does_not_count(channel: str | None, step: str | None) -> None:
    program = compiled(flow(replace(ASK, channel=Channel.EMAIL)))
    heard = asked().hear(confirmed("1h", topic="news", channel=channel))
    decided = decide(program, heard, at("1h"), holds).next
    assert (decided.step.id if isinstance(decided, Do) else None) == step


def test_a_confirmation_that_came_before_the_question_does_not_count() -> None:
    program = compiled(FLOW)
    before = asked().after("ask", {"consent": "timeout"}).hear(confirmed("1h", topic="news"))
    decided = decide(program, before.at(program.places["ask"], START), at("1h"), holds).next
    assert isinstance(decided, Do)
    assert decided.step.id == "ask"


@pytest.mark.parametrize("mode", list(InQuiet))
def test_the_question_waits_until_the_quiet_is_over(mode: InQuiet) -> None:
    night = START + timedelta(hours=12)
    quiet = flow(ASK, quiet=Quiet(hours=NIGHT, mode=mode))
    waits = decide(compiled(quiet), state(), night, holds).next
    assert isinstance(waits, Pending)
    assert waits.until == START + timedelta(hours=23)


@pytest.mark.parametrize(("standing", "step"), [("granted", "welcome"), ("denied", "pity")])
def test_what_was_chosen_while_the_question_was_held_is_not_asked_any_more(standing: str, step: str) -> None:
    program = compiled(flow(ASK, quiet=Quiet(hours=NIGHT)))
    held = decide(program, state(), START + timedelta(hours=12), holds)
    assert isinstance(held.next, Pending)
    decided = decide(program, replace(held.state, consents={"ask": standing}), START + timedelta(hours=23), holds)
    assert isinstance(decided.next, Do)
    assert decided.next.step.id == step
    assert decided.state.outcomes["ask"] == {"consent": standing}


def test_who_was_asked_is_not_asked_again_by_another_version() -> None:
    program = compiled(flow(send("first"), ASK))
    waits = decide(program, replace(asked(), place=program.places["ask"]), START + timedelta(days=1), holds).next
    assert isinstance(waits, Pending)
    assert waits.until == START + timedelta(days=2)


def test_another_version_that_asks_about_something_else_asks() -> None:
    program = compiled(flow(replace(ASK, topic="offers")))
    decided = decide(program, replace(asked(), place=0), START, holds).next
    assert isinstance(decided, Do)
    assert decided.step.id == "ask"


def test_a_question_is_asked_again_where_somebody_wants_it() -> None:
    program = compiled(FLOW)
    decided = decide(program, again(program, asked(), "ask", START), START, holds).next
    assert isinstance(decided, Do)
    assert decided.step.id == "ask"


@pytest.mark.parametrize("place", range(3), ids=["not reached", "held", "asked"])
def test_a_question_that_somebody_skips_counts_as_not_answered(place: int) -> None:
    program = compiled(FLOW)
    following = skipped(program, state(place=place), START)
    assert following.outcomes["ask"] == {"consent": "timeout", "skipped": "by_person"}
    decided = decide(program, following, START, holds).next
    assert isinstance(decided, Do)
    assert decided.step.id == "reminder"


def test_steps_of_all_answers_are_steps_of_the_flow() -> None:
    assert [step.id for step in every_step(FLOW.steps)] == ["ask", "welcome", "pity", "reminder", "after"]


def test_a_preview_says_what_is_asked() -> None:
    first = simulate(compiled(Flow(name="one", steps=(ASK,))), state(), holds)[0]
    assert first.detail == {"send": "confirm_news", "confirms": "news"}


EMAIL, WHATSAPP = Channel.EMAIL, Channel.WHATSAPP


def chose(what: State, channel: Channel | None = None, topic: str | None = "news", day: int = 0) -> Choice:
    return Choice(channel=channel, topic=topic, state=what, at=START + timedelta(days=day))


@pytest.mark.parametrize(
    ("asked_for", "choices", "expected"),
    [
        (None, [], "unset"),
        (None, [chose(State.PENDING)], "unset"),
        (None, [chose(State.GRANTED)], "granted"),
        (None, [chose(State.DENIED), chose(State.GRANTED, EMAIL)], "granted"),
        (None, [chose(State.DENIED, EMAIL)], "unset"),
        (None, [chose(State.GRANTED), chose(State.DENIED, topic=None, channel=EMAIL)], "granted"),
        (None, [chose(State.DENIED)], "denied"),
        (WHATSAPP, [chose(State.GRANTED, EMAIL)], "unset"),
        (WHATSAPP, [chose(State.GRANTED)], "granted"),
        (WHATSAPP, [chose(State.DENIED, WHATSAPP, None), chose(State.UNSET, WHATSAPP)], "denied"),
        (WHATSAPP, [chose(State.PENDING, WHATSAPP), chose(State.DENIED, WHATSAPP, None, day=1)], "denied"),
        (EMAIL, [chose(State.PENDING, EMAIL), chose(State.GRANTED, day=1)], "granted"),
        (EMAIL, [chose(State.PENDING, EMAIL), chose(State.DENIED, day=1)], "denied"),
        (
            None,
            [chose(State.DENIED, WHATSAPP, None), chose(State.PENDING, day=1), chose(State.DENIED, EMAIL, None, day=2)],
            "denied",
        ),
        (None, [chose(State.GRANTED, None, None), chose(State.PENDING, day=1)], "unset"),
    ],
    ids=[
        "nothing", "only asked", "yes", "yes over one channel", "no over one of two", "a topic outranks a channel",
        "no", "yes over another channel", "yes to all", "a stop",
        "a stop after the question", "yes to the topic after the question", "no to the topic after the question",
        "a stop before the question and one after it", "asked once more since",
    ],
)  # fmt: skip
def test_what_stands_of_a_consent(asked_for: Channel | None, choices: list[Choice], expected: str) -> None:
    assert standing_among(replace(ASK, channel=asked_for), (EMAIL, WHATSAPP), choices) == expected


def test_what_a_flow_asks_of_elsewhere_is_known_without_playing_it() -> None:
    nine = Wait(id="nine", moment=NextLocal(at=time(9), holidays="india"))
    nested = replace(ASK, then=(nine, Wait(id="ten", moment=NextLocal(at=time(10)))))
    asking = flow(nested, quiet=Quiet(hours=NIGHT, holidays="bavaria"))
    assert calendars_of(asking) == {"india", "bavaria"}
    assert questions_of(asking) == (nested,)
    assert calendars_of(flow(send("hello"))) == frozenset()
    assert standing_by_topic(asking, {"news": "granted", "offers": "denied"}) == {"ask": "granted"}
    assert standing_by_topic(asking, {}) == {}
