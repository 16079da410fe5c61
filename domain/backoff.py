"""How long to wait between attempts."""

import hashlib
from datetime import timedelta

FIRST_BACKOFF = 2.0
BACKOFF_FACTOR = 3.0
LONGEST_BACKOFF = 600.0
LONGEST_RETRY_AFTER = 3600.0


def backoff(identity: str, number: int, retry_after: float | None) -> timedelta:
    """Returns how long to wait after attempt `number`: exponential with up to a quarter of jitter.

    The jitter comes from `identity`, so that the same attempt waits equally long at every replay. A longer wait that
    the provider asked for is honoured up to an hour.
    """
    seconds = min(FIRST_BACKOFF * BACKOFF_FACTOR ** (number - 1), LONGEST_BACKOFF)
    fraction = hashlib.sha256(f"{identity}/{number}".encode()).digest()[0] / 255
    asked = min(retry_after or 0.0, LONGEST_RETRY_AFTER)
    return timedelta(seconds=max(seconds, asked) * (1 + fraction / 4))
