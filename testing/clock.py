"""The clock of a play: it stands at one instant, and knows at which ones something is due."""

from bisect import bisect_right, insort
from datetime import datetime, timedelta


class PlayClock:
    """Goes from one instant at which something is due to the next one.

    A server that skips time needs some of its own between two instants, and says so by fractions of seconds. What
    happens is told by the instant that it was due at, so a slow machine plays what a fast one plays.
    """

    def __init__(self, start: datetime) -> None:
        self.start = self.instant = start
        self._due = [start]

    def expect(self, instant: datetime | None) -> None:
        """Takes an instant at which something is due; one that is over changes nothing."""
        if instant is not None and instant > self.instant and instant not in self._due:
            insort(self._due, instant)

    def following(self) -> datetime | None:
        """Returns the next instant at which something is due."""
        place = bisect_right(self._due, self.instant)
        return self._due[place] if place < len(self._due) else None

    def exact(self, shown: datetime) -> datetime:
        """Returns the instant that something was due at which happens while a server's clock shows `shown`."""
        place = bisect_right(self._due, max(shown, self.start))
        return self._due[place - 1]

    def stand_at(self, instant: datetime) -> None:
        """Goes to an instant; none that was there before comes again."""
        self.expect(instant)
        self.instant = max(self.instant, instant)

    def after_start(self, length: timedelta) -> datetime:
        """Returns the instant so long after the beginning."""
        return self.start + length
