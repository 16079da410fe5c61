"""Data and a helper for the tests of Liquid."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from channels.liquid import fill
from channels.scope import Budget, scope

DATA: dict[str, Any] = {
    "name": "Asha",
    "order": {"total": {"amount": "1234567.5", "currency": "INR"}, "count": 3},
    "items": [{"n": "A", "p": Decimal("1.10")}, {"n": "B", "p": 2}],
    "nothing": None,
    "blank": "",
    "price": 0.1,
    "yes": True,
    "evil": '<script>alert("x")</script>&\'',
    "long": "x" * 1000,
    "far": 10**9,
    "tags": "<i>" * 6_000,
}


def _filled(
    source: str, *, html: bool = False, locale: str = "en-IN", budget: Budget | None = None, **data: Any
) -> str:
    rendering = scope(data or DATA, locale=locale, zone="Asia/Kolkata", budget=budget)
    return fill(source, rendering, pointer="/body", html=html)


@pytest.fixture(scope="session")
def filled() -> Callable[..., str]:
    """Returns a function that fills a source with `DATA`, or with the data given."""
    return _filled
