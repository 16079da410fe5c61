"""The menu of the console: what a key may open, and where in it somebody is."""

from collections.abc import Sequence
from dataclasses import dataclass

from api.scopes import Scope
from web.session import MOST_HELD, Session

HOME = "/console"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry of the menu.

    Attributes:
        is_here: Whether the page belongs to it.
        waiting: How many wait there for a person, as it is shown; empty where none do.
    """

    label: str
    address: str
    is_here: bool
    waiting: str = ""


_ENTRIES = (
    ("Notifications", HOME, Scope.NOTIFICATIONS_READ),
    ("Parked", f"{HOME}/parked", Scope.NOTIFICATIONS_READ),
    ("Series", f"{HOME}/series", Scope.SERIES_READ),
    ("Replies", f"{HOME}/replies", Scope.SERIES_READ),
    ("Flows", f"{HOME}/flows", Scope.FLOWS_READ),
    ("Schedules", f"{HOME}/schedules", Scope.SCHEDULES_READ),
    ("Templates", f"{HOME}/templates", Scope.TEMPLATES_READ),
    ("Topics", f"{HOME}/topics", Scope.TEMPLATES_READ),
    ("Accounts", f"{HOME}/accounts", Scope.ACCOUNTS_READ),
)
_ELSEWHERE = ((f"{HOME}/notifications", HOME), (f"{HOME}/find", HOME), (f"{HOME}/operations", f"{HOME}/parked"))
"""Pages that stand below another address than their entry."""


def menu(session: Session, path: str) -> Sequence[Entry]:
    """Returns the entries that a session may open, with the one that `path` belongs to marked."""
    here = _entry_of(path)
    return [
        Entry(label=label, address=address, is_here=address == here, waiting=_waiting(session, address))
        for label, address, scope in _ENTRIES
        if session.may(scope)
    ]


def _entry_of(path: str) -> str | None:
    for below, address in _ELSEWHERE:
        if _is_below(path, below):
            return address
    return next((address for _, address, _ in reversed(_ENTRIES) if _is_below(path, address)), None)


def _is_below(path: str, address: str) -> bool:
    return path == address or (address != HOME and path.startswith(f"{address}/"))


def _waiting(session: Session, address: str) -> str:
    if address != f"{HOME}/replies" or not session.held_replies:
        return ""
    return f"{MOST_HELD}+" if session.held_replies > MOST_HELD else str(session.held_replies)
