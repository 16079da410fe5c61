"""The names of everything that a campaign can do to the stack, in one place: the schedule draws from it."""

from collections.abc import Mapping

STRIKES: Mapping[str, str] = {
    "kill-worker": "SIGKILL of one worker",
    "kill-api": "SIGKILL of the API",
    "kill-postgres": "SIGKILL of PostgreSQL with all its processes",
    "kill-backend": "SIGKILL of one backend of PostgreSQL, which then recovers from its log",
    "kill-temporal": "SIGKILL of Temporal",
    "kill-provider": "SIGKILL of the provider's stand-in",
    "kill-everything": "SIGKILL of workers, API, PostgreSQL and Temporal at once",
    "pause-worker": "SIGSTOP of one worker, SIGCONT some seconds later",
    "pause-api": "the same with the API",
    "pause-postgres": "the same with PostgreSQL and all its processes",
    "pause-temporal": "the same with Temporal",
    "pause-provider": "the same with the provider's stand-in",
    "crash-point": "a worker or the API dies at a named instant",
    "cut-after-commit": "PostgreSQL commits and the connection breaks before anybody hears of it",
    "cut-before-commit": "the connection breaks before PostgreSQL hears of the COMMIT",
    "cut-connections": "all connections to PostgreSQL break at once",
    "swallow-database": "PostgreSQL can be reached and nothing comes through",
    "disk-full": "PostgreSQL's disk is full for some seconds",
    "clock-jump": "the database's clock is an hour ahead of what one tenant's leases and attempts say",
}
"""What happens to processes, connections, disk and clock at an instant of the schedule."""

FATES: Mapping[str, str] = {
    "answers-lost": "the provider accepts, and the connection closes before the answer",
    "answers-truncated": "the provider accepts, and the answer breaks off half-way",
    "answers-garbage": "the provider accepts, and the answer cannot be read",
    "answers-slow": "the answer trickles for some seconds, or comes after every patience",
    "answers-by-byte": "the answer comes at one byte a second",
    "answers-endless": "the answer never ends",
    "gateway-pages": "a gateway's error page, whether the message was accepted or not",
    "requests-lost": "the connection closes and nothing was accepted",
    "throttling": "the provider asks for fewer requests, or is down for a moment, in its documented words",
    "refusals": "the provider refuses for good",
    "late-failures": "the provider accepts and later says that it failed, with or without our reference; mail bounces",
    "callbacks-repeated": "every callback 46 times",
    "callbacks-shuffled": "all copies of all callbacks in any order",
    "callbacks-early": "every callback before the answer",
    "callbacks-late": "every callback a week late by its own time, or from a clock that is a day ahead",
    "callbacks-astray": "every callback also at all other tenants, signed as theirs are",
    "callbacks-dropped": "no callback, of a message whose answer was lost too",
}
"""What the provider does with single messages; it stands in the recipient's address."""

NAMES: Mapping[str, str] = {**STRIKES, **FATES}


def chosen(names: tuple[str, ...] | None) -> tuple[str, ...]:
    """Returns the faults that were asked for, all of them for None.

    Raises:
        ValueError: One is no fault; the message lists what there is.
    """
    if names is None:
        return tuple(NAMES)
    for name in names:
        if name not in NAMES:
            raise ValueError(f"{name!r} is no fault; there are {', '.join(NAMES)}")
    return names
