"""What a killed worker had in its hands is told from what the provider saw."""

from bench.peers.base import _skipped, recipient


def test_recipients_sort_as_their_numbers_do() -> None:
    addresses = [recipient(number) for number in (0, 9, 10, 999, 1_000_000)]
    assert addresses == sorted(addresses)


def test_those_before_the_furthest_seen_were_in_the_worker_s_hands() -> None:
    seen = {recipient(number): 1.0 for number in (0, 1, 3, 6)}
    assert _skipped(seen, 10) == {recipient(2), recipient(4), recipient(5)}


def test_nothing_was_in_the_worker_s_hands_when_nothing_was_seen() -> None:
    assert _skipped({}, 10) == set()
