"""Turns an accepted message into its statuses: when they happen, what they say, in which order they are posted."""

import asyncio
import hashlib
import time
from dataclasses import dataclass
from typing import Any

from sandbox import envelopes
from sandbox.behaviour import Effect, Times
from sandbox.callbacks import Callback, Callbacks
from sandbox.journal import Entry
from sandbox.world import Message, Number, World

_ORDER = ("sent", "delivered", "read")
_RANK = {name: rank for rank, name in enumerate(("accepted", *_ORDER))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestone:
    """One status a message is going to reach, so many seconds after its acceptance."""

    status: str
    after: float
    code: int | None = None

    def noted(self) -> dict[str, Any]:
        """Returns the milestone as the journal keeps it."""
        return {"status": self.status, "after": self.after, **({"code": self.code} if self.code else {})}


def plan(effect: Effect, times: Times, fail: int | None) -> list[Milestone]:
    """Returns the statuses a message is going to reach."""
    if fail is not None:
        return [Milestone(status="failed", after=times.delivered, code=fail)]
    if effect.until == "nothing":
        return []
    reached = _ORDER[: _ORDER.index(effect.until) + 1]
    after = {"sent": times.sent, "delivered": times.delivered, "read": times.read}
    kept = [status for status in reached if not (status == "delivered" and effect.skip_delivered)]
    return [Milestone(status=status, after=after[status]) for status in kept]


class Receipts:
    """Posts the statuses of accepted messages, with whatever disorder their effect asks for."""

    def __init__(self, world: World, callbacks: Callbacks) -> None:
        self._world = world
        self._callbacks = callbacks

    def schedule(self, message: Message, milestones: list[Milestone], effect: Effect) -> None:
        """Lets the statuses happen in their time."""
        together = effect.reorder_callbacks or effect.shuffle_callbacks
        work = self._together if together else self._in_order
        self._callbacks.spawn(work(message, milestones, effect))

    async def at_once(self, message: Message, milestones: list[Milestone], effect: Effect) -> None:
        """Posts every status now and returns when each was tried."""
        for milestone in _disordered(message, milestones, effect):
            await self._happen(message, milestone, effect)

    def take_up(self, entry: Entry, done: set[str]) -> None:
        """Goes on with a message of a former run: statuses that no callback was taken for happen now."""
        message = self._world.messages.get(entry["id"])
        if message is None:
            return
        effect = Effect.model_validate(entry.get("effects", {}))
        milestones = [Milestone(**{**one, "after": 0}) for one in entry.get("plan", []) if one["status"] not in done]
        for one in entry.get("plan", []):
            if one["status"] in done:
                self._reach(message, one["status"])
        if milestones:
            self.schedule(message, milestones, effect.model_copy(update={"callbacks_first": False}))

    async def _in_order(self, message: Message, milestones: list[Milestone], effect: Effect) -> None:
        began = time.monotonic()
        for milestone in milestones:
            await asyncio.sleep(max(0, began + milestone.after - time.monotonic()))
            self._reach(message, milestone.status)
            self._callbacks.spawn(self._happen(message, milestone, effect))

    async def _together(self, message: Message, milestones: list[Milestone], effect: Effect) -> None:
        await asyncio.sleep(max((milestone.after for milestone in milestones), default=0))
        await self.at_once(message, milestones, effect)

    async def _happen(self, message: Message, milestone: Milestone, effect: Effect) -> None:
        self._reach(message, milestone.status)
        number = self._world.numbers.get(message.number_id)
        url = number and self._world.callback_url(number)
        if effect.drop_callbacks or number is None or not url:
            return
        reference = None if milestone.status == "failed" and not effect.reference_on_failed else message.reference
        payload = envelopes.status(
            number, message, milestone.status, milestone.code, reference, clock=effect.callback_clock
        )
        facts = {"id": message.wamid, "reference": message.reference, "to": message.user, "from": number.id}
        facts |= {"update": "status", "status": milestone.status}
        if effect.misdirect_callbacks:
            await self._misdirect(number, payload, facts)
        callback = Callback(url=url, secret=number.app_secret, payload=payload, facts=facts)
        for _ in range(1 if effect.shuffle_callbacks else effect.duplicate_callbacks + 1):
            await self._callbacks.post(callback)

    async def _misdirect(self, own: Number, payload: dict[str, Any], facts: dict[str, Any]) -> None:
        """Posts a callback to everybody else as well, signed as theirs are."""
        mine = self._world.callback_url(own)
        for other in list(self._world.numbers.values()):
            url = self._world.callback_url(other)
            if url and url != mine:
                strayed = {**facts, "update": "misdirected", "astray": other.id}
                await self._callbacks.post(Callback(url=url, secret=other.app_secret, payload=payload, facts=strayed))

    def _reach(self, message: Message, status: str) -> None:
        if status == "failed" or _RANK.get(status, 0) > _RANK.get(message.status, 9):
            message.status = status


def _disordered(message: Message, milestones: list[Milestone], effect: Effect) -> list[Milestone]:
    """Returns the statuses in the order in which they are posted, those that are mixed with all their copies."""
    if not effect.shuffle_callbacks:
        return milestones[::-1] if effect.reorder_callbacks else milestones
    copies = enumerate(milestones * (effect.duplicate_callbacks + 1))
    mixed = sorted(copies, key=lambda one: hashlib.sha256(f"{message.wamid}/{one[0]}".encode()).digest())
    return [milestone for _, milestone in mixed]
