"""What becomes of a notification whose workflow is not what it should be, case by case."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.findings import SENTENCES, Kind
from domain.reasons import Reason
from domain.recovery import (
    End,
    Ground,
    Hold,
    Leave,
    Life,
    Restored,
    Standing,
    StartAgain,
    Verdict,
    Workflow,
    judge,
)
from domain.status import Status

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
OPEN = Standing(created_at=NOW - HOUR, send_at=None, doubtful=False)
WAITING = replace(OPEN, waits=True)
DOUBTFUL = replace(OPEN, doubtful=True)
TOMORROW = replace(OPEN, send_at=NOW + 24 * HOUR)
OVERDUE = replace(OPEN, created_at=NOW - 30 * HOUR)
OF_OLD = replace(OPEN, created_at=NOW - 24 * 90 * HOUR)

LOST_ROWS = Ground(now=NOW, restored=Restored.POSTGRES, restored_at=NOW, remembers_since=NOW - 24 * HOUR)
LOST_BOTH = replace(LOST_ROWS, restored=Restored.BOTH)
LOST_HISTORY = Ground(now=NOW, restored=Restored.TEMPORAL, restored_at=NOW)
ORDINARY = Ground(now=NOW)


def ended(kind: Kind, *, terminate: bool = False) -> End:
    return End(kind=kind, status=Status.UNKNOWN, reason=Reason.OUTCOME_UNKNOWN, terminate=terminate)


@pytest.mark.parametrize(
    ("standing", "life", "ground", "verdict"),
    [
        pytest.param(OPEN, Life.RUNNING, ORDINARY, Leave(), id="a living workflow is left alone"),
        pytest.param(DOUBTFUL, Life.INTERRUPTED, ORDINARY, Leave(), id="a task that a dead worker took is given again"),
        pytest.param(OPEN, Life.GONE, ORDINARY, StartAgain(kind=Kind.WORKFLOW_LOST), id="gone, nothing in doubt"),
        pytest.param(DOUBTFUL, Life.GONE, ORDINARY, ended(Kind.WORKFLOW_LOST), id="gone, in doubt"),
        pytest.param(WAITING, Life.GONE, ORDINARY, Leave(), id="not started yet"),
        pytest.param(WAITING, Life.GONE, LOST_ROWS, Leave(), id="not started yet, and it never was"),
        pytest.param(
            replace(WAITING, created_at=NOW - 24 * 90 * HOUR),
            Life.GONE,
            LOST_ROWS,
            ended(Kind.WORKFLOW_LOST),
            id="its start waits in a backup, and may have been made long ago",
        ),
        pytest.param(OVERDUE, Life.GONE, ORDINARY, Hold(kind=Kind.WORKFLOW_LOST), id="gone, long overdue"),
        pytest.param(
            OVERDUE,
            Life.GONE,
            replace(ORDINARY, resend=True),
            StartAgain(kind=Kind.WORKFLOW_LOST),
            id="gone, long overdue, and somebody wants it sent",
        ),
        pytest.param(
            OVERDUE, Life.GONE, LOST_HISTORY, StartAgain(kind=Kind.WORKFLOW_LOST), id="gone because Temporal is older"
        ),
        pytest.param(DOUBTFUL, Life.GONE, LOST_HISTORY, ended(Kind.WORKFLOW_LOST), id="Temporal is older, in doubt"),
        pytest.param(
            OPEN,
            Life.STOPPED,
            ORDINARY,
            End(kind=Kind.WORKFLOW_STOPPED, status=Status.CANCELLED, reason=Reason.CANCELLED),
            id="terminated by somebody",
        ),
        pytest.param(
            OPEN,
            Life.FAILED,
            ORDINARY,
            End(kind=Kind.WORKFLOW_FAILED, status=Status.FAILED, reason=Reason.NOT_SENT),
            id="failed by itself",
        ),
        pytest.param(
            OPEN, Life.GONE, replace(ORDINARY, held=True), Hold(kind=Kind.WORKFLOW_LOST), id="held until reconciled"
        ),
        pytest.param(
            OPEN,
            Life.STOPPED,
            replace(ORDINARY, held=True),
            Hold(kind=Kind.WORKFLOW_STOPPED),
            id="held, terminated by somebody",
        ),
        pytest.param(OPEN, Life.RUNNING, replace(ORDINARY, held=True), Leave(), id="held, and it lives"),
        pytest.param(OPEN, Life.RUNNING, LOST_ROWS, Leave(), id="its history knows what the older rows do not"),
        pytest.param(
            OPEN,
            Life.INTERRUPTED,
            LOST_ROWS,
            ended(Kind.WORKFLOW_INTERRUPTED, terminate=True),
            id="a step was under way, and the older rows do not show it",
        ),
        pytest.param(
            TOMORROW, Life.INTERRUPTED, LOST_ROWS, Leave(), id="a step was under way, but it is not due before tomorrow"
        ),
        pytest.param(
            OPEN, Life.GONE, LOST_ROWS, StartAgain(kind=Kind.WORKFLOW_LOST), id="Temporal would know if it had started"
        ),
        pytest.param(OF_OLD, Life.GONE, LOST_ROWS, ended(Kind.WORKFLOW_LOST), id="Temporal may have forgotten it"),
        pytest.param(
            replace(TOMORROW, created_at=OF_OLD.created_at),
            Life.GONE,
            LOST_ROWS,
            StartAgain(kind=Kind.WORKFLOW_LOST),
            id="not due yet, so never attempted",
        ),
        pytest.param(
            OF_OLD,
            Life.GONE,
            replace(LOST_ROWS, resend=True),
            StartAgain(kind=Kind.WORKFLOW_LOST),
            id="Temporal may have forgotten it, and somebody prefers duplicates",
        ),
        pytest.param(
            replace(OF_OLD, doubtful=True),
            Life.GONE,
            replace(LOST_ROWS, resend=True),
            ended(Kind.WORKFLOW_LOST),
            id="what is in doubt already is not sent again even then",
        ),
        pytest.param(OPEN, Life.STOPPED, LOST_ROWS, ended(Kind.WORKFLOW_STOPPED), id="terminated, attempts forgotten"),
        pytest.param(OPEN, Life.FAILED, LOST_ROWS, ended(Kind.WORKFLOW_FAILED), id="failed, attempts forgotten"),
        pytest.param(OPEN, Life.GONE, LOST_BOTH, ended(Kind.WORKFLOW_LOST), id="both older, nobody knows"),
        pytest.param(
            OPEN, Life.RUNNING, LOST_BOTH, ended(Kind.WORKFLOW_INTERRUPTED, terminate=True), id="both older, running"
        ),
        pytest.param(TOMORROW, Life.RUNNING, LOST_BOTH, Leave(), id="both older, waiting for tomorrow"),
        pytest.param(
            replace(OPEN, created_at=NOW + HOUR),
            Life.GONE,
            LOST_BOTH,
            StartAgain(kind=Kind.WORKFLOW_LOST),
            id="accepted after the restore",
        ),
    ],
)
def test_what_becomes_of_an_open_notification(standing: Standing, life: Life, ground: Ground, verdict: Verdict) -> None:
    assert judge(standing, Workflow(life=life), ground) == verdict


@pytest.mark.parametrize(
    ("standing", "life", "ground", "verdict"),
    [
        pytest.param(OPEN, Life.RUNNING, ORDINARY, Leave(), id="it is under way"),
        pytest.param(OPEN, Life.COMPLETED, ORDINARY, StartAgain(kind=Kind.WORKFLOW_LOST), id="it left one open"),
        pytest.param(OPEN, Life.FAILED, ORDINARY, StartAgain(kind=Kind.WORKFLOW_LOST), id="it failed"),
        pytest.param(
            replace(OPEN, doubtful=True), Life.COMPLETED, ORDINARY, ended(Kind.WORKFLOW_LOST), id="it left doubt"
        ),
        pytest.param(OPEN, Life.COMPLETED, LOST_ROWS, ended(Kind.END_NOT_RECORDED), id="it may have sent it"),
        pytest.param(
            OPEN,
            Life.RUNNING,
            LOST_ROWS,
            ended(Kind.WORKFLOW_INTERRUPTED, terminate=True),
            id="it does not remember whom it attempted",
        ),
    ],
)
def test_what_becomes_of_a_member_of_a_page(standing: Standing, life: Life, ground: Ground, verdict: Verdict) -> None:
    assert judge(standing, Workflow(life=life, shared=True), ground) == verdict


@pytest.mark.parametrize("ground", [ORDINARY, LOST_ROWS, LOST_BOTH, LOST_HISTORY])
@pytest.mark.parametrize(
    ("result", "reason"),
    [(Status.ACCEPTED, None), (Status.CANCELLED, Reason.CANCELLED), (Status.UNKNOWN, Reason.OUTCOME_UNKNOWN)],
)
def test_what_a_completed_workflow_says_is_believed(ground: Ground, result: Status, reason: Reason | None) -> None:
    found = judge(OPEN, Workflow(life=Life.COMPLETED, result=result), ground)
    assert found == End(kind=Kind.END_NOT_RECORDED, status=result, reason=reason)


@pytest.mark.parametrize("resend", [False, True])
@pytest.mark.parametrize("restored", Restored)
@pytest.mark.parametrize("life", Life)
def test_doubt_never_starts_anything(*, life: Life, restored: Restored, resend: bool) -> None:
    ground = replace(LOST_ROWS, restored=restored, resend=resend)
    assert not isinstance(judge(DOUBTFUL, Workflow(life=life), ground), StartAgain)


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_of_finding_has_its_sentence(kind: Kind) -> None:
    assert SENTENCES[kind].endswith(".")
