"""The arithmetic of rate limits: the earliest instant at which buckets have room, reserved for one message.

A bucket is a GCRA: `front` is the instant until which the messages so far use its rate up, and another one may go out
at `front - (burst - 1) * interval` or later. A message that another bucket makes wait must not close this one until
then, or one slow recipient would stop a whole account. So its slot is noted as a block ahead of the front, and others
still go out before it, as long as all slots together keep the rate: never more than `burst + length / interval` of
them in any stretch of time. Instants and lengths are whole microseconds since 1970.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from domain.limits import Bucket

HORIZON = 3600 * 1_000_000
"""How far ahead slots are given; who would get a later one asks again."""
MOST_BLOCKS = 512
"""How many blocks a bucket keeps; a further message that would need one asks again."""
_SPAN = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Slots that were given ahead of the front; none is given any more between the first and the last of them.

    Attributes:
        after: Where the front is behind the block, had it been idle before.
        latest: Where the front may be before the block at most, for all of its slots to keep the rate.
    """

    first: int
    last: int
    count: int
    after: int
    latest: int


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Where a bucket stands: its front, and what was given ahead of it, in order."""

    front: int
    blocks: tuple[Block, ...] = ()


def interval_of(bucket: Bucket) -> int:
    """Returns the interval in microseconds, rounded so that the rate is never exceeded."""
    return max(1, math.ceil(round(bucket.interval * 1_000_000, 3)))


def due(buckets: Sequence[Bucket], states: Mapping[str, State], now: int) -> tuple[int, Bucket | None]:
    """Returns the earliest instant at which every bucket has room, and the bucket that made it as late as that.

    An instant beyond the horizon is not exact.
    """
    at, last = now, None
    while at <= now + HORIZON:
        later = [(earliest(bucket, states[bucket.key], at), bucket) for bucket in buckets]
        found, bucket = max(later, key=lambda pair: pair[0], default=(at, None))
        if found == at:
            break
        at, last = found, bucket
    return at, last


def earliest(bucket: Bucket, state: State, wanted: int) -> int:
    """Returns the earliest instant, `wanted` or later, at which a bucket has room."""
    interval = interval_of(bucket)
    tolerance = (bucket.burst - 1) * interval
    front = state.front
    for block, latest in zip(state.blocks, _latest(state.blocks, interval), strict=True):
        at = max(wanted, front - tolerance)
        if at <= block.first and max(front, at) + interval <= latest:
            return at
        front = max(front + block.count * interval, block.after)
        wanted = max(wanted, block.last)
    return max(wanted, front - tolerance)


def has_place(state: State, at: int, now: int) -> bool:
    """Tells whether a slot at `at` can be noted."""
    return at <= now + HORIZON and (_is_at_front(state, at, now) or len(state.blocks) < MOST_BLOCKS)


def take(bucket: Bucket, state: State, at: int, now: int) -> State:
    """Returns the bucket once the slot at `at`, which `earliest` found, is given away."""
    interval = interval_of(bucket)
    if _is_at_front(state, at, now):
        return replace(state, front=max(state.front, at) + interval)
    place = sum(1 for block in state.blocks if block.last <= at)
    new = single(bucket, at)
    blocks = _merged((*state.blocks[:place], new, *state.blocks[place:]), interval)
    return replace(state, blocks=blocks)


def settled(bucket: Bucket, state: State, now: int) -> State:
    """Returns the bucket at `now`: the front has moved over the blocks that began, or that it reached."""
    interval = interval_of(bucket)
    front, blocks = state.front, state.blocks
    while blocks and (blocks[0].first <= now or _is_reached(front, blocks[0], interval)):
        front = max(front + blocks[0].count * interval, blocks[0].after)
        blocks = blocks[1:]
    return State(front=front, blocks=blocks)


def emptied(bucket: Bucket, state: State, until: int) -> State:
    """Returns the bucket with nothing left in it at `until`: one message may go out then, the others at its rate."""
    return replace(state, front=max(state.front, until + (bucket.burst - 1) * interval_of(bucket)))


def single(bucket: Bucket, at: int) -> Block:
    """Returns the block of one slot."""
    interval = interval_of(bucket)
    return Block(first=at, last=at, count=1, after=at + interval, latest=at + (bucket.burst - 1) * interval)


def _is_at_front(state: State, at: int, now: int) -> bool:
    """Tells whether no time in which others could go out lies between the front and a slot."""
    return at <= max(state.front, now) and (not state.blocks or at <= state.blocks[0].first)


def _is_reached(front: int, block: Block, interval: int) -> bool:
    return front >= block.first and front + block.count * interval >= block.after


def _latest(blocks: Sequence[Block], interval: int) -> list[int]:
    """Returns for each block where the front may be before it at most, for it and all later ones to keep the rate."""
    bounds: list[int] = []
    for block in reversed(blocks):
        later = bounds[-1] - block.count * interval if bounds else block.latest
        bounds.append(min(block.latest, later))
    return bounds[::-1]


def _merged(blocks: Sequence[Block], interval: int) -> tuple[Block, ...]:
    """Returns the blocks with neighbours made one where nobody could go out between them, or only for a moment.

    It keeps a long line of slots from becoming a long row: what is lost is the chance to go out within that moment.
    """
    merged: list[Block] = []
    for block in blocks:
        if merged and (merged[-1].after >= block.first or block.last - merged[-1].first <= _SPAN):
            merged[-1] = _joined(merged[-1], block, interval)
        else:
            merged.append(block)
    return tuple(merged)


def _joined(former: Block, latter: Block, interval: int) -> Block:
    return Block(
        first=former.first,
        last=latter.last,
        count=former.count + latter.count,
        after=max(former.after + latter.count * interval, latter.after),
        latest=min(former.latest, latter.latest - former.count * interval),
    )
