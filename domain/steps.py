"""The steps that a decision can ask for; one union, so that whoever acts on it cannot forget one."""

from dataclasses import dataclass
from datetime import datetime

from domain.notifications import Hop
from domain.reasons import Reason
from domain.status import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Make an attempt now.

    Attributes:
        hop: The hop with the account to use.
        account: Which of the hop's accounts that is.
        reserved_for: The instant that the limits gave to this attempt.
    """

    hop: Hop
    number: int
    part: int = 0
    possible_duplicate: bool = False
    closes: bool = True
    account: int = 0
    reserved_for: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Do nothing until then, or until something is heard about the hop's message."""

    until: datetime
    reason: Reason
    hop: Hop


@dataclass(frozen=True, slots=True, kw_only=True)
class Park:
    """Go on only when the cause is mended and somebody resumes it; at `until` decide again."""

    reason: Reason
    hop: Hop | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NextHop:
    """Give this hop up and go on with the next one."""

    reason: Reason
    hop: Hop


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """Nothing is left to do."""

    status: Status
    reason: Reason | None = None


Step = Send | Wait | Park | NextHop | Finish
