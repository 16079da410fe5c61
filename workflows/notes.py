"""What a workflow decided and nobody wrote down yet; it travels with the next order, so that it costs no step."""

from collections.abc import Iterable
from datetime import datetime

from domain.notifications import Decision
from domain.reasons import Reason


class Notes:
    """Numbers decisions, so that each is recorded once, and collects them for the next transaction."""

    def __init__(self, decisions: Iterable[Decision] = (), sequence: int = 0) -> None:
        self._decisions = list(decisions)
        self.sequence = sequence
        self._last: tuple[str, Reason, int | None] | None = None

    def add(
        self,
        kind: str,
        reason: Reason,
        *,
        hop: int | None = None,
        until: datetime | None = None,
        channel: str | None = None,
    ) -> None:
        """Notes a decision; the same one twice in a row is one delay, said once."""
        if kind == "delayed" and self._last == (kind, reason, hop):
            return
        self._last = (kind, reason, hop)
        self.sequence += 1
        noted = Decision(sequence=self.sequence, kind=kind, reason=reason, hop=hop, until=until, channel=channel)
        self._decisions.append(noted)

    def take(self) -> tuple[Decision, ...]:
        """Returns what was noted since the last time."""
        taken, self._decisions = tuple(self._decisions), []
        return taken

    def put_back(self, taken: tuple[Decision, ...]) -> None:
        """Keeps decisions for the next order, because this one wrote nothing down."""
        self._decisions = [*taken, *self._decisions]
