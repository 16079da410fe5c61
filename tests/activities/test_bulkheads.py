"""Bulkheads: one account that is slow takes its share of the places and not one more."""

import asyncio

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


async def test_who_waits_a_moment_gets_the_place_that_becomes_free() -> None:
    bulkheads = Bulkheads(2, share=0.5)
    assert await bulkheads.enter_soon("a", within=10)
    waiting = [asyncio.create_task(bulkheads.enter_soon("a", within=10)) for _ in range(2)]
    await asyncio.sleep(0.02)
    assert not any(task.done() for task in waiting)
    bulkheads.leave("a")
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    assert [task.done() for task in waiting] == [True, False]
    bulkheads.leave("a")
    assert await waiting[1]
    bulkheads.leave("a")
    assert bulkheads.room == 2


async def test_who_waits_for_nothing_is_refused_and_takes_no_place_later() -> None:
    bulkheads = Bulkheads(1)
    assert bulkheads.enter("a")
    assert not await bulkheads.enter_soon("a", within=0.01)
    bulkheads.leave("a")
    assert bulkheads.room == 1


async def test_another_account_does_not_wait_behind_a_full_one() -> None:
    bulkheads = Bulkheads(4, share=0.25)
    assert bulkheads.enter("slow")
    waiting = asyncio.create_task(bulkheads.enter_soon("slow", within=10))
    await asyncio.sleep(0)
    assert await bulkheads.enter_soon("quick", within=0)
    bulkheads.leave("quick")
    assert not waiting.done()
    waiting.cancel()
    await asyncio.wait([waiting])
    bulkheads.leave("slow")
    assert bulkheads.room == 4


async def test_who_gives_up_as_a_place_comes_gives_it_back() -> None:
    bulkheads = Bulkheads(1)
    assert bulkheads.enter("a")
    waiting = asyncio.create_task(bulkheads.enter_soon("a", within=10))
    await asyncio.sleep(0)
    bulkheads.leave("a")
    waiting.cancel()
    await asyncio.wait([waiting])
    assert bulkheads.room == 1


def test_what_waits_for_an_answer_is_no_work_of_this_process() -> None:
    bulkheads = Bulkheads(100, hands=3)
    for name in "abc":
        bulkheads.started(name)
    assert (bulkheads.room, bulkheads.free_hands) == (97, 0)
    with bulkheads.at_provider(), bulkheads.at_provider():
        assert bulkheads.free_hands == 2
    assert bulkheads.free_hands == 0


def test_a_member_of_a_page_is_less_work() -> None:
    bulkheads = Bulkheads(100, hands=3)
    bulkheads.started("page", attempts=20)
    assert (bulkheads.room, bulkheads.free_hands) == (80, 1)
    with bulkheads.at_provider(in_page=True):
        assert bulkheads.free_hands == 2


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
