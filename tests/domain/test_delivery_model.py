"""The delivery protocol, explored exhaustively: three attempts, two crashes, lost answers, lost and late receipts.

The decisions are the product's own (`domain.routing`, `domain.status`); claim, send and record are modelled as the
small steps between which a process can die. Limits of the model: one hop, one message, and no process that is paused
after its claim and goes on after the quarantine; such a process can still send late, and no protocol without the
provider's help can prevent it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest

from domain.notifications import Delivered, Hop, OnUnknown, Outcome, Plan
from domain.recipients import Channel
from domain.routing import Finish, HopProgress, NextHop, Progress, Send, Wait, decide
from domain.status import Status, advance, after_attempt

START = datetime(2026, 11, 21, tzinfo=UTC)
HOP = Hop(
    index=0, channel=Channel.WHATSAPP, provider="meta", account_id="a", address_id=None, locale="en", max_attempts=3
)
STATUSES = {Outcome.ACCEPTED: Status.ACCEPTED, Outcome.REFUSED: Status.REJECTED, Outcome.UNKNOWN: Status.UNKNOWN}


@dataclass(frozen=True)
class World:
    """Everything there is: the database, the provider, the workflow, and the crashes that may still come."""

    attempts: tuple[Outcome | None, ...] = ()  # None is a row in state `sending`
    flagged: frozenset[int] = frozenset()
    accepted: tuple[int, ...] = ()  # the provider's own truth, one entry per acceptance
    receipts: frozenset[int] = frozenset()  # sent by the provider, not arrived yet
    status: Status = Status.QUEUED
    progress: Progress = field(default_factory=Progress)
    clock: datetime = START
    crashes: int = 2
    ended: Status | None = None


Answer = tuple[Outcome, bool]  # how the attempt looks to us, and whether the provider took it
ANSWERS: tuple[Answer, ...] = (
    (Outcome.ACCEPTED, True),
    (Outcome.UNKNOWN, True),  # accepted, and the answer got lost
    (Outcome.UNKNOWN, False),  # the connection broke before the provider acted
    (Outcome.NOT_SENT, False),
    (Outcome.REFUSED, False),
)


def moves(world: World, plan: Plan, send: "Sender") -> Iterator[World]:
    """Yields every world that can come next."""
    for number in world.receipts:
        yield _receive(world, number, heard=True)
        yield _receive(world, number, heard=False)
    if world.ended is not None:
        return
    step = decide(plan, world.progress, world.clock)
    match step:
        case Finish():
            # Ending closes what a dead process left open: news may come between its death and its next execution.
            attempts = tuple(outcome or Outcome.UNKNOWN for outcome in world.attempts)
            yield replace(world, attempts=attempts, ended=step.status, status=advance(world.status, step.status))
        case Wait():
            later = replace(world, clock=step.until)
            yield _hear(later, world.status)
        case Send():
            yield from send(world, step)
        case NextHop():
            pytest.fail("a plan of one hop has no next one")


def claim_send_record(world: World, step: Send) -> Iterator[World]:
    """The protocol: claim, then send, then record; a row found in state `sending` is doubt."""
    index = step.number - 1
    if index < len(world.attempts):
        found = world.attempts[index] or Outcome.UNKNOWN
        yield _recorded(world, step, found)
        return
    flagged = world.flagged | {step.number} if step.possible_duplicate else world.flagged
    claimed = replace(world, attempts=(*world.attempts, None), flagged=flagged)
    if world.crashes:
        yield replace(claimed, crashes=world.crashes - 1)
    for outcome, taken in ANSWERS:
        sent = _provider_takes(claimed, step.number) if taken else claimed
        if world.crashes:
            yield replace(sent, crashes=world.crashes - 1)
        yield _recorded(sent, step, outcome)


def send_then_record(world: World, step: Send) -> Iterator[World]:
    """What many systems do: send first, write afterwards, and try again whenever the answer was not a yes."""
    for outcome, taken in ANSWERS:
        sent = _provider_takes(world, step.number) if taken else world
        if world.crashes:
            yield replace(sent, crashes=world.crashes - 1)
        seen = Outcome.NOT_SENT if outcome is Outcome.UNKNOWN else outcome
        yield _recorded(replace(sent, attempts=(*world.attempts, None)), step, seen)


Sender = Callable[[World, Send], Iterator[World]]


def _provider_takes(world: World, number: int) -> World:
    return replace(world, accepted=(*world.accepted, number), receipts=world.receipts | {number})


def _recorded(world: World, step: Send, outcome: Outcome) -> World:
    """Writes an outcome; what a receipt proved meanwhile is never taken back."""
    index = min(step.number, len(world.attempts)) - 1
    settled = Outcome.ACCEPTED if world.attempts[index] is Outcome.ACCEPTED else outcome
    attempts = (*world.attempts[:index], settled, *world.attempts[index + 1 :])
    status = after_attempt(world.status, STATUSES.get(settled, Status.QUEUED))
    state = world.progress.hop(0)
    told = Delivered(outcome=settled, status=status, at=world.clock)
    heard = HopProgress(
        attempts=step.number,
        last=told,
        status=advance(state.status, status),
        doubtful=state.doubtful or settled is Outcome.UNKNOWN,
    )
    return replace(world, attempts=attempts, status=status, progress=world.progress.with_hop(0, heard))


def _receive(world: World, number: int, *, heard: bool) -> World:
    """A receipt arrives: it settles its attempt, advances the message, and its signal may get lost."""
    attempts = list(world.attempts)
    if number <= len(attempts) and attempts[number - 1] in {None, Outcome.UNKNOWN}:
        attempts[number - 1] = Outcome.ACCEPTED
    status = advance(world.status, Status.SENT)
    arrived = replace(world, attempts=tuple(attempts), status=status, receipts=world.receipts - {number})
    return _hear(arrived, status) if heard and world.ended is None else arrived


def _hear(world: World, status: Status) -> World:
    state = world.progress.hop(0)
    return replace(world, progress=world.progress.with_hop(0, replace(state, status=advance(state.status, status))))


def explore(plan: Plan, send: Sender) -> set[World]:
    """Returns every world that can be reached."""
    seen, pending = set[World](), [World()]
    while pending:
        world = pending.pop()
        if world not in seen:
            seen.add(world)
            pending += moves(world, plan, send)
    return seen


def complaints(worlds: set[World], plan: Plan) -> list[str]:
    """Returns what a world does that is promised never to happen."""
    found = []
    for world in worlds:
        doubles = len(world.accepted) - 1
        if doubles > 0 and plan.on_unknown is OnUnknown.PREFER_SILENCE:
            found.append("accepted twice although silence is preferred")
        if doubles > len(world.flagged):
            found.append("a duplicate that nobody was told about")
        if world.ended is Status.FAILED and world.accepted:
            found.append("called failed although accepted")
        if world.ended is not None and None in world.attempts:
            found.append("ended with an attempt still open")
        if world.ended is not None and world.accepted and not world.receipts and not world.status.reaches(Status.SENT):
            found.append("a receipt did not land")
    return found


@pytest.mark.parametrize("policy", OnUnknown)
def test_the_protocol_keeps_its_promises_in_every_reachable_world(policy: OnUnknown) -> None:
    plan = Plan(hops=(HOP,), on_unknown=policy)
    worlds = explore(plan, claim_send_record)
    assert complaints(worlds, plan) == []
    assert any(world.ended is Status.UNKNOWN for world in worlds)
    assert any(world.ended is Status.FAILED for world in worlds)
    assert {len(world.attempts) for world in worlds} == {0, 1, 2, 3}


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
