"""The arithmetic of rate limits: the earliest instant at which buckets have room, reserved for one message.

A bucket is a GCRA: `front` is the instant until which the messages so far use its rate up, and another one may go out
at `front - (burst - 1) * interval` or later. A message that another bucket makes wait must not close this one until
then, or one slow recipient would stop a whole account. So its slot is noted ahead of the front, and others still go
out before it, as long as all slots together keep the rate: never more than `burst + length / interval` of them in any
stretch of time. Instants and lengths are whole microseconds since 1970.
"""

import heapq
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from domain.limits import Bucket

HORIZON = 3600 * 1_000_000
"""How far ahead slots are given; who would get a later one asks again."""
MOST_RUNS = 512
"""How many runs a bucket keeps; a further message that would need one asks again."""
_MOST_STEPS = 1000
_WINDOWS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Slots that were given ahead of the front at equal steps, as the line of another bucket has them."""

    first: int
    step: int
    count: int

    @property
    def last(self) -> int:
        """The last of the slots."""
        return self.first + (self.count - 1) * self.step


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Where a bucket stands: its front, and what was given ahead of it."""

    front: int
    runs: tuple[Run, ...] = ()


def interval_of(bucket: Bucket) -> int:
    """Returns the interval in microseconds, rounded so that the rate is never exceeded."""
    return max(1, math.ceil(round(bucket.interval * 1_000_000, 3)))


def tolerance_of(bucket: Bucket) -> int:
    """Returns how far before the front a message may go out, in microseconds."""
    return (bucket.burst - 1) * interval_of(bucket)


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
    """Returns the earliest instant, `wanted` or later, at which a bucket has room.

    In a bucket that is nearly full for long it may be a later one, behind all slots that were given.
    """
    interval, tolerance = interval_of(bucket), tolerance_of(bucket)
    start = wanted - _WINDOWS * (tolerance + interval)
    front = _front_at(bucket, state, start)
    found: int | None = None
    following = front  # the front behind a message at the instant that was found
    for steps, slot in enumerate(_slots(state.runs, start)):
        if steps == _MOST_STEPS:
            return max(wanted, max(run.last for run in state.runs) + interval)
        if found is None and (at := max(wanted, front - tolerance)) <= slot:
            found, following = at, max(front, at) + interval
        if found is not None:
            if following <= slot:  # from here on it makes no difference
                return found
            found = found if following <= slot + tolerance else None
            following += interval
        front = max(front, slot) + interval
    return max(wanted, front - tolerance) if found is None else found


def has_place(bucket: Bucket, state: State, at: int, now: int, step: int) -> bool:
    """Tells whether a slot at `at` can be noted."""
    if at > now + HORIZON:
        return False
    if _is_at_front(bucket, state, at, now) or len(state.runs) < MOST_RUNS:
        return True
    return _extended(state.runs, at, step) is not None


def take(bucket: Bucket, state: State, at: int, now: int, step: int) -> State:
    """Returns the bucket once the slot at `at`, which `earliest` found, is given away.

    Args:
        bucket: The bucket.
        state: Where it stands.
        at: The slot.
        now: The present.
        step: The interval of the bucket whose line the slot is in: the next one will probably be a step later.
    """
    if _is_at_front(bucket, state, at, now):
        return settled(bucket, replace(state, front=max(state.front, at) + interval_of(bucket)), now)
    runs = _extended(state.runs, at, step) or (*state.runs, Run(first=at, step=step, count=1))
    return settled(bucket, replace(state, runs=runs), now)


def settled(bucket: Bucket, state: State, now: int) -> State:
    """Returns the bucket at `now`: the front has moved over the slots that nobody can overtake any more.

    It is never in the past, so that a bucket whose front is an hour old holds nothing and can be thrown away.
    """
    interval, tolerance = interval_of(bucket), tolerance_of(bucket)
    if all(run.first > max(now, state.front - tolerance) for run in state.runs):
        return replace(state, front=max(state.front, now))
    start = now - _WINDOWS * (tolerance + interval)
    front = _front_at(bucket, state, start)
    for slot in _slots(state.runs, start):
        if slot > max(now, front - tolerance):
            return State(front=max(front, now), runs=_from(state.runs, slot))
        front = max(front, slot) + interval
    return State(front=max(front, now))


def emptied(bucket: Bucket, state: State, until: int) -> State:
    """Returns the bucket with nothing left in it at `until`: one message may go out then, the others at its rate."""
    return replace(state, front=max(state.front, until + tolerance_of(bucket)))


def free_now(bucket: Bucket, state: State, now: int) -> int:
    """Returns how many messages could go out at once, `state` being settled at `now`."""
    count = 0
    while count < bucket.burst and earliest(bucket, state, now) <= now:
        state = replace(state, front=max(state.front, now) + interval_of(bucket))
        count += 1
    return count


def waiting(bucket: Bucket, state: State, now: int) -> int:
    """Returns how many slots were given whose time is yet to come, `state` being settled at `now`."""
    next_at = state.front - tolerance_of(bucket)
    line = max(0, math.ceil((next_at - now) / interval_of(bucket)) - 1)
    return line + sum(run.count for run in state.runs)


def _is_at_front(bucket: Bucket, state: State, at: int, now: int) -> bool:
    """Tells whether nobody could go out before a slot: it need not be noted ahead of the front."""
    return at <= max(state.front - tolerance_of(bucket), now) and all(at <= run.first for run in state.runs)


def _front_at(bucket: Bucket, state: State, start: int) -> int:
    """Returns the front at `start`, or the furthest that it can be where slots before that are not looked at."""
    skipped = [run.first + (gone - 1) * run.step for run in state.runs if (gone := _gone(run, start))]
    return max([state.front, *(slot + tolerance_of(bucket) + interval_of(bucket) for slot in skipped)])


def _slots(runs: Sequence[Run], start: int) -> Iterator[int]:
    """Returns the slots from `start` on, in order."""
    return heapq.merge(*(range(run.first + _gone(run, start) * run.step, run.last + 1, run.step) for run in runs))


def _from(runs: Sequence[Run], start: int) -> tuple[Run, ...]:
    """Returns what is left of runs from `start` on."""
    left = ((run, _gone(run, start)) for run in runs)
    return tuple(
        replace(run, first=run.first + gone * run.step, count=run.count - gone) if gone else run
        for run, gone in left
        if gone < run.count
    )


def _gone(run: Run, start: int) -> int:
    """Returns how many slots of a run lie before `start`."""
    return min(run.count, max(0, -((run.first - start) // run.step)))


def _extended(runs: Sequence[Run], at: int, step: int) -> tuple[Run, ...] | None:
    """Returns the runs with the one that `at` continues made longer, if there is one."""
    for place, run in enumerate(runs):
        if run.step == step and run.last + step == at:
            return (*runs[:place], replace(run, count=run.count + 1), *runs[place + 1 :])
    return None
