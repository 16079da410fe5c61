"""The evidence of a campaign, found by what its parts speak of; and the figures that are reported, not judged."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.chaos import fates
from tests.chaos.evidence import Acceptance, Asked, AttemptRow, Evidence, NotificationRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The evidence, found by what its parts speak of."""

    evidence: Evidence
    asked: dict[tuple[str, str], Asked] = field(default_factory=dict)
    rows: dict[str, NotificationRow] = field(default_factory=dict)
    attempts: dict[str, list[AttemptRow]] = field(default_factory=lambda: defaultdict(list))
    by_reference: dict[str, AttemptRow] = field(default_factory=dict)
    taken: dict[tuple[str, str], list[Acceptance]] = field(default_factory=lambda: defaultdict(list))
    taken_of: dict[str, list[Acceptance]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def of(cls, evidence: Evidence) -> "Case":
        """Returns the case that some evidence makes."""
        case = cls(
            evidence=evidence,
            asked={(asked.tenant, asked.key): asked for asked in evidence.asked},
            rows={row.id: row for row in evidence.notifications},
            by_reference={attempt.reference: attempt for attempt in evidence.attempts},
        )
        for attempt in evidence.attempts:
            case.attempts[attempt.notification].append(attempt)
        for acceptance in evidence.acceptances:
            case.taken[acceptance.tenant, acceptance.order].append(acceptance)
            case.taken_of[acceptance.reference].append(acceptance)
        return case

    def taken_for(self, row: NotificationRow) -> Sequence[Acceptance]:
        """Returns what the providers took of a notification."""
        return self.taken.get((row.tenant, row.key), ())

    def first_taken(self, asked: Asked) -> Acceptance | None:
        """Returns what the providers took first of what was asked for."""
        return min(self.taken.get((asked.tenant, asked.key), ()), key=lambda one: one.at, default=None)


def figures(evidence: Evidence, late: float) -> dict[str, int]:
    """Returns the figures of a campaign; those with doubt, parked and late ones are reported, not judged."""
    case = Case.of(evidence)
    delays = [
        (one.at - asked.promised_at).total_seconds()
        for asked in evidence.asked
        if asked.promised_at is not None and not asked.delayed and (one := case.first_taken(asked)) is not None
    ]
    return {
        "asked": len(evidence.asked),
        "messages": sum(asked.promised_at is not None for asked in evidence.asked),
        "accepted": len(evidence.acceptances),
        "receipts": sum(not told.astray for told in evidence.told),
        "seen": len(evidence.seen),
        "mails": sum(one.channel == fates.EMAIL for one in evidence.acceptances),
        "flagged": sum(attempt.flagged for attempt in evidence.attempts),
        "unknown": sum(row.status == "unknown" for row in evidence.notifications),
        "paged": sum(row.paged for row in evidence.notifications),
        "parked": sum(row.parked is not None for row in evidence.notifications),
        "late": sum(delay > late for delay in delays),
    }
