"""The time that activities of notifications go by: the machine's, unless a play of a flow says another."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

_said: ContextVar[datetime | None] = ContextVar("said", default=None)


def now() -> datetime:
    """Returns the instant that it is."""
    return _said.get() or datetime.now(UTC)


@contextmanager
def standing_at(instant: datetime) -> Iterator[None]:
    """Lets it be `instant` for what runs inside."""
    token = _said.set(instant)
    try:
        yield
    finally:
        _said.reset(token)
