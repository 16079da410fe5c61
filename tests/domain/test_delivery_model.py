"""Every reachable world of the delivery protocol keeps its promises; the model is in `delivery_model.py`."""

from dataclasses import replace

import pytest

from domain.notifications import OnUnknown, Plan
from domain.status import Status
from tests.domain.delivery_model import HOP, World, claim_send_record, complaints, explore, send_then_record


@pytest.mark.parametrize("policy", OnUnknown)
def test_the_protocol_keeps_its_promises_in_every_reachable_world(policy: OnUnknown) -> None:
    plan = Plan(hops=(HOP,), on_unknown=policy)
    worlds = explore(plan, claim_send_record)
    assert complaints(worlds, plan) == []
    assert any(world.ended is Status.UNKNOWN for world in worlds)
    assert any(world.ended is Status.FAILED for world in worlds)
    assert {len(world.attempts) for world in worlds} == {0, 1, 2, 3}


@pytest.mark.parametrize("policy", OnUnknown)
def test_parking_and_resuming_keep_the_promises_too(policy: OnUnknown) -> None:
    plan = Plan(hops=(replace(HOP, max_attempts=2),), on_unknown=policy)
    worlds = explore(plan, claim_send_record, World(resumptions=1, crashes=1))
    assert complaints(worlds, plan) == []
    assert any(world.ended is Status.CANCELLED for world in worlds), "somebody drops one"
    assert any(world.resumptions == 0 and world.ended is Status.ACCEPTED for world in worlds), "or resumes it"


def test_preferring_a_duplicate_can_duplicate_and_says_so() -> None:
    worlds = explore(Plan(hops=(HOP,), on_unknown=OnUnknown.PREFER_DUPLICATE), claim_send_record)
    doubled = [world for world in worlds if len(world.accepted) > 1]
    assert doubled
    assert all(world.flagged for world in doubled)


def test_the_model_catches_a_protocol_that_sends_before_it_records() -> None:
    plan = Plan(hops=(HOP,))
    found = set(complaints(explore(plan, send_then_record), plan))
    assert "accepted twice although silence is preferred" in found
    assert "a duplicate that nobody was told about" in found
    assert "called failed although accepted" in found
