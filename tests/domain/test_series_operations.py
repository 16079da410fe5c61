"""What an operation does to one series of many, and why it leaves one as it was."""

from datetime import UTC, datetime
from typing import Any

import pytest

from domain.flow_program import compiled
from domain.operations import OperationKind
from domain.series import SeriesStatus
from domain.series_operations import SENTENCES, Refusal, Standing, Steered, order_of, steered
from tests.domain.flow_play import START, flow, send, state, wait

PROGRAM = compiled(flow(send("first"), wait("pause", "1d"), send("last")))
DUE = datetime(2026, 6, 20, 9, 0, tzinfo=UTC)
END = len(PROGRAM.instructions)


def judged(kind: str, *, status: str = "running", fits: bool = True, **asked: Any) -> Steered | Refusal:
    """Returns what becomes of a series that stands at its wait, with a date and another one that it lacks."""
    place = asked.pop("place", PROGRAM.places["pause"])
    standing = Standing(
        status=SeriesStatus(status),
        fits=fits,
        at="pause",
        state=state(place=place, anchors={"due_at": DUE}, zone="Europe/Berlin"),
        heard=3,
        missing=frozenset({"paid_at"}),
    )
    return steered(order_of(OperationKind(kind), asked, "why"), standing, PROGRAM, START)


def done(*args: Any, **asked: Any) -> Steered:
    found = judged(*args, **asked)
    assert isinstance(found, Steered)
    return found


@pytest.mark.parametrize(
    ("kind", "before", "note", "after"),
    [
        ("pause", "running", "paused", "paused"),
        ("pause", "parked", "paused", "paused"),
        ("resume", "paused", "resumed", "running"),
        ("resume", "parked", "resumed", "running"),
        ("stop", "paused", "ended", "stopped"),
        ("skip", "parked", "skipped", "running"),
        ("skip", "paused", "skipped", "paused"),
    ],
)
def test_each_stands_as_one_that_is_steered_alone(kind: str, before: str, note: str, after: str) -> None:
    found = done(kind, status=before)
    assert (found.kind, found.status) == (note, after)


@pytest.mark.parametrize(
    ("kind", "asked", "refusal"),
    [
        ("pause", {"status": "paused"}, Refusal.ALREADY),
        ("resume", {}, Refusal.ALREADY),
        ("stop", {"status": "completed"}, Refusal.OVER),
        ("stop", {"fits": False}, Refusal.MOVED_ON),
        ("skip", {"place": END}, Refusal.NOTHING_TO_SKIP),
        ("run_again", {"step": "frist"}, Refusal.NO_SUCH_STEP),
        ("move", {"anchors": {"strange": DUE.isoformat()}}, Refusal.NO_SUCH_DATE),
        ("move", {"anchors": {"paid_at": {"shift": "+1d"}}}, Refusal.NO_SUCH_DATE),
        ("move", {"anchors": {"due_at": "2400-01-01T00:00:00+00:00"}}, Refusal.OUT_OF_REACH),
    ],
)
def test_one_that_cannot_is_left_with_a_reason(kind: str, asked: dict[str, Any], refusal: Refusal) -> None:
    assert judged(kind, **asked) is refusal


def test_a_shift_that_no_calendar_holds_is_out_of_reach() -> None:
    early = Standing(
        status=SeriesStatus.RUNNING, fits=True, at=None, state=state(anchors={"due_at": datetime(2, 1, 1, tzinfo=UTC)})
    )
    order = order_of(OperationKind.MOVE, {"anchors": {"due_at": {"shift": "-3650d"}}}, None)
    assert steered(order, early, PROGRAM, START) is Refusal.OUT_OF_REACH


def test_a_step_is_skipped_behind_all_that_was_heard() -> None:
    found = done("skip")
    assert found.state is not None
    assert (found.step, found.state.entered_at, found.state.entered_mark) == ("last", START, 3)


def test_a_step_is_taken_again_by_its_name() -> None:
    found = done("run_again", step="first")
    assert (found.kind, found.told, found.step) == ("taken_again", {"step": "first"}, "first")


def test_dates_move_to_an_instant_or_on_the_clock_of_whom_they_are_for() -> None:
    found = done("move", anchors={"due_at": {"shift": "P6M"}, "paid_at": DUE.isoformat()})
    assert found.dates == {"due_at": datetime(2026, 12, 20, 10, 0, tzinfo=UTC), "paid_at": DUE}
    assert (found.kind, found.state, found.status) == ("changed", None, "running")


def test_every_refusal_has_a_sentence() -> None:
    assert SENTENCES.keys() == set(Refusal)
