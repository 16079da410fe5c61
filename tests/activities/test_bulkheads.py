"""Bulkheads: one account that is slow takes its share of the places and not one more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.bulkheads import Bulkheads


def test_one_account_never_takes_more_than_its_share() -> None:
    bulkheads = Bulkheads(10, share=0.4)
    assert [bulkheads.enter("slow") for _ in range(6)] == [True] * 4 + [False] * 2
    assert [bulkheads.enter("fast") for _ in range(2)] == [True, True]
    assert bulkheads.room == 4


def test_all_accounts_together_never_take_more_than_all_places() -> None:
    bulkheads = Bulkheads(4, share=0.5)
    assert [bulkheads.enter(name) for name in "aabbc"] == [True, True, True, True, False]
    assert bulkheads.room == 0


def test_a_place_that_was_left_is_free_again() -> None:
    bulkheads = Bulkheads(2, share=0.5)
    assert bulkheads.enter("a")
    assert not bulkheads.enter("a")
    bulkheads.leave("a")
    assert bulkheads.room == 2
    assert bulkheads.enter("a")


def test_even_the_smallest_share_is_one_place() -> None:
    assert Bulkheads(1, share=0.1).enter("a")


def test_a_place_is_given_back_when_the_attempt_fails() -> None:
    bulkheads = Bulkheads(1)

    def attempt() -> None:
        with bulkheads.place("a") as entered:
            assert entered
            raise ValueError("boom")

    with pytest.raises(ValueError, match="boom"):
        attempt()
    assert bulkheads.room == 1


def test_who_got_no_place_gives_none_back() -> None:
    bulkheads = Bulkheads(1)
    with bulkheads.place("a"), bulkheads.place("a") as entered:
        assert not entered
    assert bulkheads.room == 1
    assert bulkheads.enter("a")


def test_workflows_on_their_way_to_their_first_attempt_need_room_too() -> None:
    bulkheads, told = Bulkheads(3), list[int]()
    bulkheads.on_room(lambda: told.append(bulkheads.room))
    for name in ("notification/1", "notification/2"):
        bulkheads.started(name)
    assert bulkheads.room == 1
    bulkheads.ended("notification/1")
    bulkheads.ended("notification/unheard of")
    assert told == [2]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans())), st.integers(1, 8), st.floats(0.1, 1))
def test_whatever_comes_and_goes_the_bounds_hold(steps: list[tuple[str, bool]], total: int, share: float) -> None:
    bulkheads, inside = Bulkheads(total, share), list[str]()
    for name, comes in steps:
        if comes and bulkheads.enter(name):
            inside.append(name)
        elif not comes and name in inside:
            inside.remove(name)
            bulkheads.leave(name)
        assert len(inside) <= total
        assert max(map(inside.count, "abc")) <= max(1, int(total * share))
        assert bulkheads.room == total - len(inside)
