"""Turns an accepted message into its statuses: when they happen, what they say, in which order they are posted."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from sandbox import envelopes
from sandbox.behaviour import Effect, Times
from sandbox.callbacks import Callback, Callbacks
from sandbox.journal import Entry
from sandbox.world import Message, World

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
        work = self._in_reverse(message, milestones, effect) if effect.reorder_callbacks else None
        self._callbacks.spawn(work or self._in_order(message, milestones, effect))

    async def at_once(self, message: Message, milestones: list[Milestone], effect: Effect) -> None:
        """Posts every status now and returns when each was tried."""
        ordered = list(reversed(milestones)) if effect.reorder_callbacks else milestones
        for milestone in ordered:
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

    async def _in_reverse(self, message: Message, milestones: list[Milestone], effect: Effect) -> None:
        await asyncio.sleep(max((milestone.after for milestone in milestones), default=0))
        await self.at_once(message, milestones, effect)

    async def _happen(self, message: Message, milestone: Milestone, effect: Effect) -> None:
        self._reach(message, milestone.status)
        number = self._world.numbers.get(message.number_id)
        url = number and self._world.callback_url(number)
        if effect.drop_callbacks or number is None or not url:
            return
        reference = None if milestone.status == "failed" and not effect.reference_on_failed else message.reference
        callback = Callback(
            url=url,
            secret=number.app_secret,
            payload=envelopes.status(number, message, milestone.status, milestone.code, reference),
            facts={
                "id": message.wamid,
                "reference": message.reference,
                "to": message.user,
                "from": number.id,
                "update": "status",
                "status": milestone.status,
            },
        )
        for _ in range(effect.duplicate_callbacks + 1):
            await self._callbacks.post(callback)

    def _reach(self, message: Message, status: str) -> None:
        if status == "failed" or _RANK.get(status, 0) > _RANK.get(message.status, 9):
            message.status = status
