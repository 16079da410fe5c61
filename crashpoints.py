"""Crash points: named places where a process kills itself, so that tests reach the instants that matter.

`CARILLON_CRASH_AT=after_accept_before_record:3,after_lease` arms the third passage of one and the first of another;
unset, which is everywhere but in tests, a place costs one look at an empty dictionary.
"""

import os
import signal
from collections.abc import Mapping

VARIABLE = "CARILLON_CRASH_AT"

NAMES: Mapping[str, str] = {
    "before_accept_commit": "Notifications are written with their starts, and nothing of it is committed.",
    "after_accept_commit": "Notifications are committed, and nobody was told.",
    "before_callback_commit": "A callback and its effects are written, and nothing of it is committed.",
    "after_callback_commit": "A callback is committed, and the provider was not told.",
    "before_cancel_commit": "A cancellation is written and not committed.",
    "after_cancel_commit": "A cancellation is committed, and nobody was told.",
    "after_lease": "Rows of the outbox are leased, and none was handed over.",
    "after_start_before_mark": "Temporal has a start or a signal, and its row is still in the outbox.",
    "before_mark_commit": "Rows that were handed over are removed from the outbox, uncommitted.",
    "after_mark": "Rows that were handed over are gone from the outbox.",
    "before_page_commit": "Starts at the front of a line became a page, uncommitted.",
    "after_page_attempts": "First attempts of a page are recorded; who is left has no workflow of its own yet.",
    "after_resolve": "A plan was read, and the workflow does not have it.",
    "before_claim_commit": "Attempts are claimed, uncommitted.",
    "after_claim_before_compose": "An attempt is claimed, and nothing of its request exists.",
    "before_send": "A request is composed, and no byte of it left.",
    "after_accept_before_record": "A provider took a message, and only this process knows.",
    "during_record": "The outcome of an attempt is written and not committed.",
    "after_record_before_return": "The outcome of an attempt is committed, and the workflow does not have it.",
    "before_doubt_is_recorded": "An attempt of a dead execution was found, and its doubt is not written yet.",
    "before_end_commit": "The end of a notification is written and not committed.",
    "after_end_commit": "The end of a notification is committed, and the workflow does not have it.",
    "before_park_commit": "A notification is parked, uncommitted.",
    "after_park_commit": "A notification is parked, and its workflow was not told.",
    "before_series_commit": "A step of a series is taken, with its notification, uncommitted.",
    "after_series_commit": "A step of a series is committed, and its workflow was not told.",
    "before_schedule_commit": "A step of a schedule's run is taken, with the series that it starts, uncommitted.",
    "after_schedule_commit": "A step of a schedule's run is committed, and its workflow was not told.",
    "before_repair_commit": "Housekeeping mended a notification, uncommitted.",
    "before_adopt_commit": "Receipts that waited were given to their messages, uncommitted.",
}
"""Every crash point, with what holds at that instant."""


def crash_here(name: str) -> None:
    """Kills this process, as from outside, if this passage of the crash point `name` is armed."""
    if not _armed:
        return
    left = _armed.get(name, 0)
    if left > 1:
        _armed[name] = left - 1
    elif left == 1:
        os.write(2, f"crash point {name} reached\n".encode())
        os.kill(os.getpid(), signal.SIGKILL)


def parse(text: str) -> dict[str, int]:
    """Returns which passage of which crash points `text` arms: `name` or `name:nth`, comma separated.

    Raises:
        ValueError: It names what is no crash point, or no passage.
    """
    armed = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, _, nth = part.partition(":")
        if name not in NAMES:
            raise ValueError(f"{VARIABLE} names {name!r}, which is no crash point; there are {', '.join(NAMES)}")
        if nth and (not nth.isdecimal() or int(nth) < 1):
            raise ValueError(f"{VARIABLE} has {part!r}; a passage is counted from 1")
        armed[name] = int(nth or 1)
    return armed


_armed = parse(os.environ.get(VARIABLE, ""))
