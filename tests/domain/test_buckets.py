"""The arithmetic of limits: no stretch of time holds more than it may, and nobody waits for another's line."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import buckets
from domain.buckets import HORIZON, MOST_RUNS, Run, State
from domain.limits import Bucket
from domain.reasons import Reason

SECOND = 1_000_000


def bucket(key: str, interval: float, burst: int = 1) -> Bucket:
    return Bucket(key=key, interval=interval, burst=burst, reason=Reason.RATE_LIMITED)


@dataclass
class Desk:
    """Gives slots as the database does, and remembers them."""

    now: int = 1_700_000_000 * SECOND
    states: dict[str, State] = field(default_factory=dict)
    given: dict[str, list[int]] = field(default_factory=dict)

    def ask(self, *wanted: Bucket) -> float | None:
        """Returns in how many seconds the slot is, or nothing when there is none."""
        for one in wanted:
            state = self.states.get(one.key, State(front=self.now))
            self.states[one.key] = buckets.settled(one, state, self.now)
        at, late = buckets.due(wanted, self.states, self.now)
        step = buckets.interval_of(late) if late else 1
        if not all(buckets.has_place(one, self.states[one.key], at, self.now, step) for one in wanted):
            return None
        for one in wanted:
            self.states[one.key] = buckets.take(one, self.states[one.key], at, self.now, step)
            self.given.setdefault(one.key, []).append(at)
        return (at - self.now) / SECOND


def excess(slots: Iterable[int], one: Bucket) -> list[tuple[int, int]]:
    """Returns the stretches of time that hold more slots than a bucket allows."""
    instants, interval = sorted(slots), buckets.interval_of(one)
    return [
        (first, last)
        for start, first in enumerate(instants)
        for count, last in enumerate(instants[start:], 1)
        if (count - one.burst) * interval > last - first
    ]


KINDS = st.builds(
    bucket, st.just(""), st.sampled_from([0.0125, 0.3, 0.9, 1.0, 1.7, 6.0, 45.0]), st.sampled_from([1, 2, 3, 5, 20])
)


@st.composite
def stories(draw: st.DrawFn) -> tuple[list[Bucket], list[tuple[int, list[int]]]]:
    """Some buckets, and who asks for which of them after how long."""
    kinds = draw(st.lists(KINDS, min_size=1, max_size=4))
    made = [bucket(str(place), kind.interval, kind.burst) for place, kind in enumerate(kinds)]
    pause = st.one_of(st.just(0), st.integers(0, 30 * SECOND))
    some = st.lists(st.integers(0, len(made) - 1), min_size=1, unique=True)
    return made, draw(st.lists(st.tuples(pause, some), max_size=60))


@given(stories())
def test_no_stretch_of_time_holds_more_than_burst_and_rate(
    story: tuple[list[Bucket], list[tuple[int, list[int]]]],
) -> None:
    made, asked = story
    desk = Desk()
    for pause, places in asked:
        desk.now += pause
        found = desk.ask(*(made[place] for place in places))
        assert found is None or 0 <= found <= HORIZON / SECOND
    for one in made:
        assert excess(desk.given.get(one.key, []), one) == []


def earliest_possible(slots: Sequence[int], one: Bucket, now: int) -> int:
    """Returns the earliest instant that keeps the rate beside all slots so far, found by trying."""
    interval = buckets.interval_of(one)
    candidates = {now, *(slot + steps * interval for slot in slots for steps in range(len(slots) + 1))}
    return next(at for at in sorted(candidates) if at >= now and not excess([*slots, at], one))


@given(KINDS, st.lists(st.integers(0, 30 * SECOND), max_size=25))
def test_who_asks_for_one_bucket_gets_the_earliest_instant_there_is(one: Bucket, pauses: list[int]) -> None:
    desk = Desk()
    for pause in pauses:
        desk.now += pause
        wanted = earliest_possible(desk.given.get(one.key, []), one, desk.now)
        assert desk.ask(one) == (wanted - desk.now) / SECOND


@given(KINDS, st.lists(st.tuples(st.integers(0, 20 * SECOND), st.booleans()), max_size=25))
def test_who_waits_for_another_bucket_takes_no_time_from_this_one(one: Bucket, asked: list[tuple[int, bool]]) -> None:
    desk, slow = Desk(), bucket("slow", 40.0)
    for pause, waits in asked:
        desk.now += pause
        wanted = earliest_possible(desk.given.get(one.key, []), one, desk.now)
        if waits:
            desk.ask(slow, one)
        else:
            found = desk.ask(one)
            assert found is not None
            assert desk.now + found * SECOND == wanted


def test_a_burst_goes_at_once_and_the_rest_at_the_rate() -> None:
    desk, one = Desk(), bucket("a", 0.5, burst=3)
    assert [desk.ask(one) for _ in range(6)] == [0, 0, 0, 0.5, 1, 1.5]


def test_a_rest_fills_the_burst_again_and_no_more() -> None:
    desk, one = Desk(), bucket("a", 1, burst=2)
    assert [desk.ask(one) for _ in range(3)] == [0, 0, 1]
    desk.now += 100 * SECOND
    assert [desk.ask(one) for _ in range(4)] == [0, 0, 1, 2]


def test_one_recipient_who_gets_too_much_stops_nobody_else() -> None:
    desk, account = Desk(), bucket("account", 1 / 80, burst=20)
    flooded = [desk.ask(bucket("pair/flooded", 6, burst=5), account) for _ in range(60)]
    assert flooded[:7] == [0, 0, 0, 0, 0, 6, 12]
    others = [desk.ask(bucket(f"pair/{place}", 6, burst=5), account) for place in range(15)]
    assert others == [0] * 15
    assert desk.ask(bucket("pair/late", 6, burst=5), account) == 1 / 80


def test_a_long_line_of_one_account_leaves_the_tenant_s_other_account_its_room() -> None:
    desk, tenant = Desk(), bucket("tenant", 1 / 100, burst=10)
    busy = [desk.ask(bucket("account/busy", 1 / 50), tenant) for _ in range(5000)]
    assert busy[-1] == 4999 / 50
    idle = [desk.ask(bucket("account/idle", 1 / 50), tenant) for _ in range(10)]
    assert idle == [place / 50 for place in range(10)]
    assert len(desk.states["tenant"].runs) <= 3


def test_a_bucket_that_is_nearly_full_for_long_keeps_its_rate() -> None:
    desk, tenant = Desk(), bucket("tenant", 1 / 100, burst=25)
    for one in (bucket("account/a", 1 / 60), bucket("account/b", 1 / 39)):
        assert None not in [desk.ask(one, tenant) for _ in range(900)]
    found = [desk.ask(bucket("account/idle", 1 / 50), tenant) for _ in range(40)]
    assert None not in found
    assert excess(desk.given["tenant"], tenant) == []


def test_the_line_ends_an_hour_ahead() -> None:
    desk, one = Desk(), bucket("a", 600)
    assert [desk.ask(one) for _ in range(9)] == [0, 600, 1200, 1800, 2400, 3000, 3600, None, None]
    desk.now += 600 * SECOND
    assert [desk.ask(one) for _ in range(2)] == [3600, None]


def test_lines_of_others_are_noted_in_a_few_words() -> None:
    desk, account = Desk(), bucket("account", 1 / 80)
    pairs = [bucket(f"pair/{place}", 6 + place / 100) for place in range(25)]
    given = [desk.ask(pair, account) for _ in range(40) for pair in pairs]
    assert None not in given
    assert len(desk.states["account"].runs) <= len(given) / 10
    assert excess(desk.given["account"], account) == []


def test_a_row_stays_short_however_many_wait_for_something_else() -> None:
    desk, account = Desk(), bucket("account", 1 / 80)
    pairs = [bucket(f"pair/{place}", 600 + place) for place in range(MOST_RUNS + 10)]
    given = [desk.ask(pair, account) for _ in range(2) for pair in pairs]
    assert given.count(None) == 10
    assert len(desk.states["account"].runs) == MOST_RUNS


def test_a_settled_bucket_forgets_the_slots_that_are_over() -> None:
    one = bucket("a", 1)
    over = Run(first=5 * SECOND, step=10 * SECOND, count=3)
    ahead = Run(first=40 * SECOND, step=SECOND, count=2)
    settled = buckets.settled(one, State(front=0, runs=(over, ahead)), 6 * SECOND)
    assert settled == State(front=6 * SECOND, runs=(Run(first=15 * SECOND, step=10 * SECOND, count=2), ahead))
    gone = Run(first=2 * SECOND, step=SECOND, count=1)
    assert buckets.settled(one, State(front=0, runs=(gone, over, ahead)), 6 * SECOND) == settled
    assert buckets.settled(one, State(front=0, runs=(gone,)), 6 * SECOND) == State(front=6 * SECOND)


def test_an_emptied_bucket_goes_on_at_its_rate() -> None:
    desk, one = Desk(), bucket("a", 1, burst=5)
    desk.states["a"] = buckets.emptied(one, State(front=desk.now), desk.now + 30 * SECOND)
    assert [desk.ask(one) for _ in range(3)] == [30, 31, 32]


def test_a_rate_that_was_lowered_holds_for_who_asks_next() -> None:
    desk, slow = Desk(), bucket("slow", 40)
    for _ in range(4):
        desk.ask(slow, bucket("a", 0.1, burst=10))
    lowered = [desk.ask(bucket("a", 10)) for _ in range(3)]
    assert lowered == sorted(lowered, key=lambda found: found or 0)
    assert None not in lowered


@pytest.mark.parametrize(("rate", "micros"), [(80, 12_500), (3, 333_334), (1, SECOND), (0.5, 2 * SECOND), (1e9, 1)])
def test_intervals_are_rounded_so_that_no_rate_is_exceeded(rate: float, micros: int) -> None:
    assert buckets.interval_of(bucket("a", 1 / rate)) == micros
