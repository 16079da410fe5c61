"""What schedules do, as it is stored and as it is read again."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.durations import Span
from domain.schedule_actions import AnchorRule, Query, StartEach, StartOne, TakeEvent, action_of, expressions

AT = datetime(2027, 3, 14, 5, tzinfo=UTC)
DAY = timedelta(days=1)
TO = {"phone": "+919876543210"}


@pytest.mark.parametrize(
    ("document", "action"),
    [
        ({"event": {"type": "day.began", "data": {"a": 1}}}, TakeEvent(type="day.began", data={"a": 1})),
        ({"start": {"flow": "f", "to": TO}}, StartOne(flow="f", to=("phone", "+919876543210"))),
        (
            {"start": {"flow": "f", "to": TO, "key": "'k'", "zone": "UTC", "resource": {"type": "order", "id": "1"}}},
            StartOne(
                flow="f", to=("phone", "+919876543210"), key="'k'", zone="UTC", resource=("order", "1")
            ),
        ),
        (
            {"query": {"flow": "g", "most": 5}, "start": {"flow": "f", "key": "item.id"}},
            StartEach(query=Query(flow="g", most=5), flow="f", key="item.id"),
        ),
        (
            {
                "query": {"anchor": {"name": "due_at", "within": "2d"}},
                "start": {"flow": "f", "key": "item.id", "to": {"email": "item.to"}, "data": {"a": "1"}},
            },
            StartEach(
                query=Query(anchor=AnchorRule(name="due_at", within=Span(days=2))),
                flow="f", key="item.id", to=("email", "item.to"), data={"a": "1"},
            ),
        ),
    ],
    ids=["an event", "one", "one with all", "each", "each with all"],
)  # fmt: skip
def test_an_action_is_read(document: dict[str, Any], action: Any) -> None:
    assert action_of(document) == action


@pytest.mark.parametrize(
    ("rule", "bounds"),
    [
        ({}, (None, None)),
        ({"passed": True}, (None, AT)),
        ({"passed": False}, (AT, None)),
        ({"within": Span(days=1)}, (AT, AT + DAY - timedelta(hours=1))),
        ({"older_than": Span(days=1)}, (None, AT - DAY)),
    ],
    ids=["any", "passed", "to come", "within a day on which the clock moves", "older than a day"],
)
def test_dates_are_bounded(rule: dict[str, Any], bounds: tuple[datetime | None, datetime | None]) -> None:
    assert AnchorRule(name="due_at", **rule).bounds(AT, "America/New_York") == bounds


def test_expressions_are_named_by_their_places() -> None:
    action = StartEach(
        query=Query(where="item.status == 'running'"), flow="f", key="item.id", to=("recipient", "item.to"),
        data={"name": "item.data.name"}, anchors={"due_at": "item.anchors.due_at"},
    )  # fmt: skip
    assert expressions(action) == {
        "/start/data/name": "item.data.name",
        "/start/anchors/due_at": "item.anchors.due_at",
        "/start/key": "item.id",
        "/start/to/recipient": "item.to",
        "/query/where": "item.status == 'running'",
    }
    assert set(expressions(StartEach(query=Query(), flow="f", key="item.id"))) == {"/start/key"}
