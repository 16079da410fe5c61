"""What operations are asked: filters that survive being stored, and counts that still hold."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.operations import OperationState, ParkedFilter, agrees
from domain.reasons import Reason

_TEXTS = st.none() | st.text(min_size=1, max_size=20)
_MOMENTS = st.none() | st.datetimes(timezones=st.just(UTC))
_FILTERS = st.builds(
    ParkedFilter,
    cause=st.none() | st.sampled_from(Reason),
    account_id=st.none() | st.uuids(),
    template=_TEXTS,
    resource_type=_TEXTS,
    resource_id=_TEXTS,
    trigger=_TEXTS,
    parked_after=_MOMENTS,
    parked_before=_MOMENTS,
)


@given(_FILTERS)
def test_a_stored_filter_means_the_same(wanted: ParkedFilter) -> None:
    assert ParkedFilter.parse(wanted.as_document()) == wanted


def test_what_does_not_restrict_is_not_stored() -> None:
    wanted = ParkedFilter(
        cause=Reason.DAILY_CAP, account_id=UUID(int=7), parked_before=datetime(2026, 2, 1, tzinfo=UTC)
    )
    assert wanted.as_document() == {
        "cause": "daily_cap",
        "account_id": "00000000-0000-0000-0000-000000000007",
        "parked_before": "2026-02-01T00:00:00+00:00",
    }
    assert ParkedFilter().as_document() == {}


@pytest.mark.parametrize(
    ("expected", "found", "holds"),
    [
        pytest.param(0, 0, True, id="nothing is nothing"),
        pytest.param(0, 1, False, id="one came"),
        pytest.param(1, 0, False, id="the only one went"),
        pytest.param(49, 50, False, id="few are counted exactly"),
        pytest.param(50, 51, True, id="one of fifty came"),
        pytest.param(50, 49, True, id="one of fifty went"),
        pytest.param(50, 52, False, id="two of fifty came"),
        pytest.param(20_000, 20_400, True, id="two in a hundred came"),
        pytest.param(20_000, 20_401, False, id="more came"),
        pytest.param(20_000, 19_599, False, id="more went"),
    ],
)
def test_a_count_holds_while_hardly_any_came_or_went(expected: int, found: int, holds: bool) -> None:  # noqa: FBT001 - a column of the table
    assert agrees(expected, found) is holds


@pytest.mark.parametrize(
    ("state", "over"),
    [
        (OperationState.PENDING, False),
        (OperationState.RUNNING, False),
        (OperationState.DONE, True),
        (OperationState.STOPPED, True),
    ],
)
def test_nothing_more_is_done_after_the_end(state: OperationState, over: bool) -> None:  # noqa: FBT001 - a column of the table
    assert state.is_over is over
