"""How much work the start of a workflow is for the process that hands it over."""

from typing import Any

import pytest

from workflows.starting import attempts_at_once


@pytest.mark.parametrize(
    ("workflow", "asked", "attempts"),
    [
        pytest.param("notification", {}, 1, id="a notification is attempted at once"),
        pytest.param("notification", {"send_at": "2020-01-01T00:00:00+00:00"}, 1, id="one whose time has come, too"),
        pytest.param("notification", {"send_at": "2099-01-01T00:00:00+00:00"}, 0, id="one that waits is none yet"),
        pytest.param("page", {"notification_ids": ["a", "b", "c"]}, 3, id="a page is as many as it has members"),
        pytest.param("series", {}, 1, id="a series looks at once"),
        pytest.param("operation", {}, 0, id="an operation makes none"),
    ],
)
def test_starts_count_as_the_attempts_that_follow(workflow: str, asked: dict[str, Any], attempts: int) -> None:
    assert attempts_at_once({"workflow": workflow, "input": asked}) == attempts
