"""What happens when: every message and every strike of a campaign, drawn from its seed and from nothing else."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import crashpoints
from tests.chaos import fates, faults
from tests.chaos.fates import EMAIL, ORDINARY, WHATSAPP
from tests.chaos.plan import Plan

_ORDINARY_SHARE = 0.5
_BULK_SHARE = 0.06
_FLOODS = 3
"""One in so many bulks is long enough for the dispatcher to make pages."""
_FIRST_STRIKE = 2.0
_LEAST_GAP, _WIDEST_GAP = 1.5, 4.5
_LEFT_ALONE = 0.3
_LOADED = 0.85
"""The part of a campaign in which messages are sent; the rest belongs to what is under way."""

API_POINTS = ("accept_commit", "callback_commit", "cancel_commit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One notification that somebody asks for.

    Attributes:
        at: Seconds after the beginning.
        channels: In the order to try.
        known: It goes to a recipient who has both addresses, otherwise to an address.
        repeats: How often the same request is made at the same time.
        other_body: The key is used once more with another body, which must be refused.
        cancel_after: Seconds from the answer (or, by key, from the request) to a cancellation.
        bulk: Number of the bulk request that it is part of.
    """

    number: int
    at: float
    tenant: int
    channels: tuple[str, ...]
    phone: str
    mailbox: str
    known: bool = False
    on_unknown: str = "prefer_silence"
    fallback: dict[str, Any] = field(default_factory=dict)
    expires_in: float | None = None
    send_in: float | None = None
    repeats: int = 1
    other_body: bool = False
    cancel_after: float | None = None
    cancel_by_key: bool = False
    bulk: int | None = None

    @property
    def key(self) -> str:
        """Returns the idempotency key."""
        return f"ask-{self.number:04d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """One fault at one instant: which, for how long, whom (by place, around the end of the list).

    `crash_point` is where a part that was killed dies once more, after the supervisor started it again.
    """

    at: float
    name: str
    seconds: float
    target: int
    crash_point: str = ""

    @property
    def in_api(self) -> bool:
        """Tells whether the API passes the crash point; otherwise a worker does."""
        return self.crash_point.partition(":")[0].endswith(API_POINTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Everything that a campaign is going to do."""

    asks: tuple[Ask, ...]
    strikes: tuple[Strike, ...]


def draw(plan: Plan) -> Schedule:
    """Returns the schedule of a plan: the same one for the same plan, always."""
    return Schedule(asks=tuple(_asks(plan)), strikes=tuple(_strikes(plan)))


def _asks(plan: Plan) -> Iterator[Ask]:
    dice = random.Random(f"{plan.seed}/asks")  # noqa: S311 - a schedule that can be drawn again is the purpose
    names = set(faults.chosen(plan.faults))
    allowed = {
        channel: [fate.code for fate in fates.FATES if fate.channel == channel and fate.fault in names]
        for channel in (WHATSAPP, EMAIL)
    }
    count = max(1, int(plan.seconds * _LOADED * plan.rate))
    number, bulks = 0, 0
    while number < count:
        at = round(number / plan.rate + dice.random() / plan.rate, 3)
        if dice.random() < _BULK_SHARE:
            bulks += 1
            tenant = dice.randrange(plan.tenants)
            for _ in range(dice.randint(40, 50) if bulks % _FLOODS == 0 else dice.randint(4, 12)):
                yield _ask(dice, allowed, number, at, tenant, bulk=bulks)
                number += 1
        else:
            yield _ask(dice, allowed, number, at, dice.randrange(plan.tenants), bulk=None)
            number += 1


def _ask(
    dice: random.Random, allowed: dict[str, list[str]], number: int, at: float, tenant: int, *, bulk: int | None
) -> Ask:
    kind: dict[str, Any] = dice.choices(_KINDS, weights=[weight for weight, _ in _WEIGHTED])[0]
    return Ask(
        number=number,
        at=at,
        tenant=tenant,
        phone=fates.phone(_fate(dice, allowed[WHATSAPP]), tenant, number),
        mailbox=fates.mailbox(_fate(dice, allowed[EMAIL]), tenant, number),
        bulk=bulk,
        expires_in=round(dice.uniform(1, 6), 3) if dice.random() < 0.06 else None,
        **kind,
        **_habits(dice, alone=bulk is None),
    )


def _habits(dice: random.Random, *, alone: bool) -> dict[str, Any]:
    """Returns what the caller does besides asking once."""
    habit = dice.random()
    if habit < 0.10:
        return {"cancel_after": round(dice.uniform(0, 1.5), 3)}
    if habit < 0.14:
        return {"cancel_after": round(dice.uniform(-0.2, 0.3), 3), "cancel_by_key": True}
    if habit < 0.20 and alone:
        return {"repeats": dice.randint(2, 4)}
    if habit < 0.24 and alone:
        return {"other_body": True}
    if habit < 0.28:
        return {"send_in": round(dice.uniform(0.2, 1), 3)}
    return {}


def _fate(dice: random.Random, codes: Sequence[str]) -> str:
    if not codes or dice.random() < _ORDINARY_SHARE:
        return ORDINARY
    return dice.choice(codes)


def _within(*, after_unknown: bool) -> dict[str, Any]:
    return {WHATSAPP: {"success": "delivered", "within": 4, "after_unknown": after_unknown}}


_DUPLICATE = {"on_unknown": "prefer_duplicate"}
_BOTH: dict[str, Any] = {"channels": (WHATSAPP, EMAIL), "known": True}
_WEIGHTED: tuple[tuple[float, dict[str, Any]], ...] = (
    (30, {"channels": (WHATSAPP,)}),
    (18, {"channels": (WHATSAPP,), **_DUPLICATE}),
    (14, {"channels": (EMAIL,)}),
    (8, {"channels": (EMAIL,), **_DUPLICATE}),
    (10, {**_BOTH}),
    (8, {**_BOTH, "fallback": _within(after_unknown=False)}),
    (8, {**_BOTH, "fallback": _within(after_unknown=True)}),
    (4, {**_BOTH, "fallback": _within(after_unknown=True), **_DUPLICATE}),
)
_KINDS = [kind for _, kind in _WEIGHTED]


def _strikes(plan: Plan) -> Iterator[Strike]:
    dice = random.Random(f"{plan.seed}/strikes")  # noqa: S311 - as above
    names = [name for name in faults.chosen(plan.faults) if name in faults.STRIKES]
    at = _FIRST_STRIKE
    while names and at < plan.seconds * 0.9:
        for name in _round(dice, names):
            if at >= plan.seconds * 0.9:
                break
            yield Strike(
                at=round(at, 3),
                name=name,
                seconds=round(dice.uniform(1.5, 6), 3),
                target=dice.randrange(1000),
                crash_point=_crash_point(dice, name) if "crash-point" in names else "",
            )
            at += dice.uniform(_LEAST_GAP, _WIDEST_GAP)


def _round(dice: random.Random, names: Sequence[str]) -> list[str]:
    """Returns every fault once, and crash points, of which there are many, more often, in any order."""
    found = [*names, *["crash-point"] * (2 if "crash-point" in names and len(names) > 1 else 0)]
    dice.shuffle(found)
    return found


def _crash_point(dice: random.Random, strike: str) -> str:
    """Returns the point at which the part that is struck is to die again once it is back, mostly after a kill."""
    everywhere = sorted(crashpoints.NAMES)
    points = {
        "crash-point": everywhere,
        "kill-api": [name for name in everywhere if name.endswith(API_POINTS)],
        "kill-worker": [name for name in everywhere if not name.endswith(API_POINTS)],
        "kill-everything": everywhere,
    }.get(strike)
    if points is None or (strike != "crash-point" and dice.random() < _LEFT_ALONE):
        return ""
    return f"{dice.choice(points)}:{dice.randint(1, 4)}"
