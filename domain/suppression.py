"""Why nothing may reach an address any more, whoever has it."""

import re
from enum import StrEnum

from domain.reasons import Reason
from domain.recipients import Channel


class Cause(StrEnum):
    """What keeps messages from an address; stands in `status_reason`."""

    STOP_WORD = "stop_word"
    COMPLAINT = "complaint"
    HARD_BOUNCE = "hard_bounce"
    PROVIDER_OPT_OUT = "provider_opt_out"
    BY_HAND = "by_hand"

    @property
    def status(self) -> str:
        """How an address stands for this cause."""
        return "invalid" if self is Cause.HARD_BOUNCE else "suppressed"


# RFC 3463: the mailbox or its domain does not exist or takes no mail (5.1.x), or it is disabled (5.2.1). A plain 550 is
# no proof: servers say it for policies too.
_GONE = re.compile(r"5\.(1\.\d{1,3}|2\.1)")


def cause_of(channel: Channel, error_code: str | None, provider_code: str | None) -> Cause | None:
    """Returns what a provider's refusal means for the address itself, if it says anything about it for good."""
    if error_code == Reason.UNSUBSCRIBED.value:
        return Cause.PROVIDER_OPT_OUT
    # A phone number that WhatsApp does not know may still take texts.
    if channel is Channel.EMAIL and error_code == Reason.INVALID_ADDRESS.value and _GONE.fullmatch(provider_code or ""):
        return Cause.HARD_BOUNCE
    return None
