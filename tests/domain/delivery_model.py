"""The delivery protocol, explored exhaustively: three attempts, two crashes, lost answers, lost and late receipts,
trouble of the account that parks, and resumption.

The decisions are the product's own (`domain.routing`, `domain.status`); claim, send and record are modelled as the
small steps between which a process can die. Limits of the model: one hop, one message, and no process that is paused
after its claim and goes on after the quarantine; such a process can still send late, and no protocol without the
provider's help can prevent it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from domain.notifications import Delivered, Hop, OnUnknown, Outcome, Plan
from domain.progress import Progress, after_outcome
from domain.reasons import Reason
from domain.recipients import Channel
from domain.routing import decide
from domain.status import Status, advance, after_attempt
from domain.steps import Finish, NextHop, Park, Send, Wait

START = datetime(2026, 11, 21, tzinfo=UTC)
HOP = Hop(
    index=0, channel=Channel.WHATSAPP, provider="meta", account_id="a", address_id=None, locale="en", max_attempts=3
)


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
    resumptions: int = 0
    ended: Status | None = None


# How the attempt looks to us, whether the provider took it, and whether the account itself is the trouble.
Answer = tuple[Outcome, bool, Reason | None]
ANSWERS: tuple[Answer, ...] = (
    (Outcome.ACCEPTED, True, None),
    (Outcome.UNKNOWN, True, None),  # accepted, and the answer got lost
    (Outcome.UNKNOWN, False, None),  # the connection broke before the provider acted
    (Outcome.NOT_SENT, False, None),
    (Outcome.REFUSED, False, None),
    (Outcome.REFUSED, False, Reason.MISCONFIGURED),  # it parks
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
        case Park():
            if world.resumptions:
                yield replace(world, progress=world.progress.resumed(), resumptions=world.resumptions - 1)
            yield replace(world, progress=replace(world.progress, dropped=True))
        case NextHop():
            raise AssertionError("a plan of one hop has no next one")


def claim_send_record(world: World, step: Send) -> Iterator[World]:
    """The protocol: claim, then send, then record; a row found in state `sending` is doubt."""
    index = step.number - 1
    if index < len(world.attempts):
        found = world.attempts[index] or Outcome.UNKNOWN
        yield _recorded(world, step, found, None)
        if found is Outcome.REFUSED:
            yield _recorded(world, step, found, Reason.MISCONFIGURED)
        return
    flagged = world.flagged | {step.number} if step.possible_duplicate else world.flagged
    claimed = replace(world, attempts=(*world.attempts, None), flagged=flagged)
    if world.crashes:
        yield replace(claimed, crashes=world.crashes - 1)
    yield replace(claimed, attempts=world.attempts, progress=_held(world, step))
    for outcome, taken, trouble in ANSWERS:
        sent = _provider_takes(claimed, step.number) if taken else claimed
        if world.crashes:
            yield replace(sent, crashes=world.crashes - 1)
        yield _recorded(sent, step, outcome, trouble)


def send_then_record(world: World, step: Send) -> Iterator[World]:
    """What many systems do: send first, write afterwards, and try again whenever the answer was not a yes."""
    for outcome, taken, trouble in ANSWERS:
        sent = _provider_takes(world, step.number) if taken else world
        if world.crashes:
            yield replace(sent, crashes=world.crashes - 1)
        seen = Outcome.NOT_SENT if outcome is Outcome.UNKNOWN else outcome
        yield _recorded(replace(sent, attempts=(*world.attempts, None)), step, seen, trouble)


Sender = Callable[[World, Send], Iterator[World]]


def _provider_takes(world: World, number: int) -> World:
    return replace(world, accepted=(*world.accepted, number), receipts=world.receipts | {number})


def _held(world: World, step: Send) -> Progress:
    """The order was not attempted: the account has trouble, or everybody is before it."""
    told = Delivered(outcome=Outcome.HELD, status=Status.QUEUED, at=world.clock, reason=Reason.PROVIDER_UNAVAILABLE)
    return world.progress.after(0, step.number, step.account, told)


def _recorded(world: World, step: Send, outcome: Outcome, trouble: Reason | None) -> World:
    """Writes an outcome; what a receipt proved meanwhile is never taken back."""
    index = min(step.number, len(world.attempts)) - 1
    settled = Outcome.ACCEPTED if world.attempts[index] is Outcome.ACCEPTED else outcome
    attempts = (*world.attempts[:index], settled, *world.attempts[index + 1 :])
    news = after_outcome(settled, trouble)
    status = after_attempt(world.status, news)
    told = Delivered(outcome=settled, status=status, at=world.clock, reason=trouble)
    return replace(
        world,
        attempts=attempts,
        status=status,
        progress=world.progress.after(0, step.number, step.account, told),
    )


def _receive(world: World, number: int, *, heard: bool) -> World:
    """A receipt arrives: it settles its attempt, advances the message, and its signal may get lost."""
    attempts = list(world.attempts)
    if number <= len(attempts) and attempts[number - 1] in {None, Outcome.UNKNOWN}:
        attempts[number - 1] = Outcome.ACCEPTED
    status = advance(world.status, Status.SENT)
    arrived = replace(world, attempts=tuple(attempts), status=status, receipts=world.receipts - {number})
    return _hear(arrived, status) if heard and world.ended is None else arrived


def _hear(world: World, status: Status) -> World:
    return replace(world, progress=world.progress.heard(0, status))


def explore(plan: Plan, send: Sender, start: World | None = None) -> set[World]:
    """Returns every world that can be reached."""
    seen, pending = set[World](), [start or World()]
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
