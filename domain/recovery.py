"""What to do with a notification whose workflow is not what it should be: a pure decision over both sides.

Nothing is ever sent again in silence. A workflow is started again only where the database proves that a claim will find
whatever was attempted, or where nothing can have been attempted yet.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

from domain.findings import Kind
from domain.reasons import Reason
from domain.status import Status

LATEST_START = timedelta(days=1)
"""How long after its time a notification is still started without anybody asking for it."""


class Life(StrEnum):
    """What Temporal says about a workflow."""

    RUNNING = "running"
    INTERRUPTED = "interrupted"  # it runs, and a worker took a task of it that was never answered
    COMPLETED = "completed"
    STOPPED = "stopped"  # somebody terminated or cancelled it
    FAILED = "failed"
    GONE = "gone"


class Restored(StrEnum):
    """Which side was restored from a backup and is therefore older than the other."""

    NOTHING = "nothing"
    POSTGRES = "postgres"
    TEMPORAL = "temporal"
    BOTH = "both"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """A workflow as Temporal has it.

    Attributes:
        result: The status that a completed one ended with.
        shared: It is a page: what it ended with says nothing about one of the notifications that it carried.
    """

    life: Life
    closed_at: datetime | None = None
    result: Status | None = None
    shared: bool = False


GONE = Workflow(life=Life.GONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An open notification as the database has it.

    Attributes:
        doubtful: The fate of some attempt is open.
        waits: The start of its workflow is in the outbox.
    """

    created_at: datetime
    send_at: datetime | None
    doubtful: bool
    waits: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Under which circumstances to judge.

    Attributes:
        restored_at: What is older than this moment belongs to the restored backup.
        remembers_since: Temporal still knows every workflow that was started after this moment.
        resend: Somebody prefers duplicates to doubt, and said so.
        held: The database seems to be older than Temporal, and nobody has reconciled the two yet.
    """

    now: datetime
    restored: Restored = Restored.NOTHING
    restored_at: datetime | None = None
    remembers_since: datetime | None = None
    resend: bool = False
    held: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """Nothing is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartAgain:
    """Start the workflow under its own id."""

    kind: Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """End the notification; `status` counts as far as its messages achieved nothing and left no doubt."""

    kind: Kind
    status: Status
    reason: Reason | None
    terminate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Do nothing by yourself: a person decides."""

    kind: Kind


Verdict = Leave | StartAgain | End | Hold

_KINDS = {
    Life.COMPLETED: Kind.END_NOT_RECORDED,
    Life.STOPPED: Kind.WORKFLOW_STOPPED,
    Life.FAILED: Kind.WORKFLOW_FAILED,
    Life.GONE: Kind.WORKFLOW_LOST,
    Life.INTERRUPTED: Kind.WORKFLOW_INTERRUPTED,
    Life.RUNNING: Kind.WORKFLOW_INTERRUPTED,
}
_RESULT_REASONS = {
    Status.CANCELLED: Reason.CANCELLED,
    Status.EXPIRED: Reason.EXPIRED,
    Status.UNKNOWN: Reason.OUTCOME_UNKNOWN,
}
# Nobody decided what comes next: somebody said stop, or nothing more can be attempted.
_CUT_OFF = {
    Life.STOPPED: End(kind=Kind.WORKFLOW_STOPPED, status=Status.CANCELLED, reason=Reason.CANCELLED),
    Life.FAILED: End(kind=Kind.WORKFLOW_FAILED, status=Status.FAILED, reason=Reason.NOT_SENT),
}


def judge(standing: Standing, workflow: Workflow, ground: Ground) -> Verdict:
    """Returns what to do with an open notification."""
    if _rows_may_be_missing(standing, ground):
        verdict = _of_a_backup(standing, workflow, ground)
        return Leave() if standing.waits and isinstance(verdict, StartAgain) else verdict
    return _of_a_complete_ledger(standing, workflow, ground)


def _of_a_complete_ledger(standing: Standing, workflow: Workflow, ground: Ground) -> Verdict:
    if workflow.shared and workflow.life in {Life.COMPLETED, Life.FAILED}:  # what it left open goes on from the ledger
        workflow = GONE
    if standing.waits and workflow.life is Life.GONE:
        return Leave()
    if ground.held and workflow.life not in {Life.RUNNING, Life.INTERRUPTED}:
        return Hold(kind=_KINDS[workflow.life])
    match workflow.life:
        case Life.RUNNING | Life.INTERRUPTED:
            return Leave()
        case Life.COMPLETED:
            return _as_it_ended(workflow)
        case Life.STOPPED | Life.FAILED:
            return _CUT_OFF[workflow.life]
        case Life.GONE:
            return _of_a_lost_workflow(standing, ground)
        case _ as never:
            assert_never(never)


def _rows_may_be_missing(standing: Standing, ground: Ground) -> bool:
    """Tells whether the ledger of a notification is older than what happened to it."""
    if ground.restored not in {Restored.POSTGRES, Restored.BOTH}:
        return False
    return ground.restored_at is None or standing.created_at < ground.restored_at


def _as_it_ended(workflow: Workflow) -> End:
    """A workflow's history is a durable record too: what it ended with is what happened."""
    result = workflow.result or Status.UNKNOWN
    return End(kind=Kind.END_NOT_RECORDED, status=result, reason=_RESULT_REASONS.get(result))


def _of_a_lost_workflow(standing: Standing, ground: Ground) -> Verdict:
    """A claim finds whatever was attempted; only doubt must not start anything."""
    if standing.doubtful:
        return _in_doubt(Kind.WORKFLOW_LOST)
    late = ground.now - (standing.send_at or standing.created_at) > LATEST_START
    if late and not (ground.resend or ground.restored is Restored.TEMPORAL):
        return Hold(kind=Kind.WORKFLOW_LOST)
    return StartAgain(kind=Kind.WORKFLOW_LOST)


def _of_a_backup(standing: Standing, workflow: Workflow, ground: Ground) -> Verdict:
    """That no attempt is known proves nothing here; only Temporal, or the calendar, can."""
    kind = _KINDS[workflow.life]
    not_due = standing.send_at is not None and standing.send_at > ground.now
    match workflow.life:
        case Life.COMPLETED:
            return _as_it_ended(workflow)
        case Life.RUNNING | Life.INTERRUPTED:
            own = workflow.life is Life.RUNNING and not workflow.shared
            knows = own and ground.restored is Restored.POSTGRES
            return Leave() if knows or not_due or ground.resend else _in_doubt(kind, terminate=True)
        case Life.STOPPED | Life.FAILED:
            return _in_doubt(kind)
        case Life.GONE:
            never_started = not_due or _would_be_known(standing, ground)
            if not standing.doubtful and (never_started or ground.resend):
                return StartAgain(kind=kind)
            return _in_doubt(kind)
        case _ as never:
            assert_never(never)


def _would_be_known(standing: Standing, ground: Ground) -> bool:
    """Tells whether Temporal would still have the workflow if it had ever been started."""
    if ground.restored is not Restored.POSTGRES or ground.remembers_since is None:
        return False
    return standing.created_at > ground.remembers_since


def _in_doubt(kind: Kind, *, terminate: bool = False) -> End:
    return End(kind=kind, status=Status.UNKNOWN, reason=Reason.OUTCOME_UNKNOWN, terminate=terminate)
