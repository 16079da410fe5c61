"""Accounts of a channel are tried in an order that is the same for the same notification, and fair over many."""

from collections import Counter
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.failover import Candidate, order
from domain.health import Level

A, B, C = (Candidate(account_id=name) for name in "abc")


def names(*candidates: Candidate, key: str = "n") -> str:
    return "".join(candidate.account_id for candidate in order(candidates, key=key))


@pytest.mark.parametrize(
    ("candidates", "expected"),
    [
        pytest.param([A, replace(B, priority=1)], "ba", id="priority"),
        pytest.param([replace(A, priority=9, level=Level.SLOW), B], "ba", id="health outranks priority"),
        pytest.param(
            [replace(A, level=Level.FAILING), replace(B, level=Level.SLOW), C], "cba", id="the worse the later"
        ),
        pytest.param(
            [replace(A, is_held=True), replace(B, level=Level.FAILING)], "ba", id="an open circuit comes last"
        ),
        pytest.param([replace(A, weight=0), replace(B, weight=1)], "ba", id="no weight, only as the last of its kind"),
        pytest.param(
            [replace(A, weight=0, priority=1), replace(B, weight=1)], "ab", id="but before those of lower priority"
        ),
    ],
)
def test_the_order_of_accounts(candidates: list[Candidate], expected: str) -> None:
    assert names(*candidates) == expected
    assert names(*reversed(candidates)) == expected


@pytest.mark.parametrize(("weights", "share"), [((1, 1), 0.5), ((3, 1), 0.75), ((9, 1), 0.9)])
def test_equals_share_the_work_by_weight(weights: tuple[int, int], share: float) -> None:
    both = [replace(candidate, weight=weight) for candidate, weight in zip((A, B), weights, strict=True)]
    firsts = Counter(names(*both, key=f"notification-{number}")[0] for number in range(4000))
    assert firsts["a"] / 4000 == pytest.approx(share, abs=0.03)


ANY = st.lists(
    st.builds(
        Candidate,
        account_id=st.uuids().map(str),
        is_held=st.booleans(),
        level=st.sampled_from(Level),
        priority=st.integers(-100, 100),
        weight=st.integers(0, 100),
    ),
    max_size=8,
    unique_by=lambda candidate: candidate.account_id,
)


@given(ANY, st.uuids().map(str), st.randoms(use_true_random=False))
def test_the_same_notification_is_told_the_same(candidates: list[Candidate], key: str, random: Random) -> None:
    shuffled = list(candidates)
    random.shuffle(shuffled)
    found = order(candidates, key=key)
    assert found == order(shuffled, key=key)
    assert sorted(found, key=id) == sorted(candidates, key=id)
