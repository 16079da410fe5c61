"""Bugs in how PostgreSQL is used."""

from db import session
from tests.chaos.planted.registry import API, WORKER, add, bug
from tests.chaos.report import Kind


@bug(API, WORKER, finds={Kind.LOST, Kind.DUPLICATED, Kind.UNEXPECTED, Kind.RECEIPT_LOST})
def synchronous_commit_off() -> None:
    """Connections are opened with `synchronous_commit=off`, which makes every commit so much faster."""
    add(session._SERVER_SETTINGS, "synchronous_commit", "off")
