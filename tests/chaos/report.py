"""What a campaign says at its end: a verdict, what was violated, and the figures of its row in the table."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


class Verdict(StrEnum):
    """Whether a campaign proves anything: `unknown` (no traffic, no fault, no ground truth) is not a pass."""

    VALID = "valid"
    INVALID = "invalid"
    UNKNOWN = "unknown"


class Kind(StrEnum):
    """What can be violated; every kind has a test in `test_checker.py` that shows it caught."""

    LOST = "lost"
    DUPLICATED = "duplicated"
    UNEXPECTED = "unexpected"
    FAILED_ALTHOUGH_ACCEPTED = "failed although accepted"
    REGRESSED = "regressed"
    CROSS_TENANT = "cross-tenant"
    SENT_AFTER_STOPPED = "sent after stopped"
    RECEIPT_LOST = "receipt lost"
    IMPOSSIBLE_HISTORY = "impossible history"
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One thing that is promised never to happen, and did: `subject` names the notification, row or reference."""

    kind: Kind
    subject: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How a campaign ended.

    Attributes:
        violations: None of them means that nothing was found, not yet that the campaign proves anything.
        counts: The figures: `messages`, `accepted`, `unknown`, `late` and others.
        faults: How often each fault really happened.
        not_run: Faults that could not be had here, each with the reason.
        doubts: Why the campaign proves nothing, empty where it does.
        again: The command that runs the same campaign again.
        records: The directory with everything that was recorded.
    """

    seed: int
    violations: tuple[Violation, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    faults: Mapping[str, int] = field(default_factory=dict)
    not_run: Mapping[str, str] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()
    again: str = ""
    records: Path | None = None

    @property
    def verdict(self) -> Verdict:
        """Returns the verdict: a violation is one whatever else is in doubt."""
        if self.violations:
            return Verdict.INVALID
        return Verdict.UNKNOWN if self.doubts else Verdict.VALID

    def found(self, kind: Kind) -> int:
        """Returns how many violations of a kind there are."""
        return sum(violation.kind is kind for violation in self.violations)
