"""A schedule follows from its seed alone, and what it holds can be replayed, treated and judged."""

import json
from collections import Counter
from dataclasses import asdict
from typing import Any

import pytest

import crashpoints
from sandbox.behaviour import Behaviour
from tests.chaos import fates, faults
from tests.chaos.plan import Plan
from tests.chaos.schedule import Schedule, draw

API_COMMITS = ("accept", "callback", "cancel")


def drawn(**more: Any) -> Schedule:
    return draw(Plan(**{"seed": 7, "seconds": 60, **more}))


def test_the_same_seed_draws_the_same_schedule() -> None:
    first, second = (json.dumps(asdict(drawn())) for _ in range(2))
    assert first == second


def test_another_seed_draws_another_schedule() -> None:
    assert drawn().asks != drawn(seed=8).asks
    assert drawn().strikes != drawn(seed=8).strikes


def test_other_faults_leave_the_messages_of_a_seed_as_they_are() -> None:
    def told(schedule: Schedule) -> list[Any]:
        return [(ask.number, ask.at, ask.tenant) for ask in schedule.asks[:1]]

    assert told(drawn(faults=("kill-api",))) == told(drawn(faults=("kill-worker",)))
    assert drawn(faults=("kill-api",)).asks == drawn(faults=("kill-worker",)).asks


def test_a_campaign_of_a_minute_strikes_in_most_ways_and_only_in_known_ones() -> None:
    names = {strike.name for strike in drawn().strikes}
    assert names <= set(faults.STRIKES)
    assert len(names) > len(faults.STRIKES) * 2 / 3


def test_all_seeds_together_strike_in_every_way_and_reach_for_every_crash_point() -> None:
    strikes = [strike for seed in range(200) for strike in drawn(seed=seed, rate=1).strikes]
    assert {strike.name for strike in strikes} == set(faults.STRIKES)
    points = {strike.crash_point.partition(":")[0] for strike in strikes if strike.crash_point}
    assert points == set(crashpoints.NAMES)
    assert all(crashpoints.parse(strike.crash_point) for strike in strikes if strike.crash_point)
    in_api = {strike.crash_point.partition(":")[0] for strike in strikes if strike.crash_point and strike.in_api}
    assert in_api == {f"{when}_{what}_commit" for when in ("before", "after") for what in API_COMMITS}


def test_messages_differ_in_everything_that_is_promised_something_about() -> None:
    asks = drawn(seconds=300).asks
    assert {ask.tenant for ask in asks} == {0, 1, 2}
    assert {ask.on_unknown for ask in asks} == {"prefer_silence", "prefer_duplicate"}
    assert {ask.channels for ask in asks} == {("whatsapp",), ("email",), ("whatsapp", "email")}
    for habit in ("known", "fallback", "expires_in", "send_in", "other_body", "cancel_after", "cancel_by_key", "bulk"):
        assert {bool(getattr(ask, habit)) for ask in asks} == {True, False}, habit
    assert max(ask.repeats for ask in asks) > 1
    assert len({ask.key for ask in asks}) == len({ask.phone for ask in asks}) == len(asks)


def test_a_message_s_fate_can_be_read_from_its_address() -> None:
    for fate in fates.FATES:
        address = (fates.phone if fate.channel == fates.WHATSAPP else fates.mailbox)(fate.code, 1, 2)
        assert fates.fate_of(fate.channel, address) == fate
    assert fates.fate_of(fates.WHATSAPP, fates.phone(fates.ORDINARY, 0, 0)) is None
    assert fates.fate_of(fates.EMAIL, "somebody@example.com") is None


def test_every_fault_of_single_messages_has_a_fate_and_the_sandbox_takes_their_rules() -> None:
    assert {fate.fault for fate in fates.FATES} == set(faults.FATES)
    rules = Behaviour.model_validate(fates.behaviour(1)).rules
    assert [rule.name for rule in rules] == [f"{fate.channel}-{fate.code}" for fate in fates.FATES]


def test_only_the_faults_that_were_asked_for_are_drawn() -> None:
    schedule = drawn(faults=("kill-worker", "answers-lost"))
    assert {strike.name for strike in schedule.strikes} == {"kill-worker"}
    met = Counter(fate.fault for ask in schedule.asks if (fate := fates.fate_of(fates.WHATSAPP, ask.phone)) is not None)
    assert set(met) == {"answers-lost"}


def test_a_fault_that_does_not_exist_is_named() -> None:
    with pytest.raises(ValueError, match="'kill-moon' is no fault"):
        drawn(faults=("kill-moon",))
