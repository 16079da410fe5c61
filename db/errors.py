"""Which failures of the database mean that it cannot be used at the moment."""

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import SQLAlchemyError as DatabaseError
from sqlalchemy.exc import TimeoutError as PoolExhausted

__all__ = ["FAILURES", "DatabaseError", "is_lock_timeout", "is_rolled_back", "is_unavailable"]

FAILURES: tuple[type[Exception], ...] = (DatabaseError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""Everything that using the database can raise; the driver raises some by itself when it cannot connect."""

# Classes of SQLSTATE: connection lost, rolled back for the sake of others (deadlock), out of resources, operator
# intervention (shutdown, restart), I/O error.
_UNAVAILABLE_CLASSES = ("08", "40", "53", "57", "58")
_ROLLED_BACK = "40"
_CANCELED = "57014"
_LOCK_NOT_AVAILABLE = "55P03"


def is_unavailable(error: Exception) -> bool:
    """Tells whether a later request may succeed: the server is away, restarting, or has no connection free."""
    if isinstance(error, (PoolExhausted, OSError, asyncpg.InterfaceError)):
        return True
    if isinstance(error, DBAPIError):
        state, lost = getattr(error.orig, "sqlstate", None), error.connection_invalidated
    else:
        state, lost = getattr(error, "sqlstate", None), False
    return lost or (state or "").startswith(_UNAVAILABLE_CLASSES)


def is_away(error: Exception) -> bool:
    """Tells whether the server itself is out of reach, not only slow for one statement or in favour of another one."""
    state = getattr(getattr(error, "orig", error), "sqlstate", None)
    return is_unavailable(error) and state != _CANCELED and not is_rolled_back(error)


def is_rolled_back(error: Exception) -> bool:
    """Tells whether a transaction was undone for the sake of others, as in a deadlock: it may be repeated."""
    state = getattr(getattr(error, "orig", error), "sqlstate", None) or ""
    return bool(state.startswith(_ROLLED_BACK))


def is_lock_timeout(error: Exception) -> bool:
    """Tells whether somebody else held a lock for longer than this transaction wanted to wait."""
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) == _LOCK_NOT_AVAILABLE
