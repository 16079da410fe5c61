"""What a series was started by."""

import pytest

from domain.series import trigger_of


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"type": "order.placed"}, "order.placed"),
        ({"type": "x" * 500}, "x" * 128),
        ({"type": 5}, None),
        ({"type": ""}, None),
        ({}, None),
    ],
    ids=["its event's type", "a long one", "a number", "an empty one", "nothing"],
)
def test_only_a_text_is_a_trigger(event: dict[str, object], expected: str | None) -> None:
    assert trigger_of(event) == expected
