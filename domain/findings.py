"""What housekeeping and reconciling find, and what they do about it: stable codes, each with its sentence.

The codes are a contract: they are stored, returned by the API, label metrics, and stand in
`docs/reference/findings.md`.
"""

from enum import StrEnum


class Kind(StrEnum):
    """What was found; `SENTENCES` says each in words."""

    # Nobody moves it on.
    OUTBOX_STALLED = "outbox_stalled"
    OUTBOX_LEASED_TOO_LONG = "outbox_leased_too_long"
    OUTBOX_ALREADY_STARTED = "outbox_already_started"
    ATTEMPT_ABANDONED = "attempt_abandoned"
    WORKFLOW_LOST = "workflow_lost"
    WORKFLOW_STOPPED = "workflow_stopped"
    WORKFLOW_FAILED = "workflow_failed"
    WORKFLOW_INTERRUPTED = "workflow_interrupted"
    OWNER_LOST = "owner_lost"
    CLOCK_LOST = "clock_lost"
    # Both sides say different things.
    END_NOT_RECORDED = "end_not_recorded"
    WORKFLOW_WITHOUT_ROW = "workflow_without_row"
    WORKFLOW_AFTER_END = "workflow_after_end"
    CLOCK_DIVERGED = "clock_diverged"
    CLOCK_WITHOUT_ROW = "clock_without_row"
    RUNS_FORGOTTEN = "runs_forgotten"
    DATABASE_RESTORED = "database_restored"
    # The ledger contradicts itself.
    RECEIPT_UNMATCHED = "receipt_unmatched"
    RECEIPT_NOT_APPLIED = "receipt_not_applied"
    WAIT_AFTER_END = "wait_after_end"
    STATUS_DIVERGED = "status_diverged"


class Repair(StrEnum):
    """What was done about a finding."""

    RELEASED = "released"
    REMOVED = "removed"
    STARTED = "started"
    ENDED = "ended"
    CALLED_UNKNOWN = "called_unknown"
    TERMINATED = "terminated"
    ADOPTED = "adopted"
    GIVEN_UP = "given_up"
    MERGED = "merged"
    SUMMARISED = "summarised"
    WAIT_CLOSED = "wait_closed"
    RECONCILED = "reconciled"
    CLOCK_SET = "clock_set"
    PASSED_OVER = "passed_over"


SENTENCES: dict[Kind, str] = {
    Kind.OUTBOX_STALLED: "A start or signal was tried many times for minutes; the worker's log says why it fails.",
    Kind.OUTBOX_LEASED_TOO_LONG: "A row of the outbox was leased until long after any lease ends; a clock was wrong.",
    Kind.OUTBOX_ALREADY_STARTED: "A start waited in the outbox although its workflow was there already.",
    Kind.ATTEMPT_ABANDONED: "An attempt was under way for longer than one can be, and its workflow is gone.",
    Kind.WORKFLOW_LOST: "A notification is open, and Temporal knows nothing of its workflow.",
    Kind.WORKFLOW_STOPPED: "Somebody terminated or cancelled the workflow of a notification that is open.",
    Kind.WORKFLOW_FAILED: "The workflow of a notification failed and left it open; its history says why.",
    Kind.WORKFLOW_INTERRUPTED: "The database was restored while a workflow was at a step; it may have sent.",
    Kind.OWNER_LOST: "An operation, an outage, a series or a run is open, and nothing of its workflow is left.",
    Kind.CLOCK_LOST: "A schedule is active or paused, and Temporal has no clock for it.",
    Kind.END_NOT_RECORDED: "A workflow ended, and its notification is open: the database forgot the end.",
    Kind.WORKFLOW_WITHOUT_ROW: "A workflow runs for a notification that the database does not have.",
    Kind.WORKFLOW_AFTER_END: "A workflow runs although its notification ended.",
    Kind.CLOCK_DIVERGED: "The clock of a schedule in Temporal is not set as its row says.",
    Kind.CLOCK_WITHOUT_ROW: "A clock runs in Temporal for a schedule that the database does not have.",
    Kind.RUNS_FORGOTTEN: "Runs came due between a backup and its restore; nobody knows whether they were made.",
    Kind.DATABASE_RESTORED: "The database is older than what Temporal remembers of it; run `carillon reconcile`.",
    Kind.RECEIPT_UNMATCHED: "A provider reports on a message that nobody here sent, or that is not known yet.",
    Kind.RECEIPT_NOT_APPLIED: "A receipt says more about a message than the message shows.",
    Kind.WAIT_AFTER_END: "A message waits for receipts although its notification ended.",
    Kind.STATUS_DIVERGED: "The status of a notification that ended is not what its messages say.",
}
